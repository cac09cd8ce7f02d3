using System.CommandLine;
using System.Diagnostics;
using Streaming.Simulation;

namespace Streaming.Host.Cli;

/// <summary><c>soak</c>: tests that go on for as long as they are asked to.</summary>
internal static class SoakVerb
{
    private const int ShownMax = 20;

    public static Command Create()
    {
        var command = new Command("soak", "Tests that go on for as long as they are asked to.");
        command.Subcommands.Add(Simulated());
        return command;
    }

    private static Command Simulated()
    {
        var command = new Command(
            "simulation", "The whole node on virtual time, one seed after another: lost and doubled requests, slow and failing disks, clocks set back, crashes at any "
                + "await, damaged checkpoints. Exits with 1 if an invariant broke; --from N --seeds 1 does seed N again.");
        var seeds = new Option<int>("--seeds") { Description = "Consecutive seeds", DefaultValueFactory = _ => 100 };
        var from = new Option<ulong>("--from") { Description = "The first seed", DefaultValueFactory = _ => 1 };
        var threads = new Option<int>("--threads") { Description = "Seeds under way at a time", DefaultValueFactory = _ => Environment.ProcessorCount };
        var trace = new Option<FileInfo?>("--trace") { Description = "Writes every step of the seeds to a file; for one thread", HelpName = "FILE" };
        foreach (var option in (Option[])[seeds, from, threads, trace]) command.Options.Add(option);
        var common = new CommonOptions(hasNode: false).AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var count = parse.GetValue(seeds);
            if (count is < 1 or > 10_000_000) throw new FormatException($"--seeds is {count}; allowed is 1 to 10000000");
            using var file = parse.GetValue(trace) is { } path ? path.CreateText() : null;
            var options = new SimulationOptions(Watch: file is null ? null : file.WriteLine);
            return RunAsync(parse.GetValue(from), count, file is null ? parse.GetValue(threads) : 1, options, common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(ulong from, int seeds, int threads, SimulationOptions options, bool json, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var shown = 0;
        var done = 0;
        var results = await ProgressView.RunAsync($"{seeds} seeds", json, progress => Task.Run(() => Soak.Run(from, seeds, threads, options, result =>
        {
            progress?.Invoke((double)++done / seeds);
            if (result.Violations.Count == 0 || shown++ >= ShownMax) return;
            Console.Error.WriteLine($"seed {result.Seed}: {string.Join("\n  ", result.Violations)}");
        }, cancel))).ConfigureAwait(false);
        var failed = results.Where(r => r.Violations.Count > 0).Select(r => r.Seed).ToArray();
        var figures = new (string, object?)[]
        {
            ("counts", "a seed: a node's own code with clients and faults until all is acknowledged, then every invariant checked, a restart, and an undisturbed run of the same log"),
            ("from", from), ("seeds", seeds), ("failed", failed.Length), ("failed_seeds", failed.Take(ShownMax).ToArray()), ("seconds", clock.Elapsed.TotalSeconds),
            ("virtual_seconds", results.Sum(r => r.VirtualSeconds)), ("steps", results.Sum(r => r.Steps)), ("acknowledged", results.Sum(r => (long)r.Acknowledged)),
            ("resent", results.Sum(r => (long)r.Resent)), ("applied", results.Sum(r => r.Applied)), ("examples", results.Sum(r => r.Examples)),
            ("lists", results.Sum(r => (long)r.Lists)), ("lookups", results.Sum(r => (long)r.Lookups)), ("crashes", results.Sum(r => r.Crashes)),
            ("power_cuts", results.Sum(r => r.PowerCuts)), ("stops", results.Sum(r => r.Stops)), ("fallbacks", results.Sum(r => r.Fallbacks)),
            ("disk_failures", results.Sum(r => r.Failures)), ("trace", $"{results.Aggregate(0UL, (hash, r) => Core.Ids.StableHash.Combine(hash, r.Trace)):x16}"),
        };
        if (json) JsonLine.Print(figures);
        else Tables.Print("simulation", figures);
        return failed.Length == 0 ? 0 : 1;
    }
}
