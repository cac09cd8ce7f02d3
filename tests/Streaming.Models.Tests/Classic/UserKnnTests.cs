using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class UserKnnSuite : RecommenderSuite
{
    protected override IRecommender Create() => new UserKnn(new() { Neighbours = 10 });
}

public sealed class PearsonUserKnnSuite : RecommenderSuite
{
    protected override IRecommender Create() => new UserKnn(new() { Similarity = Similarity.Pearson });
}

public sealed class UserKnnTests
{
    /// <summary>User 0 shares item 0 with user 1 and items 0 and 1 with user 2.</summary>
    private static readonly Interactions Train = Few.Histories(5, [0, 1], [0, 2], [1, 0, 3], [4]);

    [Fact]
    public void Plain_cosine()
    {
        double one = 1 / 2.0, two = 2 / Math.Sqrt(6);
        new UserKnn(new()).Score(Train, 0, 0, 1).ShouldBeAbout(one + two, two, one, two, 0);
    }

    [Fact]
    public void Only_the_nearest_count()
    {
        var two = 2 / Math.Sqrt(6);
        new UserKnn(new() { Neighbours = 1 }).Score(Train, 0, 0, 1).ShouldBeAbout(two, two, 0, two, 0);
    }

    [Fact]
    public void Penalties_and_shrinkage()
    {
        // Item 0 has three users and item 1 two: sharing them says 1 / ln 4 and 1 / ln 3.
        double zero = 1 / Math.Log(4), one = 1 / Math.Log(3);
        var first = zero / (Math.Pow(2, 0.75) * Math.Pow(2, 0.25) + 1);
        var second = (zero + one) / (Math.Pow(2, 0.75) * Math.Pow(3, 0.25) + 1);
        new UserKnn(new() { PopularityPenalty = 0.25, ActivityPenalty = true, Shrinkage = 1 }).Score(Train, 0, 0, 1)
            .ShouldBeAbout(first + second, second, first, second, 0);
    }

    [Fact]
    public void Pearson_goes_by_the_grades_in_training()
    {
        // Users 0 and 1 over items 0 to 2: (1 2), (2 4), (3 3) correlate 0.5; user 2 grades against user 0. Item 3 is user 1's.
        var train = Few.Rows(3, 4, (0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 2), (1, 1, 4), (1, 2, 3), (1, 3, 5), (2, 0, 3), (2, 1, 1));
        new UserKnn(new() { Similarity = Similarity.Pearson }).Score(train, 0, 0, 1, 2).ShouldBeAbout(0.5, 0.5, 0.5, 0.5);
    }
}
