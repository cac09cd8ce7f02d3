using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-estimate</c>: how often the intervals of off-policy estimates hold the truth.</summary>
internal static class EstimateBench
{
    public static Command Create()
    {
        var command = new Command("ab-estimate", "Off-policy estimates on simulated users, again and again: how often the 95 % interval of each estimator holds the true click rate of the ranking.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var runs = new Option<int>("--runs") { Description = "Logs for each ranking, with consecutive seeds", DefaultValueFactory = _ => 40 };
        var requests = new Option<int>("--requests") { Description = "Requests of a log", DefaultValueFactory = _ => 6_000 };
        foreach (var option in (Option[])[runs, requests]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var (times, of) = (parse.GetValue(runs), parse.GetValue(requests));
            if (times is < 2 or > 100_000) throw new FormatException($"--runs is {times}; allowed is 2 to 100000");
            if (of is < 100 or > 10_000_000) throw new FormatException($"--requests is {of}; allowed is 100 to 10000000");
            var seed = common.Load(parse).Node.Seed;
            var clock = Stopwatch.StartNew();
            var found = await ProgressView.ComputeAsync($"{OffPolicyTrial.Models.Count} x {times} logs", common.Json(parse), progress =>
            {
                var done = 0;
                return OffPolicyTrial.Models.ToDictionary(m => m, m =>
                {
                    var results = new OffPolicyResult[times];
                    Parallel.For(0, times, new ParallelOptions { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount }, r =>
                    {
                        results[r] = OffPolicyTrial.Run(m, of, seed + r, cancel);
                        progress?.Invoke((double)Interlocked.Increment(ref done) / (times * OffPolicyTrial.Models.Count));
                    });
                    return results;
                });
            }, cancel).ConfigureAwait(false);
            if (common.Json(parse)) Json(found, of, seed, clock.Elapsed.TotalSeconds);
            else Print(found);
            return 0;
        }));
        return command;
    }

    private static void Json(IReadOnlyDictionary<string, OffPolicyResult[]> found, int requests, long seed, double seconds) => JsonLine.Print(
    [
        ("counts", "covered: share of the logs whose 95 % interval, users as the independent units, holds the ranking's true click rate on the log's own requests; width: of the interval, over the truth"),
        ("models", found.Select(pair => (object)new Dictionary<string, object?>
        {
            ["model"] = pair.Key, ["truth"] = Math.Round(pair.Value.Average(r => r.Truth), 5), ["logged"] = Math.Round(pair.Value.Average(r => r.Logged), 5),
            ["estimators"] = OffPolicyInterval.Estimators.Select((name, e) => (object)new Dictionary<string, object?>
            {
                ["estimator"] = name, ["covered"] = Covered(pair.Value, e), ["bias"] = Math.Round(pair.Value.Average(r => r.Estimates[e].Value / r.Truth - 1), 4), ["width"] = Math.Round(Width(pair.Value, e), 3),
            }).ToArray(),
        }).ToArray()),
        ("runs", found.Values.First().Length), ("requests", requests), ("seed", seed), ("seconds", seconds), ("hardware", Machine.Hardware),
    ]);

    private static double Covered(OffPolicyResult[] results, int estimator) => (double)results.Count(r => r.Estimates[estimator].Holds(r.Truth)) / results.Length;

    private static double Width(OffPolicyResult[] results, int estimator) => results.Average(r => (r.Estimates[estimator].High - r.Estimates[estimator].Low) / r.Truth);

    private static void Print(IReadOnlyDictionary<string, OffPolicyResult[]> found)
    {
        var table = new Table().Border(TableBorder.Rounded).Title("share of 95 % intervals that hold the truth (width over the truth)").AddColumn("ranking");
        foreach (var name in OffPolicyInterval.Estimators) table.AddColumn(name);
        foreach (var (model, results) in found)
            table.AddRow([model, .. OffPolicyInterval.Estimators.Select((_, e) => FormattableString.Invariant($"{Covered(results, e):0.000} ({Width(results, e):0.00})"))]);
        Tables.Terminal().Write(table);
    }
}
