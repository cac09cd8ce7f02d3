using Streaming.Evaluation.Protocols;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Protocols;

public sealed class PrequentialTests
{
    /// <summary>What README says that the live replay reaches, and the share's README of the item mean.</summary>
    [DataFact("movielens/ml-100k")]
    public void MovieLens_gives_the_figures_of_the_live_replay()
    {
        var protocol = new Prequential();
        var path = SharedData.Find("movielens/ml-100k")!;
        var done = 0.0;
        var measured = protocol.Run(new EvaluationCase("ftrl", path, 1, share => done = share), default);
        var figures = measured.ToDictionary(f => f.Metric, f => f.Value);
        figures["examples"].ShouldBe(100_000);
        figures["auc"].ShouldBe(0.7738, 0.0005);
        figures["base_rate"].ShouldBe(0.55375, 1e-9);
        figures["ne"].ShouldBeLessThan(0.9);
        done.ShouldBe(1);
        foreach (var figure in measured.Where(f => f.Metric is "auc" or "logloss"))
        {
            figure.Value.ShouldBeInRange(figure.Low, figure.High, figure.Metric);
            (figure.High - figure.Low).ShouldBeInRange(0.005, 0.05, figure.Metric);
        }
        protocol.Run(new EvaluationCase("item-mean", path, 1), default).Single(f => f.Metric == "auc").Value.ShouldBe(0.6978, 0.001);
    }

    [Fact]
    public void A_model_that_it_does_not_know_is_refused() =>
        Should.Throw<ArgumentException>(() => new Prequential().Run(new EvaluationCase("magic", "/nowhere", 1), default)).Message.ShouldContain("ftrl");
}
