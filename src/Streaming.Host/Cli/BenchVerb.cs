using System.CommandLine;
using Streaming.Learning.Benchmarks;

namespace Streaming.Host.Cli;

/// <summary><c>bench</c>: what the parts and the whole can do on this machine. Every figure says what it counts.</summary>
internal static class BenchVerb
{
    public static Command Create()
    {
        var command = new Command("bench", "Measure this machine; what each figure counts is written beside it.");
        command.Subcommands.Add(Pipeline());
        command.Subcommands.Add(Lookup());
        command.Subcommands.Add(Ftrl());
        command.Subcommands.Add(TrainBench.Create());
        command.Subcommands.Add(IndexBench.Create());
        command.Subcommands.Add(FrequencyBench.Create());
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
        foreach (var option in (Option[])[seconds, rate, events, connections]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => LookupBench.RunAsync(
            common.Load(parse), parse.GetValue(seconds), parse.GetValue(rate), parse.GetValue(events), parse.GetValue(connections), common.Json(parse), cancel)));
        return command;
    }

    private static Command Ftrl()
    {
        var command = new Command("ftrl", "FTRL examples per second on one core: predict, then learn.");
        var common = new CommonOptions().AddTo(command);
        var examples = new Option<long>("--examples") { Description = "Examples", DefaultValueFactory = _ => 3_000_000 };
        var features = new Option<int>("--features") { Description = "Features per example", DefaultValueFactory = _ => 20 };
        foreach (var option in (Option[])[examples, features]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var settings = common.Load(parse);
            var result = FtrlBench.Run(parse.GetValue(examples), parse.GetValue(features), settings.Node.Seed);
            var figures = new (string, object?)[]
            {
                ("counts", "one thread; each example is predicted and then learned; hashed features of a skewed vocabulary, made before the clock starts"),
                ("examples", result.Examples), ("features", result.Features), ("seconds", result.Seconds), ("examples_per_s", result.ExamplesPerSecond),
                ("logloss", result.LogLoss), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            };
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("FTRL", figures);
            return Task.FromResult(0);
        }));
        return command;
    }
}
