using System.Globalization;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Models.Ranking;
using Streaming.Models.Reranking;
using Streaming.Node.Deep;
using Streaming.Suites;

namespace Streaming.Node.Tests;

/// <summary>A replay learns deep models in its rounds: the same every time, however often it was stopped.</summary>
public sealed class DeepReplayTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Deep = new DeepSettings
        {
            Models = ["din", "two_tower"], BatchSizeMax = 64, CanaryExamples = 64, CanaryLossTolerance = 10, CanaryCalibrationTolerance = 10, CanaryAucTolerance = 1,
        },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["din"] = .4, ["two_tower"] = .4 } },
    };

    private static readonly List<ReplayRecord> Source = SyntheticSource.Create(seed: 6, events: 1_500);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TorchFact]
    public async Task It_gives_the_same_every_time_and_after_any_stop()
    {
        var straight = await EndAsync("straight", int.MaxValue, 0);
        straight.Deep.Count.ShouldBe(2);
        foreach (var (name, examples, serving, auc, ne) in straight.Deep)
        {
            examples.ShouldBe(straight.Outcome!.Examples, $"{name} learns what the live ranker learns, to the last example");
            serving.ShouldBeGreaterThan(0);
            auc.ShouldBeInRange(0.01, 0.99);
            double.IsNaN(ne).ShouldBe(name == "two_tower", "its scores are no probabilities");
        }
        straight.Outcome!.Lost.ShouldBe(0);

        (await EndAsync("again", int.MaxValue, 0)).ShouldBeEquivalentTo(straight);

        var random = new Random(3);
        for (var stops = 0; ; stops++)
        {
            // A checkpoint after nearly every round, or only the first one.
            var end = await EndAsync("stopped", random.Next(3, 30), random.Next(2) == 0 ? 1 : 60_000);
            if (end.Outcome is null) continue;
            stops.ShouldBeGreaterThan(2);
            end.ShouldBeEquivalentTo(straight);
            return;
        }
    }

    [TorchFact]
    public async Task Several_goals_and_lists_are_learned_the_same_every_time_and_after_a_stop()
    {
        var settings = Settings with
        {
            Users = Settings.Users with { Goals = ["click"] }, Deep = Settings.Deep with { Models = ["esmm", "fm", "prm"] },
            Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["esmm"] = .3, ["fm"] = .3, ["prm"] = .3 } },
            Feeds = Settings.Feeds with { GoalFusion = FeedsSettings.FusionMultiplicative, GoalWeights = new() { ["click"] = 2 } },
        };
        settings.Validate().ShouldBeEmpty();
        var straight = await EndAsync("straight", int.MaxValue, 0, settings);
        var (several, one) = (straight.Deep[0], straight.Deep[1]);
        one.Examples.ShouldBe(straight.Outcome!.Examples, "what follows a label is not for a ranker of one goal");
        several.Examples.ShouldBeGreaterThan(one.Examples);
        straight.Deep[2].Examples.ShouldBe(one.Examples);
        foreach (var model in straight.Deep)
        {
            model.Serving.ShouldBeGreaterThan(0);
            model.Auc.ShouldBeInRange(0.01, 0.99);
        }
        straight.Goals.Select(g => (g.Model, g.Goal)).ShouldBe([("esmm", "click")]);
        straight.Goals[0].Auc.ShouldBeInRange(0.01, 0.99);
        straight.Goals[0].Count.ShouldBeLessThanOrEqualTo(one.Examples, "each impression once, and corrections not again");
        var head = straight.Heads.ShouldHaveSingleItem();
        head.Model.ShouldBe("prm");
        head.Lists.ShouldBeGreaterThan(0);
        (head.BaseNdcg, head.HeadNdcg).ShouldSatisfyAllConditions(n => n.BaseNdcg.ShouldBeInRange(0.01, 1), n => n.HeadNdcg.ShouldBeInRange(0.01, 1));
        var cut = await EndAsync("stopped", 20, 1, settings);
        cut.Outcome.ShouldBeNull();
        (await EndAsync("stopped", int.MaxValue, 0, settings)).ShouldBeEquivalentTo(straight);
    }

    [TorchFact]
    public async Task Models_that_recall_are_learned_the_same_every_time_and_after_a_stop()
    {
        string[] models = ["mind", "sdm"];
        var settings = Settings with
        {
            Deep = Settings.Deep with { Models = models },
            Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = models.ToDictionary(m => m, _ => .4) },
        };
        var straight = await EndAsync("straight", int.MaxValue, 0, settings);
        straight.Deep.Select(m => m.Name).ShouldBe(models);
        foreach (var model in straight.Deep)
        {
            model.Examples.ShouldBe(straight.Outcome!.Examples);
            model.Serving.ShouldBeGreaterThan(0);
            model.Auc.ShouldBeInRange(0.01, 0.99);
            model.Entropy.ShouldBe(double.NaN, "its scores are no probabilities");
        }
        var cut = await EndAsync("stopped", 20, 1, settings);
        cut.Outcome.ShouldBeNull();
        (await EndAsync("stopped", int.MaxValue, 0, settings)).ShouldBeEquivalentTo(straight);
    }

    [TorchFact]
    public Task Every_ranker_learns_and_serves_an_arm_beside_all_others() =>
        AllServeAsync(["din", PrmModel.ModelName, .. Rankers.Live], Settings with { Users = Settings.Users with { Goals = ["click"] } }, (_, _) => { });

    [TorchFact]
    public Task Every_model_that_recalls_learns_serves_an_arm_and_has_items_to_find() => AllServeAsync(
        [.. FeedChannels.Retrieval], Settings,
        (rig, model) => rig.Node.Models.Deep!.Retrieval.Single(c => c.Name == model).Index.Count.ShouldBeGreaterThan(0, model));

    private async Task AllServeAsync(string[] models, StreamingSettings settings, Action<NodeRig, string> check)
    {
        settings = settings with
        {
            Deep = settings.Deep with { Models = models },
            Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = models.ToDictionary(name => name, _ => 0.9 / models.Length) },
        };
        settings.Validate().ShouldBeEmpty();
        await using var rig = await NodeRig.OpenAsync(_folder.Sub("all"), settings, learnsDeepInRounds: true);
        await new ReplayRunner(rig.Node, 32).RunAsync(Source.Take(700), "source", null, 0, CancellationToken.None);
        var status = rig.Node.Status().Deep;
        status.Select(m => m.Name).ShouldBe(models);
        var arms = Enumerable.Range(0, 10_000).Select(i => rig.Node.Splitter.ArmOf(string.Create(CultureInfo.InvariantCulture, $"v{i}"))).ToHashSet();
        foreach (var model in status)
        {
            model.Serving.ShouldBeGreaterThan(0, model.Name);
            arms.ShouldContain(model.Name);
            check(rig, model.Name);
        }
    }

    [Fact]
    public async Task Without_deep_models_nothing_of_this_is_there()
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Path, learnsDeepInRounds: true);
        rig.Node.Models.Parts.ShouldAllBe(part => !part.Name.StartsWith("deep", StringComparison.Ordinal));
        rig.Node.DeepFigures().ShouldBeEmpty();
    }

    private sealed record End(
        Outcome? Outcome, List<(string Name, long Examples, long Serving, double Auc, double Entropy)> Deep, List<(string Model, string Goal, long Count, double Auc)> Goals,
        List<HeadStatus> Heads);

    /// <summary>Replays until the end, or until so many rounds have run; then there is no outcome.</summary>
    private async Task<End> EndAsync(string folder, int rounds, int checkpointMs, StreamingSettings? settings = null)
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Sub(folder), settings ?? Settings, learnsDeepInRounds: true);
        var runner = new ReplayRunner(rig.Node, 32);
        try
        {
            await runner.RunAsync(Source, "source", _ => { if (--rounds < 0) throw new StopException(); }, checkpointMs, CancellationToken.None);
        }
        catch (StopException)
        {
            return new End(null, [], [], []);
        }
        var (figures, status) = (rig.Node.DeepFigures(), rig.Node.Status().Deep);
        return new End(
            await rig.OutcomeAsync(runner),
            [.. figures.Zip(status, (f, s) => (f.Name, s.Examples, s.Serving, f.Auc, f.NormalisedEntropy))],
            [.. figures.SelectMany(f => f.Goals.Select(g => (f.Name, g.Name, g.Count, g.Auc)))], [.. status.Select(s => s.Head).OfType<HeadStatus>()]);
    }

    private sealed class StopException : Exception;
}
