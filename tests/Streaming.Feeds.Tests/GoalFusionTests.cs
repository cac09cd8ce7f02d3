using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Learning;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Suites;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

/// <summary>One score of several goals, and how a list's settings reach the ranker that makes it.</summary>
public sealed class GoalFusionTests
{
    private static readonly EventKind[] Further = [EventKind.Like, EventKind.Purchase];

    private static GoalFusion Fusion(string kind, params (string Goal, double Weight)[] weights) =>
        GoalFusion.Of(new FeedsSettings { GoalFusion = kind, GoalWeights = weights.ToDictionary(w => w.Goal, w => w.Weight) });

    [Fact]
    public void By_hand()
    {
        var actions = new Dictionary<string, double> { ["like"] = 2, ["purchase"] = 5 };
        var sum = Fusion(FeedsSettings.FusionAdditive, ("like", 3));
        sum.WeightsOf(Further, actions).ShouldBe([1f, 3f, 5f]);
        sum.Fuse([.5f, .2f, .1f], sum.WeightsOf(Further, actions)).ShouldBe(.5f + 3 * .2f + 5 * .1f, 1e-6f);
        var product = Fusion(FeedsSettings.FusionMultiplicative, ("positive", .5), ("like", 0), ("purchase", 2));
        product.Fuse([.25f, .2f, .1f], product.WeightsOf(Further, actions)).ShouldBe(.5f * 1 * .01f, 1e-7f);
        GoalFusion.Default.WeightsOf(Further, actions).ShouldBe([1f, 2f, 5f]);
    }

    [Fact]
    public void A_ranker_hears_how_its_list_makes_one_score()
    {
        var world = World.Populated(200, 2000, 7);
        var ranker = new Hearing();
        var settings = world.Settings with { GoalFusion = FeedsSettings.FusionMultiplicative };
        var arm = ArmPolicy.Learned with { Name = "arm", Settings = settings with { GoalWeights = new() { ["positive"] = 7 } } };
        var builder = new FeedBuilder(world.Index, new FakeModels(world.Catalog), world.Vectors, ranker, settings, ArmPolicy.Learned, arm);
        builder.Build(world.ActiveUser(200, 3), "", "learned", World.Now).ShouldNotBeNull();
        ranker.Heard!.ToString().ShouldBe("multiplicative");
        builder.Build(world.ActiveUser(200, 3), "", "arm", World.Now).ShouldNotBeNull();
        ranker.Heard!.ToString().ShouldBe("multiplicative positive=7");
    }

    [TorchFact]
    public void A_deep_ranker_of_several_goals_scores_by_the_lists_weights()
    {
        var set = new LearnerSet(new StreamingSettings { Deep = new DeepSettings { DenseFeatures = ["none"] } });
        using var model = new RankerModel("mmoe", new RankerOptions { Dim = 4, Hidden = [8, 4], InitScale = 1f }, 5, 0, set.Catalog, goals: Further);
        using var ranker = DeepRanker.Of(model, set.UserModels, () => 1, new Dictionary<string, double> { ["like"] = 2, ["purchase"] = 5 });
        var (user, items) = (new UserState("ann", set.Settings.Learning.EmbeddingDim), Enumerable.Range(0, 20).Select(i => StableHash.Of($"i{i}")).ToArray());
        var batch = new ExampleBatch(5);
        foreach (var item in items) batch.Add(StableHash.Of("ann"), item, [], 0, 1_000, StableHash.Of("home"), label: 1);
        model.Learn(batch);
        var all = new float[60];
        model.PredictGoals(batch, all);
        foreach (var fusion in new[]
        {
            GoalFusion.Default, Fusion(FeedsSettings.FusionAdditive, ("positive", 0), ("like", 1), ("purchase", 0)), Fusion(FeedsSettings.FusionMultiplicative, ("like", .5)),
        })
        {
            var scores = new float[20];
            ranker.Score(user, items, "home", 1_000, fusion, scores);
            var weights = fusion.WeightsOf(Further, new Dictionary<string, double> { ["like"] = 2, ["purchase"] = 5 });
            for (var i = 0; i < 20; i++) scores[i].ShouldBe(fusion.Fuse(all.AsSpan(3 * i, 3), weights), 1e-5f);
            scores.Distinct().Count().ShouldBeGreaterThan(1);
        }
        var plain = new float[20];
        ranker.Score(user, items, "home", 1_000, plain);
        plain[0].ShouldBe(all[0] + 2 * all[1] + 5 * all[2], 1e-5f);
    }

    private sealed class Hearing : IRanker
    {
        public GoalFusion? Heard { get; private set; }

        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores) => throw new InvalidOperationException("a list has a fusion");

        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, GoalFusion fusion, Span<float> scores)
        {
            Heard = fusion;
            scores.Fill(1f);
        }
    }
}
