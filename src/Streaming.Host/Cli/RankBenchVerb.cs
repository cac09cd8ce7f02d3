using System.CommandLine;
using Streaming.Learning.Benchmarks;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Host.Cli;

/// <summary><c>bench rank</c>: latency of ranking one user's candidates, model by model, on one thread.</summary>
internal static class RankBenchVerb
{
    public static Command Create()
    {
        var command = new Command("rank", "Latency of ranking one user's candidates with the deep rankers of the live path, each on one thread: 20 past items, ten dense figures, rows already learned.");
        var common = new CommonOptions().AddTo(command);
        var all = new Option<bool>("--all") { Description = "Every ranker" };
        var models = new Option<string[]>("--model") { Description = "One of them; may be repeated", HelpName = "NAME" };
        models.AcceptOnlyFromAmong([.. RankBench.Models]);
        var calls = new Option<int>("--calls") { Description = "Lists ranked by each", DefaultValueFactory = _ => 500 };
        var candidates = new Option<int>("--candidates") { Description = "Items of a list", DefaultValueFactory = _ => 300 };
        foreach (var option in (Option[])[all, models, calls, candidates]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var wanted = parse.GetValue(all) ? RankBench.Models : parse.GetValue(models) ?? [];
            if (wanted.Count == 0) throw new FormatException($"needs --all, or --model of {string.Join(", ", RankBench.Models)}");
            if (parse.GetValue(calls) < 100 || parse.GetValue(candidates) < 1) throw new FormatException("needs --calls of 100 and --candidates of 1 at least");
            if (!TorchRuntime.TryLoad(out var reason)) throw new FormatException(reason);
            torch.set_num_threads(1);
            var seed = common.Load(parse).Node.Seed;
            var bench = new RankBench(seed);
            var found = await ProgressView.RunAsync("ranking", common.Json(parse), progress => Task.Run(() =>
            {
                var measured = new List<RankLatency>();
                foreach (var model in wanted)
                {
                    cancel.ThrowIfCancellationRequested();
                    progress?.Invoke((double)measured.Count / wanted.Count);
                    measured.Add(bench.Measure(model, parse.GetValue(calls), parse.GetValue(candidates)));
                }
                return measured;
            })).ConfigureAwait(false);
            Report(found, parse.GetValue(calls), parse.GetValue(candidates), seed, common.Json(parse));
            return 0;
        }));
        return command;
    }

    private static void Report(List<RankLatency> found, int calls, int candidates, long seed, bool json)
    {
        var figures = new List<(string, object?)> { ("counts", "one thread; rows found, pooled, and the network run, for one user's candidates at a time"), ("calls", calls), ("candidates", candidates) };
        foreach (var model in found)
            figures.AddRange([($"{model.Model}_p50_ms", model.P50Ms), ($"{model.Model}_p99_ms", model.P99Ms), ($"{model.Model}_max_ms", model.MaxMs)]);
        figures.AddRange([("seed", seed), ("hardware", Machine.Hardware)]);
        if (json) JsonLine.Print(figures);
        else Tables.Print("Ranking", figures);
    }
}
