using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class MarkovSuite : RecommenderSuite
{
    protected override IRecommender Create() => new Markov();
}

public sealed class MarkovTests
{
    /// <summary>0 -> 1 twice, 0 -> 2 once, 1 -> 0 once; items come 3, 2, 1 and 2 times.</summary>
    private static readonly Interactions Train = Few.Histories(4, [0, 1, 0, 2], [0, 1], [3], [3]);

    [Fact]
    public void What_followed_counts_and_popularity_below_one_orders_the_rest() =>
        new Markov().Score(Train, 0, 2, 0).ShouldBeAbout(3 / 4.0, 2 + 2 / 4.0, 1 + 1 / 4.0, 2 / 4.0);

    [Fact]
    public void Only_the_last_item_counts() => new Markov().Score(Train, 0, 0, 1).ShouldBeAbout(1 + 3 / 4.0, 2 / 4.0, 1 / 4.0, 2 / 4.0);

    [Fact]
    public void Without_a_history_it_is_popularity() => new Markov().Score(Train, 0).ShouldBeAbout(3 / 4.0, 2 / 4.0, 1 / 4.0, 2 / 4.0);
}
