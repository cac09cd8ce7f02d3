using Streaming.Core.Events;
using Streaming.Suites;
using Xunit.Abstractions;
using Sets = Streaming.Evaluation.DataSets.DataSets;

namespace Streaming.Evaluation.Tests.Baselines;

public sealed class BiasBaselinesTests(ITestOutputHelper output)
{
    [Fact]
    public void A_stream_worked_by_hand()
    {
        UserEvent Rate(string user, string item, double value) =>
            new() { Kind = EventKind.Rating, Type = "rating", User = user, Item = item, Value = value, TimeMs = 1 };
        // With k = 1 and p0 = 1/2 the item means before each event are .5, .75, .5, .833 (a: 1 of 1; then 2 of 2), labels 1 1 0 0.
        var scores = BiasBaselines.Score([Rate("u", "a", 5), Rate("v", "a", 4), Rate("u", "b", 1), Rate("u", "a", 3)], smoothing: 1, prior: 0.5);
        // Pairs (positive, negative): .5-.5 tie, .5-.833 lost, .75-.5 won, .75-.833 lost.
        scores.ItemOnly.ShouldBe(1.5 / 4, 1e-12);
        // User means .5, .5, .75, .5: sums 1, 1.25 against 1.25, 1.333: lost, lost, tie, lost.
        scores.UserAndItem.ShouldBe(0.5 / 4, 1e-12);
        (scores.Examples, scores.PositiveRate).ShouldBe((4, 0.5));
    }

    [DataFact("movielens/ml-100k")]
    public void MovieLens_100k_reproduces_the_known_figures()
    {
        var scores = BiasBaselines.Score(Sets.Open(SharedData.Find("movielens/ml-100k")!).Events(0));
        output.WriteLine($"{scores}");
        scores.UserAndItem.ShouldBe(.7487, .0002);
        scores.ItemOnly.ShouldBe(.6978, .0005);
    }

    [DataFact("movielens/ml-1m")]
    public void MovieLens_1M_interleaved_comes_to_the_known_figures()
    {
        var scores = BiasBaselines.Score(Sets.Open(SharedData.Find("movielens/ml-1m")!).Events(1));
        output.WriteLine($"{scores}");
        scores.Examples.ShouldBe(1_000_209);
        scores.UserAndItem.ShouldBe(.7735, .0005);
        scores.ItemOnly.ShouldBe(.7283, .0010);
    }
}
