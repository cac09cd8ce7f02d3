using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Learning;
using Streaming.Learning.Deep;
using Streaming.Models.Deep;
using Streaming.Node.Deep;
using Streaming.Suites;
using Streaming.Suites.Fakes;
using Streaming.Users;

namespace Streaming.Node.Tests;

/// <summary>Arms that name a version of a model.</summary>
public sealed class PinnedVersionTests
{
    private static readonly StreamingSettings Settings = new StreamingSettings
    {
        Log = new LogSettings { Partitions = 2 }, Learning = new LearningSettings { FtrlBits = 12 }, Deep = new DeepSettings { Models = ["din"], Device = "cpu" },
    }.Resolved();

    [TorchFact]
    public void A_version_ranks_beside_the_newest_one_and_what_is_not_there_ranks_as_the_live_ranker()
    {
        var log = new MemoryEventLog(Settings.Log);
        var learners = new LearnerSet(Settings);
        using var model = DeepZoo.Create("din", Settings, learners.Catalog);
        var publisher = new ModelPublisher(log, "din");
        void Publish(long version)
        {
            // Other dense weights in every version; over 0, as some of them are variances.
            foreach (var dense in model.Weights.Dense)
                dense.CopyFrom([.. Enumerable.Range(0, dense.Length).Select(i => 0.2f + 0.1f * MathF.Sin(i + 7 * version))]);
            publisher.Publish([new ModelUpdate(new UpdateHead("din", UpdateKind.Snapshot, 1, 0, version, version, 0, 0), WeightsCodec.All(model.Weights, 1 << 18))], version);
        }
        float[] Scores(Ranked of)
        {
            var scores = new float[4];
            of.Ranker.Score(new UserState("u", Settings.Learning.EmbeddingDim), [1, 2, 3, 4], "", 1_700_000_000_000, scores);
            return scores;
        }
        using var serving = new DeepServing(Settings, learners.Catalog, learners.UserModels, log, learnsInRounds: false);
        Ranked Of(string name, IReadOnlyList<Feeds.Building.ArmPolicy> arms) => new(arms.First(a => a.Name == name).Ranker!);
        Publish(10);
        Publish(20);
        serving.Poll();
        serving.Apply();
        var newest = Scores(Of("din", serving.Arms));

        ModelPin[] wanted = [new("din", 10), new("din", 20), new("din", 15), new("gone", 1)];
        var pins = serving.Pin(wanted);
        pins.Select(p => p.Name).ShouldBe(["din@10", "din@20", "din@15"]);
        var live = Scores(Of("din@10", pins));
        pins.Select(p => p.Version!()).ShouldAllBe(v => v.EndsWith(":0"), "nothing has been read yet");
        serving.Poll();
        serving.Apply();
        serving.Apply();
        pins.Select(p => p.Version!()).ShouldBe(["din@10:10", "din@20:20", "din@15:0"]);
        Scores(Of("din@20", pins)).ShouldBe(newest);
        Scores(Of("din@10", pins)).ShouldNotBe(newest);
        Scores(Of("din@10", pins)).ShouldNotBe(live);
        Scores(Of("din@15", pins)).ShouldBe(live);

        // A newer version changes the arm of the model and none of its versions'.
        var pinned = Scores(Of("din@10", pins));
        Publish(30);
        serving.Poll();
        serving.Apply();
        Scores(Of("din", serving.Arms)).ShouldNotBe(newest);
        Scores(Of("din@10", pins)).ShouldBe(pinned);
        // Asked for again, copies stay; no longer asked for, they go.
        serving.Pin([new("din", 10)]).ShouldHaveSingleItem().ShouldBeSameAs(pins[0]);
        serving.Pin([]).ShouldBeEmpty();
        serving.Poll();
    }

    private sealed record Ranked(Feeds.IRanker Ranker);
}
