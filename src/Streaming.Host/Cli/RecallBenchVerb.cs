using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Benchmarks;
using Streaming.Models.Deep;
using Streaming.Node.Deep;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Host.Cli;

/// <summary><c>bench recall</c>: latency of each recall channel by the size of the catalogue, on one thread.</summary>
internal static class RecallBenchVerb
{
    private const string Counts =
        "one thread; a channel finds candidates for one user after another, before filters; as many as its quota in the settings, times Feeds:RecallOverfetch; "
        + "users who mostly click what is popular in a category of their own; channels and models have learned before, and every item is in every index";

    private sealed record Point(int Items, double PreparedS, IReadOnlyList<RecallLatency> Channels);

    public static Command Create()
    {
        var command = new Command("recall", "Latency of each recall channel for one user, by the size of the catalogue; channels of deep models too, where there is libtorch.");
        var common = new CommonOptions().AddTo(command);
        var sizes = new Option<string>("--sizes") { Description = "Numbers of items, with commas", DefaultValueFactory = _ => "1500,100000" };
        var calls = new Option<int>("--calls") { Description = "Recalls by each channel", DefaultValueFactory = _ => 2000 };
        var models = new Option<string[]>("--model") { Description = "A model that recalls; may be repeated. All unless given", HelpName = "NAME" };
        models.AcceptOnlyFromAmong([.. FeedChannels.Retrieval]);
        var without = new Option<bool>("--no-models") { Description = "Leave the channels of deep models out" };
        foreach (var option in (Option[])[sizes, calls, models, without]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var counts = parse.GetValue(sizes)!.Split(',').Select(s => int.TryParse(s, out var n) && n is >= 100 and <= 1_000_000 ? n
                : throw new FormatException($"--sizes holds '{s}'; allowed are numbers from 100 to 1000000")).ToArray();
            if (parse.GetValue(calls) < 100) throw new FormatException("needs --calls of 100 at least");
            string[] wanted = parse.GetValue(without) ? [] : parse.GetValue(models) is { Length: > 0 } named ? named : [.. FeedChannels.Retrieval];
            if (wanted.Length > 0 && !TorchRuntime.TryLoad(out var reason)) throw new FormatException($"{reason}; --no-models leaves what needs it out");
            var settings = common.Load(parse);
            settings = (settings with { Deep = settings.Deep with { Models = wanted } }).Resolved();
            var points = await ProgressView.RunAsync("recalling", common.Json(parse), progress => Task.Run(() =>
            {
                if (wanted.Length > 0) torch.set_num_threads(1);
                var measured = new List<Point>();
                foreach (var size in counts)
                {
                    progress?.Invoke((double)measured.Count / counts.Length);
                    measured.Add(Measure(size, settings, parse.GetValue(calls), cancel));
                }
                return measured;
            })).ConfigureAwait(false);
            Report(points, parse.GetValue(calls), settings.Node.Seed, common.Json(parse));
            return 0;
        }));
        return command;
    }

    private static Point Measure(int items, StreamingSettings settings, int calls, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        using var bench = new RecallBench(
            items, settings, [.. settings.Deep.Models.Select(name => (name, (Func<IItemCatalog, IDeepModel>)(catalog => DeepZoo.Create(name, settings, catalog))))], cancel);
        var prepared = clock.Elapsed.TotalSeconds;
        var channels = new List<RecallLatency>();
        foreach (var channel in bench.Channels)
        {
            cancel.ThrowIfCancellationRequested();
            channels.Add(bench.Measure(channel, calls));
        }
        return new Point(items, prepared, channels);
    }

    private static void Report(List<Point> points, int calls, long seed, bool json)
    {
        if (json)
        {
            JsonLine.Print([("counts", Counts), ("calls", calls), ("points", points.Select(Figures).ToArray()), ("seed", seed), ("hardware", Machine.Hardware)]);
            return;
        }
        var table = new Table().Border(TableBorder.Rounded).Title("Recall").AddColumn("channel");
        foreach (var column in (string[])["items", "wanted", "found", "p50 us", "p99 us", "max us"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var (point, channel) in points.SelectMany(p => p.Channels.Select(c => (p, c))))
            table.AddRow(
                channel.Channel, Tables.Text((long)point.Items), Tables.Text((long)channel.Wanted), Tables.Text(Math.Round(channel.Found, 1)), Tables.Text(Math.Round(channel.P50Us, 1)),
                Tables.Text(Math.Round(channel.P99Us, 1)), Tables.Text(Math.Round(channel.MaxUs, 1)));
        Tables.Terminal().Write(table);
        Console.WriteLine($"{Counts}; {Machine.Hardware}");
    }

    private static Dictionary<string, object> Figures(Point point) => new()
    {
        ["items"] = point.Items, ["prepared_s"] = Math.Round(point.PreparedS, 1),
        ["channels"] = point.Channels.ToDictionary(c => c.Channel, c => new Dictionary<string, double>
        {
            ["wanted"] = c.Wanted, ["found"] = Math.Round(c.Found, 1), ["p50_us"] = Math.Round(c.P50Us, 1), ["p99_us"] = Math.Round(c.P99Us, 1), ["max_us"] = Math.Round(c.MaxUs, 1),
        }),
    };
}
