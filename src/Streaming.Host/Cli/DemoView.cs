using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments.Splitting;
using Streaming.Node;

namespace Streaming.Host.Cli;

/// <summary>The demo's terminal view, redrawn twice a second; a line every five seconds where there is no terminal.</summary>
internal static class DemoView
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    public static async Task ShowAsync(
        Task browsing, StreamingNode node, Audience audience, HttpAudience browser, Stopwatch clock, Uri address, int? seconds)
    {
        if (Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive)
        {
            await LinesAsync(browsing, node, audience, clock, address).ConfigureAwait(false);
            return;
        }
        await AnsiConsole.Live(new Text("starting...")).StartAsync(async live =>
        {
            while (!browsing.IsCompleted)
            {
                live.UpdateTarget(Render(node, audience, browser, clock, address, seconds));
                live.Refresh();
                await Task.WhenAny(browsing, Task.Delay(500)).ConfigureAwait(false);
            }
            live.UpdateTarget(Render(node, audience, browser, clock, address, seconds));
            await browsing.ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private static async Task LinesAsync(Task browsing, StreamingNode node, Audience audience, Stopwatch clock, Uri address)
    {
        Console.WriteLine($"live feed: {address}   dashboard: {address}dashboard");
        while (!browsing.IsCompleted)
        {
            await Task.WhenAny(browsing, Task.Delay(5_000)).ConfigureAwait(false);
            var status = node.Status();
            var report = audience.Report();
            var feeds = string.Join("  ", Feeds(report).Select(feed => $"{feed.Name} {Percent(DemoVerb.Recent(feed.Arm))}"));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{clock.Elapsed.TotalSeconds,5:0} s  events {status.Users.Applied,9:N0}  CTR {feeds}  click to list p99 {status.ClickToListMsP99:0} ms"));
        }
        await browsing.ConfigureAwait(false);
    }

    private static IRenderable Render(StreamingNode node, Audience audience, HttpAudience browser, Stopwatch clock, Uri address, int? seconds)
    {
        var status = node.Status();
        var report = audience.Report();
        var elapsed = clock.Elapsed.TotalSeconds;
        var grid = new Grid().AddColumn().AddColumn();
        void Row(string name, string value) => grid.AddRow(new Text(name, new Style(Color.Grey)), new Text(value));
        Row("node", $"{address}  (try: curl {address}v1/feed/you)");
        Row("pages", $"{address}  be a user   {address}dashboard  see the node");
        Row("time", seconds is { } limit ? $"{elapsed:0} of {limit} s" : $"{elapsed:0} s; Ctrl-C ends it");
        Row("events", string.Create(CultureInfo.InvariantCulture, $"{status.Users.Applied:N0}   {status.Users.Applied / elapsed:N0} a second"));
        Row("users, items", string.Create(CultureInfo.InvariantCulture, $"{report.UsersSeen:N0}, {status.Items:N0}"));
        Row("click to list", string.Create(CultureInfo.InvariantCulture, $"p50 {status.ClickToListMsP50:0} ms   p99 {status.ClickToListMsP99:0} ms   (over HTTP p99 {browser.RoundTrip.Percentile(.99) / 1000:0} ms)"));
        Row("feed age", string.Create(CultureInfo.InvariantCulture, $"{browser.LastAgeMs / 1000.0:0.0} s   lists built {status.Users.Lists:N0}"));
        Row("models", status.Models);
        var table = new Table().Border(TableBorder.Rounded).AddColumns("feed", "CTR now", "CTR", "per second");
        foreach (var (name, arm) in Feeds(report))
            table.AddRow(name, Percent(DemoVerb.Recent(arm)), Percent(arm?.Ctr ?? double.NaN), Sparkline(arm));
        return new Rows(new Rule("Streaming"), grid, table);
    }

    /// <summary>Everything learned first, then the arms of single models, the hold-out last.</summary>
    private static IEnumerable<(string Name, ArmReport? Arm)> Feeds(AudienceReport report) =>
    [
        (TrafficSplitter.Learned, report.Arm(TrafficSplitter.Learned)),
        .. report.Arms.Where(a => a.Arm is not (TrafficSplitter.Learned or TrafficSplitter.Holdout)).Select(a => (a.Arm, (ArmReport?)a)),
        ("popular only (hold-out)", report.Arm(TrafficSplitter.Holdout)),
    ];

    private static string Percent(double share) => double.IsNaN(share) ? "-" : share.ToString("0.0 %", CultureInfo.InvariantCulture);

    /// <summary>CTR over the last minute, smoothed over three seconds, on a common scale of 0 to 50 %.</summary>
    private static string Sparkline(ArmReport? arm)
    {
        var points = arm?.OverTime.TakeLast(62).ToList() ?? [];
        return string.Concat(Enumerable.Range(0, Math.Max(0, points.Count - 2)).Select(i =>
        {
            var impressions = points.Skip(i).Take(3).Sum(p => p.Impressions);
            var ctr = impressions == 0 ? 0 : points.Skip(i).Take(3).Sum(p => p.Clicks) / (double)impressions;
            return Bars[Math.Clamp((int)(ctr / .5 * Bars.Length), 0, Bars.Length - 1)];
        }));
    }
}
