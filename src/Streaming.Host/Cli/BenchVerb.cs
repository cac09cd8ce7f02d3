using System.CommandLine;
using Streaming.Learning.Benchmarks;
using Streaming.Models.Benchmarks;
using Streaming.Tensors;

namespace Streaming.Host.Cli;

/// <summary><c>bench</c>: what the parts and the whole can do on this machine. Every figure says what it counts.</summary>
internal static class BenchVerb
{
    public static Command Create()
    {
        var command = new Command("bench", "Measure this machine; what each figure counts is written beside it.");
        command.Subcommands.Add(Pipeline());
        command.Subcommands.Add(Lookup());
        command.Subcommands.Add(OverloadBench.Create());
        command.Subcommands.Add(Ftrl());
        command.Subcommands.Add(AssignBench.Create());
        command.Subcommands.Add(SoakTensors());
        command.Subcommands.Add(TrainBench.Create());
        command.Subcommands.Add(RankBenchVerb.Create());
        command.Subcommands.Add(RecallBenchVerb.Create());
        command.Subcommands.Add(IndexBench.Create());
        command.Subcommands.Add(FrequencyBench.Create());
        command.Subcommands.Add(IsolationBench.Create());
        command.Subcommands.Add(InterleavingBench.Create());
        command.Subcommands.Add(AbStudyBench.Create());
        command.Subcommands.Add(GuardRailBench.Create());
        command.Subcommands.Add(EstimateBench.Create());
        command.Subcommands.Add(RebalanceBench.Create());
        return command;
    }

    private static Command Pipeline()
    {
        var command = new Command("pipeline", "Events per second through the whole path: parse, append, join, learn, refresh on click, cache.");
        var common = new CommonOptions().AddTo(command);
        var events = new Option<int>("--events") { Description = "Events to push", DefaultValueFactory = _ => 1_000_000 };
        var users = new Option<int>("--users") { Description = "Distinct users", DefaultValueFactory = _ => 20_000 };
        var items = new Option<int>("--items") { Description = "Catalogue", DefaultValueFactory = _ => 2_000 };
        foreach (var option in (Option[])[events, users, items]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => PipelineBench.RunAsync(
            common.Load(parse), parse.GetValue(events), parse.GetValue(users), parse.GetValue(items), common.Json(parse), cancel)));
        return command;
    }

    private static Command Lookup()
    {
        var command = new Command("lookup", "Look-ups per second and their latency over real sockets, while events stream in.");
        var common = new CommonOptions().AddTo(command);
        var seconds = new Option<int>("--seconds") { Description = "Length of the measurement", DefaultValueFactory = _ => 20 };
        var rate = new Option<int>("--rate") { Description = "Look-ups per second offered", DefaultValueFactory = _ => 20_000 };
        var events = new Option<int>("--events-per-s") { Description = "Events per second posted meanwhile", DefaultValueFactory = _ => 5_000 };
        var connections = new Option<int>("--connections") { Description = "Keep-alive connections", DefaultValueFactory = _ => 32 };
        var withKey = new Option<bool>("--with-key") { Description = "The node asks for an API key, and every request brings one" };
        foreach (var option in (Option[])[seconds, rate, events, connections, withKey]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => LookupBench.RunAsync(
            common.Load(parse), parse.GetValue(seconds), parse.GetValue(rate), parse.GetValue(events), parse.GetValue(connections), parse.GetValue(withKey),
            common.Json(parse), cancel)));
        return command;
    }

    private static Command Ftrl()
    {
        var command = new Command("ftrl", "FTRL examples per second on one core: predict, then learn.");
        var common = new CommonOptions().AddTo(command);
        var examples = new Option<long>("--examples") { Description = "Examples", DefaultValueFactory = _ => 3_000_000 };
        var features = new Option<int>("--features") { Description = "Features per example", DefaultValueFactory = _ => 20 };
        foreach (var option in (Option[])[examples, features]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var settings = common.Load(parse);
            var result = await ProgressView.ComputeAsync(
                "FTRL", common.Json(parse), progress => FtrlBench.Run(parse.GetValue(examples), parse.GetValue(features), settings.Node.Seed, cancel, progress), cancel).ConfigureAwait(false);
            var figures = new (string, object?)[]
            {
                ("counts", "one thread; each example is predicted and then learned; hashed features of a skewed vocabulary, made before the clock starts"),
                ("examples", result.Examples), ("features", result.Features), ("seconds", result.Seconds), ("examples_per_s", result.ExamplesPerSecond),
                ("logloss", result.LogLoss), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            };
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("FTRL", figures);
            return 0;
        }));
        return command;
    }

    private static Command SoakTensors()
    {
        var command = new Command("soak-tensors", "Training steps on tensors, one after another: exits with 1 if resident memory grows beyond the bound.");
        var common = new CommonOptions().AddTo(command);
        var steps = new Option<long>("--steps") { Description = "Training steps", DefaultValueFactory = _ => 100_000 };
        var bound = new Option<int>("--bound-mib") { Description = "MiB that resident memory may grow", DefaultValueFactory = _ => 8 };
        foreach (var option in (Option[])[steps, bound]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            if (!TorchRuntime.TryLoad(out var reason)) throw new InvalidDataException(reason);
            var settings = common.Load(parse);
            TorchSharp.torch.set_num_threads(1);
            var result = await ProgressView.LineAsync(
                "steps", common.Json(parse), progress => TensorSoak.Run(parse.GetValue(steps), (ulong)settings.Node.Seed, Resident, cancel, progress), cancel).ConfigureAwait(false);
            var holds = result.Growth <= (long)parse.GetValue(bound) << 20;
            var figures = new (string, object?)[]
            {
                ("counts", "a step: forward, backward and update of a small network on 1 to 32 rows, with scopes, hand-overs and failures"),
                ("steps", result.Steps), ("seconds", result.Seconds), ("steps_per_s", result.Steps / result.Seconds),
                ("resident_mib", result.Held.Select(bytes => Math.Round(bytes / 1048576.0, 1)).ToArray()), ("growth_mib", result.Growth / 1048576.0),
                ("bound_mib", parse.GetValue(bound)), ("holds", holds), ("first_loss", result.FirstLoss), ("loss", result.Loss),
                ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            };
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("soak of tensors", figures);
            return holds ? 0 : 1;
        }));
        return command;
    }

    private static long Resident()
    {
        // What the finalizers have to free is freed; what is left is kept.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Environment.WorkingSet;
    }
}
