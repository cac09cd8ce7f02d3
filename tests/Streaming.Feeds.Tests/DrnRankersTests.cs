using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Learning;
using Streaming.Learning.Drn;
using Streaming.Suites;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

/// <summary>Q and Q~ of a list that is being built, as whoever learns knows them.</summary>
public sealed class DrnRankersTests
{
    private readonly LearnerSet _learners = new(new StreamingSettings { Learning = new LearningSettings { FtrlBits = 10, EmbeddingDim = 8 } });
    private readonly DrnModel _model = new(new DrnSettings { Hidden1 = 8, Hidden2 = 4 }, seed: 3, attributionWindowMs: 1000);
    private readonly ulong[] _items;
    private readonly UserState _user = new("ann", 8) { LastEventMs = World.Now, ListVersion = 7 };

    public DrnRankersTests()
    {
        for (var i = 0; i < 12; i++)
            _learners.Catalog.Apply(new ItemChange($"i{i}", new Item($"i{i}") { Tags = [$"t{i % 3}"], PublishedMs = World.Now - i * World.Hour }, World.Now));
        _items = [.. Enumerable.Range(0, 12).Select(i => World.Key($"i{i}"))];
    }

    private DrnRankers Rankers(long version = 1) => new(_model, () => new DrnFeatures(_learners), () => version);

    private static float[] Scores(IRanker ranker, UserState user, ReadOnlySpan<ulong> items)
    {
        var scores = new float[items.Length];
        ranker.Score(user, items, "", World.Now, scores);
        return scores;
    }

    [Fact]
    public void Scores_are_the_networks_own_and_the_perturbation_is_the_lists()
    {
        using var rankers = Rankers();
        var features = new DrnFeatures(_learners);
        var (state, actions) = (new float[DrnFeatures.StateLength], new float[12 * DrnFeatures.ActionLength]);
        features.BeginUser(_user, World.Now, "", state);
        for (var i = 0; i < 12; i++) features.Item(_items[i], actions.AsSpan(i * DrnFeatures.ActionLength, DrnFeatures.ActionLength));
        float[] Q(ReadOnlySpan<float> weights)
        {
            var q = new float[12];
            _model.Agent.Network.Score(weights, state, actions, q, new float[_model.Agent.Network.ScratchLength]);
            return q;
        }
        var perturbed = new float[_model.Agent.Network.Length];
        _model.Agent.Perturb(perturbed, _model.DrawOf(StableHash.Of("ann"), 8));

        Scores(rankers.Current, _user, _items).ShouldBe(Q(_model.Agent.Weights));
        Scores(rankers.Perturbed, _user, _items).ShouldBe(Q(perturbed));
        Scores(rankers.Current, _user, _items).ShouldBe(Q(_model.Agent.Weights), "asked in any order");

        // Fewer candidates, the next list, another user: nothing of before is left.
        Scores(rankers.Current, _user, _items.AsSpan(5, 3)).ShouldBe(Q(_model.Agent.Weights)[5..8]);
        _user.ListVersion++;
        Scores(rankers.Perturbed, _user, _items).ShouldNotBe(Q(perturbed));
        Scores(rankers.Perturbed, new UserState("bob", 8) { ListVersion = 7 }, _items).ShouldNotBe(Q(perturbed));
    }

    [Fact]
    public void A_new_version_is_taken_over()
    {
        var version = 1L;
        using var rankers = new DrnRankers(_model, () => new DrnFeatures(_learners), () => version);
        var (current, perturbed) = (Scores(rankers.Current, _user, _items), Scores(rankers.Perturbed, _user, _items));
        var other = new DrnModel(new DrnSettings { Hidden1 = 8, Hidden2 = 4 }, seed: 4, attributionWindowMs: 1000);
        _model.Agent.SetWeights(other.Agent.Weights);
        version++;

        Scores(rankers.Current, _user, _items).ShouldNotBe(current);
        Scores(rankers.Perturbed, _user, _items).ShouldNotBe(perturbed);
    }

    [Fact]
    public void Ranking_allocates_nothing_once_warm()
    {
        using var rankers = Rankers();
        var scores = new float[12];
        Allocated.PerCall(() =>
        {
            _user.ListVersion++;
            rankers.Current.Score(_user, _items, "", World.Now, scores);
            rankers.Perturbed.Score(_user, _items, "", World.Now, scores);
        }).ShouldBeLessThan(1);
    }
}
