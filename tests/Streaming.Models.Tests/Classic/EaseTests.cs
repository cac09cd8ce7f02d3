using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class EaseSuite : RecommenderSuite
{
    protected override IRecommender Create() => new Ease(lambda: 5);
}

public sealed class EaseTests
{
    [Fact]
    public void The_closed_form_on_three_items()
    {
        // X'X + I = (3 2 0), (2 3 0), (0 0 2); its inverse has 3/5 on the first two diagonal places and -2/5 between them, so
        // B(0, 1) = B(1, 0) = (2/5) / (3/5) and the third item stands alone.
        var train = Few.Histories(3, [0, 1], [1, 0], [2]);
        new Ease(lambda: 1).Score(train, 0, 0).ShouldBeAbout(0, 2 / 3.0, 0);
        new Ease(lambda: 1).Score(train, 0, 1, 2, 1).ShouldBeAbout(2 / 3.0, 0, 0);
    }

    [Fact]
    public void Weights_need_not_be_symmetric()
    {
        // Item 0 twice alone and once with item 1: X'X + I = (4 1), (1 2), inverse (2 -1), (-1 4) over 7.
        var train = Few.Histories(2, [0], [0], [0, 1]);
        new Ease(lambda: 1).Score(train, 0, 0).ShouldBeAbout(0, 1 / 4.0);
        new Ease(lambda: 1).Score(train, 0, 1).ShouldBeAbout(1 / 2.0, 0);
    }

    [Fact]
    public void A_catalogue_that_no_memory_holds_is_refused() =>
        Should.Throw<ArgumentException>(() => new Ease().Fit(new Interactions(1, 100_000, [], [], [], []), 1)).Message.ShouldContain("100000");
}
