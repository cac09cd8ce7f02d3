using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Core.Settings;
using Streaming.Evaluation.Freshness;

namespace Streaming.Host.Cli;

/// <summary><c>freshness-curve</c>: what it is worth to synchronise the serving model more often.</summary>
internal static class FreshnessVerb
{
    public static Command Create()
    {
        var command = new Command(
            "freshness-curve", "Quality against sync interval: one learner learns every example at once, and copies of it serve that are synchronised never, "
                + "every 5 h, 1 h, 30 min, 1 min, 1 s (event time), or with every example. All are scored on the same examples, after a warm-up.");
        var data = new Option<string>("--data") { Description = $"Data set: {DataOptions.Help}; or '{FreshnessRunner.Simulator}': simulated users who drift", HelpName = "DATA", Required = true };
        var model = new Option<string>("--model") { Description = "ftrl: the live ranker, for data with labels; transitions or popularity: the next click among all items, for streams of clicks", HelpName = "NAME", DefaultValueFactory = _ => "ftrl" };
        var warmUp = new Option<double>("--warm-up") { Description = "Share of the events (on the simulator: of the time) before scoring starts", DefaultValueFactory = _ => 0.2 };
        var seeds = new Option<int>("--seeds") { Description = "Simulator only: runs, with consecutive seeds, for the error bars; on recorded data they come from the users of one run", DefaultValueFactory = _ => 5 };
        var hours = new Option<double>("--hours") { Description = "Simulator only: event time of a run", DefaultValueFactory = _ => 30 };
        var svg = new Option<string?>("--svg") { Description = "Draw the curve into this file", HelpName = "FILE" };
        foreach (var option in (Option[])[data, model, warmUp, seeds, hours, svg]) command.Options.Add(option);
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var roots = new DataOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            // Simulated users click within the second; waiting longer for their clicks would make every model older than its interval.
            var named = parse.GetValue(data)!;
            var isSimulated = named == FreshnessRunner.Simulator;
            var settings = isSimulated
                ? common.Load(parse, ("Users:AttributionWindowMs", "1000"), ("Users:LateWindowMs", "0"), ("Learning:FtrlBits", "18"))
                : common.Load(parse);
            var place = isSimulated ? named : roots.Roots(parse).Locate(named).Path;
            var what = new FreshnessCase(place, parse.GetValue(model)!, parse.GetValue(seeds), parse.GetValue(warmUp), parse.GetValue(hours));
            return RunAsync(what, settings, parse.GetValue(svg), common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(FreshnessCase what, StreamingSettings settings, string? svg, bool json, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var curve = await ProgressView.RunAsync(
            $"{what.Model} on {Path.GetFileName(what.Data)}", json, progress => Task.Run(() => FreshnessRunner.Run(what, settings, progress, cancel), cancel)).ConfigureAwait(false);
        if (svg is not null) await File.WriteAllTextAsync(svg, CurvePlot.Svg(curve), cancel).ConfigureAwait(false);
        if (!json) Print(curve);
        var figures = new List<(string, object?)>
        {
            ("data", curve.Data), ("model", curve.Model), ("scored", curve.Scored), ("error_bars", curve.ErrorBars), ("seeds", curve.Seeds),
            ("warm_up", what.WarmUp),
        };
        foreach (var figure in curve.Figures) figures.Add(("monotone_" + figure.Metric, figure.IsMonotone));
        figures.Add(("points", curve.Intervals.Select((interval, i) => Point(curve, i)).ToList()));
        figures.AddRange([("seconds", clock.Elapsed.TotalSeconds), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware)]);
        if (json) JsonLine.Print(figures);
        return 0;
    }

    private static Dictionary<string, object?> Point(FreshnessCurve curve, int i)
    {
        var point = new Dictionary<string, object?> { ["interval"] = curve.Intervals[i].Name, ["syncs"] = curve.Syncs[i] };
        foreach (var figure in curve.Figures)
        {
            var (value, step) = (figure.Values[i], figure.Steps[i]);
            point[figure.Metric] = Number(value.Estimate);
            point[figure.Metric + "_low"] = Number(value.Low);
            point[figure.Metric + "_high"] = Number(value.High);
            point[figure.Metric + "_gain"] = Number(step.Estimate);
            point[figure.Metric + "_gain_low"] = Number(step.Low);
            point[figure.Metric + "_gain_high"] = Number(step.High);
        }
        return point;
    }

    private static object? Number(double value) => double.IsFinite(value) ? Math.Round(value, 6) : null;

    private static void Print(FreshnessCurve curve)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(Markup.Escape($"{curve.Model} on {curve.Data}; {curve.ErrorBars}"))
            .AddColumn("sync").AddColumn(new TableColumn("syncs").RightAligned());
        foreach (var figure in curve.Figures)
            table.AddColumn(figure.Metric).AddColumn("gain on the line above");
        for (var i = 0; i < curve.Intervals.Count; i++)
        {
            var at = i;
            string[] row =
            [
                curve.Intervals[i].Name, Tables.Text(curve.Syncs[i]),
                .. curve.Figures.SelectMany(f => new[] { Bar(f.Values[at]), at == 0 ? "" : Bar(f.Steps[at]) }),
            ];
            table.AddRow([.. row.Select(Markup.Escape)]);
        }
        Tables.Terminal().Write(table);
        foreach (var figure in curve.Figures)
            Console.WriteLine($"{figure.Metric}: {(figure.IsMonotone ? "no fresher model is worse beyond its error bar" : "a fresher model is worse beyond its error bar")}");
    }

    private static string Bar(Evaluation.Metrics.Interval value) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{value.Estimate:0.0000} [{value.Low:0.0000}, {value.High:0.0000}]");
}
