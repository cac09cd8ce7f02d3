using Streaming.Core.Experiments;
using Streaming.Experiments.Inference;

namespace Streaming.Evaluation.Experiments;

/// <summary>Share of runs in which something happened.</summary>
public readonly record struct RunShare(int Happened, int Runs)
{
    public double Value => Runs == 0 ? double.NaN : (double)Happened / Runs;
}

/// <summary>One metric over many simulated experiments.</summary>
/// <param name="Guarded">Runs in which a guard-rail stopped the treatment.</param>
/// <param name="CupedVarianceRatio">Variance between runs of the difference with CUPED over that without: what CUPED really took out.</param>
public sealed record StudyRow(
    string Metric, RunShare Fixed, RunShare Naive, RunShare Cuped, RunShare PeekedFixed, RunShare Sequential, RunShare Covered, RunShare CoveredAlways,
    RunShare Guarded, double VarianceReduction, double CupedVarianceRatio, double MedianUsersAtStop, double MedianUsersAtGuard);

/// <summary>Many simulated experiments.</summary>
/// <param name="PlainSequential">Click rate, without CUPED, looked at after every page.</param>
/// <param name="SampleRatio">Runs in which the sample-ratio alarm went off, looked at after every user.</param>
public sealed record Study(IReadOnlyList<StudyRow> Metrics, RunShare PlainSequential, RunShare SampleRatio, double MeanUsers);

/// <summary>Runs simulated experiments by the hundred and counts what the tests say.</summary>
public static class SimulatedStudies
{
    private const double Alpha = 0.05;

    /// <param name="pool">Where users come from.</param>
    /// <param name="plan">Of each experiment.</param>
    /// <param name="runs">How many; run r has a seed of its own, so results do not depend on the threads.</param>
    /// <param name="seed">Of the first one.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="progress">Told the share that is done, 0 to 1, on whichever thread.</param>
    public static Study Run(AudiencePool pool, SimulatedPlan plan, int runs, long seed, CancellationToken cancel = default, Action<double>? progress = null)
    {
        var done = 0;
        var outcomes = new IReadOnlyList<SimulatedOutcome>[runs];
        var (plain, mismatch, users) = (new bool[runs], new bool[runs], new int[runs]);
        Parallel.For(0, runs, new ParallelOptions { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount }, r =>
        {
            var experiment = new SimulatedExperiment(pool, plan, seed * 1_000_003 + r);
            outcomes[r] = experiment.Run();
            (plain[r], mismatch[r], users[r]) = (experiment.Plain, SampleRatio.IsMismatch(experiment.LargestMismatch), experiment.Entered);
            progress?.Invoke((double)Interlocked.Increment(ref done) / runs);
        });
        return new Study(
            [.. Enumerable.Range(0, plan.Metrics).Select(m => RowOf(Metric.All[m].Name, [.. outcomes.Select(o => o[m])]))],
            Share(plain, hit => hit), Share(mismatch, hit => hit), users.Average());
    }

    /// <summary>
    /// Share of runs in which the sample-ratio alarm goes off by so many users, looked at after each, when the treatment loses a part of its users;
    /// and the median user at which it did.
    /// </summary>
    public static (RunShare Alarms, double MedianUsers) SampleRatioAlarms(int users, double lost, int runs, long seed)
    {
        List<double> at = [];
        for (var r = 0; r < runs; r++)
        {
            var draws = new Draws((ulong)(seed * 7_919 + r));
            var counts = new long[2];
            while (counts[0] + counts[1] < users)
            {
                var arm = draws.Below(2);
                if (arm == 1 && draws.Chance(lost)) continue;
                counts[arm]++;
                if (!SampleRatio.IsMismatch(SampleRatio.LogEvidence(counts, [0.5, 0.5]))) continue;
                at.Add(counts[0] + counts[1]);
                break;
            }
        }
        return (new RunShare(at.Count, runs), Median(at));
    }

    /// <summary>The click rate and its variance per user over the whole pool, clicks thinned: what a team would take from last month's data.</summary>
    /// <param name="pool">Where experiments draw their users.</param>
    /// <param name="keeps">Chance that a click is kept.</param>
    /// <param name="varianceReduction">Of CUPED.</param>
    /// <param name="coming">Part of the pool's users that come at all while an experiment lasts.</param>
    public static Baseline ClickRateOf(AudiencePool pool, double keeps, out double varianceReduction, out double coming)
    {
        // Everybody in one experiment; both arms are the same population.
        var experiment = new SimulatedExperiment(pool, new SimulatedPlan(pool.Users, keeps, keeps, LookEvery: int.MaxValue, ClickRateOnly: true), seed: 0);
        varianceReduction = experiment.Run()[0].VarianceReduction;
        var both = new UnitMoments();
        for (var arm = 0; arm < 2; arm++) both.Add(experiment.MomentsOf(0, arm));
        coming = both.Count / pool.Users;
        return Baseline.Of(ArmEstimate.Of(both));
    }

    private static StudyRow RowOf(string metric, SimulatedOutcome[] runs) => new(
        metric, Share(runs, o => o.FixedPValue < Alpha), Share([.. runs.Where(o => !double.IsNaN(o.NaivePValue))], o => o.NaivePValue < Alpha),
        Share(runs, o => o.CupedPValue < Alpha), Share(runs, o => o.PeekedFixed), Share(runs, o => o.Sequential), Share(runs, o => o.Covered),
        Share(runs, o => o.CoveredAlways), Share(runs, o => o.GuardedAtUsers > 0), runs.Average(o => o.VarianceReduction),
        Variance([.. runs.Select(o => o.CupedDifference)]) / Variance([.. runs.Select(o => o.PlainDifference)]),
        Median([.. runs.Where(o => o.Sequential).Select(o => (double)o.StoppedAtUsers)]),
        Median([.. runs.Where(o => o.GuardedAtUsers > 0).Select(o => (double)o.GuardedAtUsers)]));

    private static RunShare Share<T>(T[] runs, Func<T, bool> happened) => new(runs.Count(happened), runs.Length);

    private static double Variance(double[] values)
    {
        var mean = values.Average();
        return values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1);
    }

    private static double Median(List<double> values)
    {
        if (values.Count == 0) return double.NaN;
        values.Sort();
        return values[values.Count / 2];
    }
}
