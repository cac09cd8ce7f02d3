using Streaming.Evaluation.Metrics;
using Streaming.Experiments;

namespace Streaming.Evaluation.Freshness;

/// <summary>Quality against sync interval.</summary>
/// <param name="Metric">Standard name.</param>
/// <param name="LargerIsBetter">False for losses.</param>
/// <param name="Values">By interval, with 95 % error bars.</param>
/// <param name="Steps">
/// By interval, how much better it is than the next staler one (NaN for the first), paired: the same users or seeds in both. Positive is
/// better whichever way the metric points.
/// </param>
public sealed record FreshnessFigure(string Metric, bool LargerIsBetter, IReadOnlyList<Interval> Values, IReadOnlyList<Interval> Steps)
{
    /// <summary>Whether no step to a fresher model makes it worse beyond its error bar.</summary>
    public bool IsMonotone => Steps.Skip(1).All(step => !(step.High < 0));
}

/// <summary>A freshness curve: one stream, one learner, and copies of it that serve at different staleness, scored on the same examples.</summary>
/// <param name="Data">The set, or "simulator".</param>
/// <param name="Model">What learns.</param>
/// <param name="Intervals">From stale to fresh.</param>
/// <param name="Syncs">By interval: how often the copy was synchronised; 0 where the learner itself serves.</param>
/// <param name="Figures">One per metric.</param>
/// <param name="Scored">Examples scored, after the warm-up, summed over seeds.</param>
/// <param name="ErrorBars">What the error bars are over.</param>
/// <param name="Seeds">Runs.</param>
public sealed record FreshnessCurve(
    string Data, string Model, IReadOnlyList<SyncInterval> Intervals, IReadOnlyList<long> Syncs, IReadOnlyList<FreshnessFigure> Figures, long Scored,
    string ErrorBars, int Seeds);

/// <summary>One run: a figure per metric and interval for any weighting of its users.</summary>
internal interface IFreshnessRun
{
    /// <summary>Name, and whether larger is better.</summary>
    IReadOnlyList<(string Name, bool LargerIsBetter)> Metrics { get; }

    /// <summary>By interval.</summary>
    IReadOnlyList<long> Syncs { get; }

    /// <summary>Examples scored.</summary>
    long Scored { get; }

    /// <summary>Users with a scored example.</summary>
    int Users { get; }

    /// <summary>Figures as [metric x intervals + interval], each user counting so often.</summary>
    double[] Figures(ReadOnlySpan<int> userCounts);
}

/// <summary>Error bars of a curve.</summary>
internal static class FreshnessBars
{
    /// <summary>Over the users of one run, the same draw for every interval.</summary>
    public static IReadOnlyList<FreshnessFigure> OverUsers(IFreshnessRun run, int intervals, long seed)
    {
        // Values and steps are resampled together.
        var bars = Bootstrap.OfCounts(run.Users, counts =>
        {
            var values = run.Figures(counts);
            return [.. values, .. values.Select((value, at) => Step(run.Metrics, intervals, values, at))];
        }, seed, Bootstrap.CostlyResamples);
        return Build(run.Metrics, intervals, at => bars[at], at => bars[run.Metrics.Count * intervals + at]);
    }

    /// <summary>Mean over runs with different seeds, and its t interval.</summary>
    public static IReadOnlyList<FreshnessFigure> OverSeeds(IReadOnlyList<IFreshnessRun> runs, int intervals)
    {
        var samples = runs.Select(run =>
        {
            var counts = new int[run.Users];
            Array.Fill(counts, 1);
            return run.Figures(counts);
        }).ToList();
        var metrics = runs[0].Metrics;
        return Build(
            metrics, intervals, at => MeanAndBar([.. samples.Select(values => values[at])]),
            at => MeanAndBar([.. samples.Select(values => Step(metrics, intervals, values, at))]));
    }

    /// <summary>How much better a figure is than that of the next staler interval; NaN for the stalest.</summary>
    private static double Step(IReadOnlyList<(string Name, bool LargerIsBetter)> metrics, int intervals, double[] values, int at) =>
        at % intervals == 0 ? double.NaN : (metrics[at / intervals].LargerIsBetter ? 1 : -1) * (values[at] - values[at - 1]);

    private static List<FreshnessFigure> Build(
        IReadOnlyList<(string Name, bool LargerIsBetter)> metrics, int intervals, Func<int, Interval> value, Func<int, Interval> step) =>
        [.. metrics.Select((metric, m) => new FreshnessFigure(
            metric.Name, metric.LargerIsBetter, [.. Enumerable.Range(m * intervals, intervals).Select(value)], [.. Enumerable.Range(m * intervals, intervals).Select(step)]))];

    private static Interval MeanAndBar(double[] samples)
    {
        var of = SampleMean.Of(samples);
        return new Interval(of.Mean, of.Mean - of.Bar, of.Mean + of.Bar);
    }
}
