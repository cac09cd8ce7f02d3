using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class ItemKnnSuite : RecommenderSuite
{
    protected override IRecommender Create() => new ItemKnn(new());
}

public sealed class PenalisedItemKnnSuite : RecommenderSuite
{
    protected override IRecommender Create() =>
        new ItemKnn(new() { PopularityPenalty = 0.7, ActivityPenalty = true, Shrinkage = 2, Neighbours = 8 });
}

public sealed class PearsonItemKnnSuite : RecommenderSuite
{
    protected override IRecommender Create() => new ItemKnn(new() { Similarity = Similarity.Pearson, Shrinkage = 2 });
}

public sealed class ItemKnnTests
{
    /// <summary>N(0) = 3 users, N(1) = 2, N(2) = 2; 0 and 1 share users 0 and 1, 0 and 2 share user 1, as do 1 and 2.</summary>
    private static readonly Interactions Train = Few.Histories(4, [0, 1], [1, 0, 2], [0], [2]);

    [Fact]
    public void Plain_cosine() =>
        new ItemKnn(new()).Score(Train, 0, 0).ShouldBeAbout(0, 2 / Math.Sqrt(6), 1 / Math.Sqrt(6), 0);

    [Fact]
    public void A_history_adds_up_and_counts_an_item_once() => new ItemKnn(new()).Score(Train, 0, 0, 1, 0)
        .ShouldBeAbout(2 / Math.Sqrt(6), 2 / Math.Sqrt(6), 1 / Math.Sqrt(6) + 1 / 2.0, 0);

    [Fact]
    public void Both_penalties_and_shrinkage()
    {
        // User 0 has two items and user 1 three: they count 1 / ln 3 and 1 / ln 4. Alpha 0.75: the candidate's popularity weighs three times.
        double first = 1 / Math.Log(3), second = 1 / Math.Log(4);
        new ItemKnn(new() { PopularityPenalty = 0.75, ActivityPenalty = true, Shrinkage = 0.5 }).Score(Train, 0, 1).ShouldBeAbout(
            (first + second) / (Math.Pow(2, 0.25) * Math.Pow(3, 0.75) + 0.5), 0, second / (Math.Pow(2, 0.25) * Math.Pow(2, 0.75) + 0.5), 0);
    }

    [Fact]
    public void Only_the_nearest_count() => new ItemKnn(new() { Neighbours = 1 }).Score(Train, 0, 0).ShouldBeAbout(0, 2 / Math.Sqrt(6), 0, 0);

    [Fact]
    public void Pearson_goes_by_the_grades_of_those_who_have_both()
    {
        // Items 0 and 1 over users 0 to 2: (1 2), (2 4), (3 3) correlate 0.5; times 3 / (3 + 1). Items 0 and 2 fall against each other.
        var train = Few.Rows(4, 3, (0, 0, 1), (0, 1, 2), (1, 0, 2), (1, 1, 4), (2, 0, 3), (2, 1, 3), (0, 2, 5), (1, 2, 3), (3, 1, 5));
        new ItemKnn(new() { Similarity = Similarity.Pearson, Shrinkage = 1 }).Score(train, 0, 0).ShouldBeAbout(0, 0.375, 0);
    }

    [Fact]
    public void Grades_that_do_not_vary_correlate_with_nothing()
    {
        // 0.1 three times: its spread is 0 but for rounding.
        var train = Few.Rows(3, 2, (0, 0, 0.1f), (1, 0, 0.1f), (2, 0, 0.1f), (0, 1, 1), (1, 1, 2), (2, 1, 3));
        new ItemKnn(new() { Similarity = Similarity.Pearson }).Score(train, 0, 0).ShouldBeAbout(0, 0);
    }
}
