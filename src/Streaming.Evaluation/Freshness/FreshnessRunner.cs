using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Freshness;

/// <summary>What to measure.</summary>
/// <param name="Data">A data set's file or folder, or <see cref="FreshnessRunner.Simulator"/>.</param>
/// <param name="Model">One of <see cref="FreshnessRunner.Models"/>.</param>
/// <param name="Seeds">Runs on the simulator; on recorded data the error bars come from one run's users.</param>
/// <param name="WarmUp">Share of the events (on the simulator: of the time), in (0, 1), after which the copies are synchronised and scoring starts.</param>
/// <param name="Hours">Event time of a simulated run.</param>
public sealed record FreshnessCase(string Data, string Model, int Seeds = 5, double WarmUp = 0.2, double Hours = 30);

/// <summary>Measures what freshness is worth: one learner that learns every example at once, and copies that serve, each as stale as its interval.</summary>
public static class FreshnessRunner
{
    /// <summary>Stands for the simulated users in the place of a data set.</summary>
    public const string Simulator = "simulator";

    /// <summary>
    /// "ftrl" (the live ranker with its embeddings and item statistics, for examples with labels), "transitions" and "popularity" (next click
    /// among all items, for streams of clicks).
    /// </summary>
    public static IReadOnlyList<string> Models { get; } = ["ftrl", "transitions", "popularity"];

    /// <exception cref="FormatException">The case is unsound.</exception>
    /// <exception cref="DataSetException">The data set cannot be read, or does not fit the model.</exception>
    public static FreshnessCurve Run(FreshnessCase what, StreamingSettings settings, Action<double>? progress = null, CancellationToken cancel = default)
    {
        Check(what);
        var intervals = SyncInterval.All;
        if (what.Data != Simulator)
        {
            var set = DataSets.DataSets.Open(what.Data);
            IFreshnessRun run = what.Model == "ftrl"
                ? new RecordedRanking(set, settings, intervals, what.WarmUp, progress, cancel)
                : new NextClicks(set, what.Model == "transitions", settings, intervals, what.WarmUp, progress, cancel);
            if (run.Scored == 0) throw new DataSetException(set.Files[0], 0, "has nothing to score after the warm-up");
            return new FreshnessCurve(set.Name, what.Model, intervals, run.Syncs, FreshnessBars.OverUsers(run, intervals.Count, settings.Node.Seed), run.Scored,
                $"95 % bootstrap over {run.Users} users", 1);
        }
        var runs = new IFreshnessRun[what.Seeds];
        var done = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancel };
        Parallel.For(0, runs.Length, parallel, s =>
        {
            var seeded = settings with { Node = settings.Node with { Seed = settings.Node.Seed + s } };
            runs[s] = new SimulatedRanking(
                AudienceSettings.Drifting, seeded, intervals, (long)(what.Hours * 3_600_000), what.WarmUp, rankEvery: 8, cancel);
            progress?.Invoke(Interlocked.Increment(ref done) / (double)runs.Length);
        });
        return new FreshnessCurve(Simulator, what.Model, intervals, runs[0].Syncs, FreshnessBars.OverSeeds(runs, intervals.Count), runs.Sum(r => r.Scored),
            $"95 % t interval over {runs.Length} seeds", runs.Length);
    }

    private static void Check(FreshnessCase what)
    {
        if (!Models.Contains(what.Model)) throw new FormatException($"--model is '{what.Model}'; allowed are {string.Join(", ", Models)}");
        if (what.Data == Simulator && what.Model != "ftrl") throw new FormatException("the simulator shows lists at random, which only the model ftrl learns from");
        if (what.Data == Simulator && what.Seeds is < 2 or > 1000) throw new FormatException($"--seeds is {what.Seeds}; allowed is 2 to 1000");
        if (what.WarmUp is not (> 0 and < 1)) throw new FormatException($"--warm-up is {what.WarmUp}; it must be between 0 and 1");
        if (what.Hours is not (> 0 and <= 10_000)) throw new FormatException($"--hours is {what.Hours}; allowed is up to 10000");
    }
}
