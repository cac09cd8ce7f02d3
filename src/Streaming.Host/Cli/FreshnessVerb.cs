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
        var common = new CommonOptions().AddTo(command);
        var data = new Option<string>("--data") { Description = $"A data set's file or folder, or '{FreshnessRunner.Simulator}': simulated users who drift", HelpName = "PATH", Required = true };
        var model = new Option<string>("--model") { Description = $"{string.Join(", ", FreshnessRunner.Models)}: the live ranker for labelled examples, or the next click among all items", DefaultValueFactory = _ => "ftrl" };
        var seeds = new Option<int>("--seeds") { Description = "Runs on the simulator, for its error bars", DefaultValueFactory = _ => 5 };
        var svg = new Option<string?>("--svg") { Description = "Draw the curve into this file", HelpName = "FILE" };
        var warmUp = new Option<double>("--warm-up") { Description = "Share of the events before scoring starts", DefaultValueFactory = _ => 0.2 };
        var hours = new Option<double>("--hours") { Description = "Event time of a run on the simulator", DefaultValueFactory = _ => 30 };
        foreach (var option in (Option[])[data, model, seeds, svg, warmUp, hours]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            // Simulated users click within the second; waiting longer for their clicks would make every model older than its interval.
            var isSimulated = parse.GetValue(data) == FreshnessRunner.Simulator;
            var settings = isSimulated
                ? common.Load(parse, ("Users:AttributionWindowMs", "1000"), ("Users:LateWindowMs", "0"), ("Learning:FtrlBits", "18"))
                : common.Load(parse);
            var what = new FreshnessCase(parse.GetValue(data)!, parse.GetValue(model)!, parse.GetValue(seeds), parse.GetValue(warmUp), parse.GetValue(hours));
            return RunAsync(what, settings, parse.GetValue(svg), common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(FreshnessCase what, StreamingSettings settings, string? svg, bool json, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var curve = json
            ? await Task.Run(() => FreshnessRunner.Run(what, settings, null, cancel), cancel).ConfigureAwait(false)
            : await WithProgressAsync(progress => FreshnessRunner.Run(what, settings, progress, cancel)).ConfigureAwait(false);
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
        AnsiConsole.Write(table);
        foreach (var figure in curve.Figures)
            AnsiConsole.WriteLine($"{figure.Metric}: {(figure.IsMonotone ? "no fresher model is worse beyond its error bar" : "a fresher model is worse beyond its error bar")}");
    }

    private static string Bar(Evaluation.Metrics.Interval value) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{value.Estimate:0.0000} [{value.Low:0.0000}, {value.High:0.0000}]");

    private static Task<FreshnessCurve> WithProgressAsync(Func<Action<double>, FreshnessCurve> run) => AnsiConsole.Progress()
        .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(), new SpinnerColumn())
        .StartAsync(progress =>
        {
            var task = progress.AddTask("replaying", maxValue: 1);
            return Task.Run(() => run(share => task.Value = share));
        });
}
