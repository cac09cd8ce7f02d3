using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class PopularitySuite : RecommenderSuite
{
    protected override IRecommender Create() => new Popularity();
    protected override bool Personal => false;
}

public sealed class DecayedPopularitySuite : RecommenderSuite
{
    protected override IRecommender Create() => new Popularity(halfLifeDays: 0.001);
    protected override bool Personal => false;
}

public sealed class PopularityTests
{
    private static readonly Interactions Train = Few.Histories(4, [2, 0, 2], [1, 2]);

    [Fact]
    public void Without_a_half_life_it_counts() => new Popularity().Score(Train, 0).ShouldBeAbout(1, 1, 3, 0);

    [Fact]
    public void Half_as_much_after_each_half_life()
    {
        // Items 2 0 2 1 2 on days 0 to 4; with a half-life of 2 days the ages 4 3 2 1 0 count 1/4, 2^-1.5, 1/2, 2^-0.5, 1.
        new Popularity(halfLifeDays: 2).Score(Train, 0).ShouldBeAbout(Math.Pow(2, -1.5), Math.Pow(2, -0.5), 1.75, 0);
    }

    [Fact]
    public void A_half_life_must_be_positive() => Should.Throw<ArgumentOutOfRangeException>(() => new Popularity(0));
}
