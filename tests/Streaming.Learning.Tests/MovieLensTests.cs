using Streaming.Core.Settings;
using Streaming.Suites;
using Xunit.Abstractions;

namespace Streaming.Learning.Tests;

/// <summary>
/// Prequential AUC of the live ranker on MovieLens as a stream, label "rated >= 4", default settings, rounds of 256 events.
/// The bias models' figures are those that independent code measured (shared/data/README.md).
/// </summary>
public sealed class MovieLensTests(ITestOutputHelper output)
{
    private const int RoundEvents = 256;

    [DataFact("movielens/ml-100k")]
    public void On_100k_by_timestamp_the_ranker_beats_the_bias_models()
    {
        var figures = new MovieLensHarness(new StreamingSettings(), MovieLens.Load100K(), RoundEvents).Run();
        foreach (var figure in figures) output.WriteLine(figure.ToString());
        figures[0].Count.ShouldBe(100_000);
        figures[0].Auc.ShouldBeGreaterThan(0.767);
        figures[0].Ece.ShouldBeLessThan(0.02);
        figures[1].Auc.ShouldBe(0.6978, 0.0002);
        figures[2].Auc.ShouldBe(0.7487, 0.0002);
    }

    [DataFact("movielens/derived"), Trait("Category", "Slow")]
    public void On_1m_with_users_interleaved_the_ranker_beats_the_bias_models()
    {
        var figures = new MovieLensHarness(new StreamingSettings(), MovieLens.Load1M(seed: 1, stepMs: 1000), RoundEvents).Run();
        foreach (var figure in figures) output.WriteLine(figure.ToString());
        figures[0].Count.ShouldBe(1_000_209);
        figures[0].Auc.ShouldBeGreaterThan(0.797);
        figures[0].Ece.ShouldBeLessThan(0.01);
        // The interleaving is by another seed than the published 0.7283 and 0.7735.
        figures[1].Auc.ShouldBe(0.7283, 0.001);
        figures[2].Auc.ShouldBe(0.7735, 0.001);
    }
}
