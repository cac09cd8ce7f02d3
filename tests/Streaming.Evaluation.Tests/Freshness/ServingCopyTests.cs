using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.Replay;
using Streaming.Learning;

namespace Streaming.Evaluation.Tests.Freshness;

/// <summary>A sparse delta carries all that ranking reads: a copy that has just been synchronised scores as the learner does, bit for bit.</summary>
public sealed class ServingCopyTests
{
    private const long T0 = 1_700_000_000_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_a_sync_every_score_is_the_learners_and_before_it_the_old_one(bool clicksOnly)
    {
        var settings = new StreamingSettings
        {
            Learning = new LearningSettings { FtrlBits = 12, EmbeddingDim = 6, EmbeddingAdmitCount = 2 }, Users = new UsersSettings { AttributionWindowMs = 60_000, LateWindowMs = 0 },
        };
        ServingCopy? copy = null;
        var path = new OfflinePath(settings) { Learned = record => copy!.Touch(record) };
        copy = new ServingCopy(path.Learners);
        for (var i = 0; i < 20; i++) path.Apply(new ItemChange($"i{i}", new Item($"i{i}") { Tags = [$"t{i % 3}"], FirstSeenMs = T0 }, T0));
        var draws = new Draws(5);
        var timeMs = T0;
        for (var round = 0; round < 12; round++)
        {
            for (var n = 0; n < 60; n++) Step(path, ref draws, timeMs += 5_000, clicksOnly);
            var before = Scores(copy.Learners, path, timeMs);
            var learners = Scores(path.Learners, path, timeMs);
            if (round > 0) before.ShouldNotBe(learners);
            Scores(copy.Learners, path, timeMs).ShouldBe(before, "serving changes nothing");
            copy.Sync();
            Scores(copy.Learners, path, timeMs).ShouldBe(learners);
        }
        copy.Syncs.ShouldBe(12);
        path.Trainer.Examples.ShouldBeGreaterThan(500);
    }

    private static void Step(OfflinePath path, ref Draws draws, long timeMs, bool clicksOnly)
    {
        var user = $"u{draws.Below(6)}";
        // Five of the items are known from events alone.
        var item = $"i{draws.Below(25)}";
        var click = new UserEvent { Kind = EventKind.Click, Type = "click", User = user, Item = item, TimeMs = timeMs };
        var clicked = draws.Chance(0.3);
        if (!clicksOnly) path.Apply(click with { Kind = EventKind.Impression, Type = "impression", Position = draws.Below(4) }, timeMs);
        if (clicksOnly || clicked) path.Apply(click with { TimeMs = timeMs + 1 }, timeMs + 1);
        path.Learn();
    }

    private static List<float> Scores(LearnerSet learners, OfflinePath path, long nowMs)
    {
        var scorer = learners.Features.NewScorer();
        var scores = new List<float>();
        for (var u = 0; u < 6; u++)
        {
            scorer.BeginUser(path.StateOf($"u{u}"), nowMs, "");
            foreach (var item in learners.Catalog.All) scores.Add(scorer.Score(item.Key));
        }
        return scores;
    }
}
