using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Streaming.Evaluation.Experiments;
using Streaming.Experiments.Inference;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-aa</c>: whether the statistics of experiments keep what they promise, on simulated users.</summary>
internal static class AbStudyBench
{
    private const double Planted = 0.03;

    /// <summary>Shares of the time after which the pool is there, the experiments without a difference are done, and those with one.</summary>
    private const double PoolDone = 0.1, SameDone = 0.5, PowerDone = 0.7;

    public static Command Create()
    {
        var command = new Command(
            "ab-aa", "Experiments on simulated users by the thousand: false positives without a difference, power with a planted one, CUPED, the sample-ratio alarm; "
                + "exits with 1 where a promise is broken.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var runs = new Option<int>("--runs") { Description = "A/A experiments", DefaultValueFactory = _ => 2_000 };
        var users = new Option<int>("--users") { Description = "Users of an A/A experiment", DefaultValueFactory = _ => 4_000 };
        var pool = new Option<int>("--pool") { Description = "Users there are to draw from", DefaultValueFactory = _ => 40_000 };
        var pages = new Option<double>("--pages") { Description = "Pages per user, on average; a third of them before the experiment", DefaultValueFactory = _ => 12 };
        foreach (var option in (Option[])[runs, users, pool, pages]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var seed = common.Load(parse).Node.Seed;
            var plan = new Plan(parse.GetValue(runs), parse.GetValue(users), parse.GetValue(pool), parse.GetValue(pages), seed);
            if (plan.Runs is < 10 or > 1_000_000) throw new FormatException($"--runs is {plan.Runs}; allowed is 10 to 1000000");
            if (plan.Pool is < 400 or > 10_000_000) throw new FormatException($"--pool is {plan.Pool}; allowed is 400 to 10000000");
            if (plan.Users < 400 || plan.Users > plan.Pool) throw new FormatException($"--users is {plan.Users}; allowed is 400 to {plan.Pool}, the pool");
            if (plan.Pages is not (>= 3 and <= 1_000)) throw new FormatException($"--pages is {plan.Pages}; allowed is 3 to 1000");
            return RunAsync(plan, common.Json(parse), cancel);
        }));
        return command;
    }

    private sealed record Plan(int Runs, int Users, int Pool, double Pages, long Seed);

    private static async Task<int> RunAsync(Plan plan, bool json, CancellationToken cancel)
    {
        var (same, figures, broken) = await ProgressView.ComputeAsync("experiments", json, progress => Measure(plan, progress, cancel), cancel).ConfigureAwait(false);
        if (json) JsonLine.Print(figures);
        else
        {
            Print(same);
            Tables.Print("experiments on simulated users", figures.Where(f => !f.Item1.StartsWith("aa_", StringComparison.Ordinal)));
        }
        return broken == 0 ? 0 : 1;
    }

    private static (Study Same, List<(string, object?)> Figures, int Broken) Measure(Plan plan, Action<double>? progress, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        // Where a bar is shown, lines would break it.
        void Say(string what)
        {
            if (progress is null) Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: done at {clock.Elapsed.TotalSeconds:0} s"));
        }
        var pool = AudiencePool.Of(plan.Pool, plan.Pages, 1 / 3.0, plan.Seed, cancel, progress.Part(0, PoolDone));
        Say($"{plan.Pool} simulated users, {pool.Pages.Count} pages");
        var same = SimulatedStudies.Run(pool, new SimulatedPlan(plan.Users), plan.Runs, plan.Seed, cancel, progress.Part(PoolDone, SameDone));
        Say($"{plan.Runs} experiments without a difference");
        List<(string, object?)> figures =
        [
            ("counts", "an experiment: users drawn from simulated ones with all their pages, halved by hash; tests at 5 %, sample-ratio alarm at 0.1 %"),
            ("runs", plan.Runs), ("users", plan.Users), ("pages", pool.Pages.Count), ("seed", plan.Seed),
        ];
        var (low, high) = BinomialBand.Of(plan.Runs, 0.05);
        figures.AddRange([("band_low", low), ("band_high", high)]);
        foreach (var row in same.Metrics) figures.AddRange(AaFigures(row));
        figures.AddRange([("aa_ctr_sequential_plain_every_page", same.PlainSequential.Value), ("aa_sample_ratio", same.SampleRatio.Value)]);
        var powered = Power(pool, plan, figures, Say, progress, cancel);
        Alarms(plan, figures);
        // The wrong peers, and CUPED's gain, are told; promises are these.
        var broken = same.Metrics.Where(r => r.Fixed.Value < low || r.Fixed.Value > high).Select(r => $"{r.Metric}: {r.Fixed.Value:0.####} of fixed tests, not {low:0.####} to {high:0.####}")
            .Concat(same.Metrics.Where(r => r.Sequential.Value > 0.05).Select(r => $"{r.Metric}: {r.Sequential.Value:0.####} of sequential tests"))
            .Concat(same.PlainSequential.Value > 0.05 ? ["ctr, every page: sequential test above 5 %"] : [])
            .Concat(same.SampleRatio.Value > BinomialBand.Of(plan.Runs, SampleRatio.Alpha).High ? [$"sample-ratio alarm in {same.SampleRatio.Value:0.####}"] : [])
            .Concat(powered).ToList();
        figures.AddRange([("broken", broken.ToArray()), ("seconds", clock.Elapsed.TotalSeconds), ("hardware", Machine.Hardware)]);
        return (same, figures, broken.Count);
    }

    private static IEnumerable<(string, object?)> AaFigures(StudyRow row)
    {
        var at = "aa_" + row.Metric;
        yield return (at + "_fixed", row.Fixed.Value);
        yield return (at + "_cuped", row.Cuped.Value);
        yield return (at + "_naive", row.Naive.Value);
        yield return (at + "_fixed_peeked", row.PeekedFixed.Value);
        yield return (at + "_sequential", row.Sequential.Value);
        yield return (at + "_cuped_variance_less", 1 - row.CupedVarianceRatio);
        yield return (at + "_cuped_variance_less_estimated", row.VarianceReduction);
    }

    /// <summary>Experiments with a click rate that is 3 % higher, of as many users as the plan asks for.</summary>
    private static List<string> Power(AudiencePool pool, Plan plan, List<(string, object?)> figures, Action<string> say, Action<double>? progress, CancellationToken cancel)
    {
        var keeps = 1 / (1 + Planted);
        var baseline = SimulatedStudies.ClickRateOf(pool, keeps, out var reduction, out var coming);
        var power = new PowerPlan();
        var cuped = power with { VarianceReduction = reduction };
        // Not everybody who is drawn comes; the plan counts those who do.
        var users = Math.Min(plan.Pool, (int)Math.Ceiling(cuped.UsersFor(baseline, Planted) / coming));
        var runs = Math.Max(10, plan.Runs / 4);
        var found = SimulatedStudies.Run(pool, new SimulatedPlan(users, ControlKeeps: keeps, ClickRateOnly: true), runs, plan.Seed + 1, cancel, progress.Part(SameDone, PowerDone));
        say($"{runs} experiments of {users} users with {Planted:P0} planted");
        var (low, high) = BinomialBand.Of(runs, cuped.PowerFor(baseline, Planted, found.MeanUsers));
        var ctr = found.Metrics[0];
        figures.AddRange(
        [
            ("power_ctr", baseline.Value), ("power_user_deviation", Math.Sqrt(baseline.UserVariance)), ("power_users_plain", power.UsersFor(baseline, Planted)),
            ("power_users_cuped", cuped.UsersFor(baseline, Planted)), ("power_runs", runs), ("power_users_mean", found.MeanUsers),
            ("power_computed_cuped", cuped.PowerFor(baseline, Planted, found.MeanUsers)), ("power_observed_cuped", ctr.Cuped.Value),
            ("power_computed_plain", power.PowerFor(baseline, Planted, found.MeanUsers)), ("power_observed_plain", ctr.Fixed.Value),
            ("power_band_low", low), ("power_band_high", high), ("power_interval_covers", ctr.Covered.Value),
        ]);
        var sequentialUsers = (int)Math.Ceiling(cuped.UsersForSequential(baseline, Planted) / coming);
        var looked = SimulatedStudies.Run(pool, new SimulatedPlan(Math.Min(plan.Pool, sequentialUsers), ControlKeeps: keeps, ClickRateOnly: true), runs, plan.Seed + 2, cancel, progress.Part(PowerDone, 1));
        say($"{runs} experiments of {sequentialUsers} users, looked at all the time");
        figures.AddRange(
        [
            ("power_users_sequential", cuped.UsersForSequential(baseline, Planted)), ("power_users_sequential_mean", looked.MeanUsers), ("power_observed_sequential", looked.Metrics[0].Sequential.Value),
            ("power_median_users_at_stop", looked.Metrics[0].MedianUsersAtStop), ("power_interval_covers_always", looked.Metrics[0].CoveredAlways.Value),
        ]);
        List<string> broken = [];
        if (ctr.Cuped.Value < low || ctr.Cuped.Value > high) broken.Add($"power {ctr.Cuped.Value:0.####}, not {low:0.####} to {high:0.####}");
        if (sequentialUsers <= plan.Pool && looked.Metrics[0].Sequential.Value < BinomialBand.Of(runs, 0.8).Low) broken.Add($"sequential power {looked.Metrics[0].Sequential.Value:0.####}");
        if (looked.Metrics[0].CoveredAlways.Value < 0.95) broken.Add($"sequential intervals cover in {looked.Metrics[0].CoveredAlways.Value:0.####}");
        return broken;
    }

    private static void Alarms(Plan plan, List<(string, object?)> figures)
    {
        var runs = Math.Max(10, plan.Runs / 4);
        foreach (var lost in (double[])[0, 0.02, 0.05, 0.1])
        {
            var (alarms, median) = SimulatedStudies.SampleRatioAlarms(40_000, lost, runs, plan.Seed);
            figures.AddRange([($"sample_ratio_lost_{lost * 100:0}pc_of_40000", alarms.Value), ($"sample_ratio_lost_{lost * 100:0}pc_median_users", median)]);
        }
    }

    private static void Print(Study same)
    {
        var table = new Table().Border(TableBorder.Rounded).Title("false positives without a difference, nominal 5 %");
        foreach (var name in (string[])["metric", "fixed", "with CUPED", "per impression", "fixed, peeking", "sequential, peeking", "variance less"]) table.AddColumn(name);
        foreach (var row in same.Metrics)
            table.AddRow(row.Metric, Tables.Text(row.Fixed.Value), Tables.Text(row.Cuped.Value), Tables.Text(row.Naive.Value), Tables.Text(row.PeekedFixed.Value),
                Tables.Text(row.Sequential.Value), Tables.Text(1 - row.CupedVarianceRatio));
        Tables.Terminal().Write(table);
    }
}
