using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Evaluation.Experiments;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-guardrail</c>: how often, and how soon, guard-rails stop an arm that loses clicks, and one that does not.</summary>
internal static class GuardRailBench
{
    private static readonly double[] Losses = [0, 0.02, 0.05, 0.1, 0.2, 0.5];

    /// <summary>Share of the time after which the simulated users are there.</summary>
    private const double PoolDone = 0.2;

    public static Command Create()
    {
        var command = new Command("ab-guardrail", "Experiments on simulated users whose treatment loses clicks: how often, and after how many users, a guard-rail looked at all the time stops it; exits with 1 where it stops one that loses no more than allowed in over 5 %.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var runs = new Option<int>("--runs") { Description = "Experiments for each loss", DefaultValueFactory = _ => 500 };
        var users = new Option<int>("--users") { Description = "Users of an experiment", DefaultValueFactory = _ => 8_000 };
        var margin = new Option<double>("--margin") { Description = "Relative loss of the click rate that is allowed", DefaultValueFactory = _ => 0.02 };
        foreach (var option in (Option[])[runs, users, margin]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var (times, of, allowed) = (parse.GetValue(runs), parse.GetValue(users), parse.GetValue(margin));
            if (times is < 10 or > 1_000_000) throw new FormatException($"--runs is {times}; allowed is 10 to 1000000");
            if (of is < 400 or > 1_000_000) throw new FormatException($"--users is {of}; allowed is 400 to 1000000");
            if (allowed is not (>= 0 and < 1)) throw new FormatException($"--margin is {allowed}; it must be at least 0 and under 1");
            return RunAsync(times, of, allowed, common.Load(parse).Node.Seed, common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(int runs, int users, double margin, long seed, bool json, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var rows = await ProgressView.ComputeAsync($"{Losses.Length} x {runs} experiments", json, progress =>
        {
            var pool = AudiencePool.Of(Math.Max(users, 40_000), 12, 1 / 3.0, seed, cancel, progress.Part(0, PoolDone));
            return Losses.Select((loss, i) =>
            {
                var plan = new SimulatedPlan(users, TreatmentKeeps: 1 - loss, ClickRateOnly: true, GuardMargin: margin);
                var part = progress.Part(PoolDone, 1).Part((double)i / Losses.Length, (i + 1.0) / Losses.Length);
                return (Loss: loss, Row: SimulatedStudies.Run(pool, plan, runs, seed + i, cancel, part).Metrics[0]);
            }).ToList();
        }, cancel).ConfigureAwait(false);
        var isBroken = rows.Any(r => r.Loss <= margin && r.Row.Guarded.Value > 0.05);
        if (json)
            JsonLine.Print(
            [
                ("counts", "stopped: share of experiments whose treatment the guard-rail on the click rate stopped at any look, with CUPED; loss: part of the treatment's clicks that is dropped"),
                ("losses", rows.Select(r => (object)new Dictionary<string, object?>
                {
                    ["loss"] = r.Loss, ["stopped"] = r.Row.Guarded.Value, ["median_users"] = double.IsNaN(r.Row.MedianUsersAtGuard) ? null : r.Row.MedianUsersAtGuard,
                }).ToArray()),
                ("runs", runs), ("users", users), ("margin", margin), ("seed", seed), ("seconds", clock.Elapsed.TotalSeconds), ("hardware", Machine.Hardware),
            ]);
        else
        {
            var table = new Table().Border(TableBorder.Rounded).Title($"guard-rail with {margin:P0} allowed, {runs} experiments of up to {users} users each");
            table.AddColumns("treatment loses", "stopped", "median users by then");
            foreach (var (loss, row) in rows) table.AddRow($"{loss:P0}", $"{row.Guarded.Value:P1}", double.IsNaN(row.MedianUsersAtGuard) ? "" : Tables.Text(row.MedianUsersAtGuard));
            Tables.Terminal().Write(table);
        }
        return isBroken ? 1 : 0;
    }
}
