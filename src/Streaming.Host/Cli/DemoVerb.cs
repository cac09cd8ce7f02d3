using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Streaming.Core.Settings;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments.Splitting;
using Streaming.Host.Http;
using Streaming.Models.Ranking;
using Streaming.Node;

namespace Streaming.Host.Cli;

/// <summary><c>demo</c>: a node and a simulated audience that browses its HTTP API; watch the feed learn.</summary>
internal static class DemoVerb
{
    public static Command Create()
    {
        var command = new Command("demo", "A node with a simulated audience: latent tastes that drift, sessions, position bias, new items all the time. Watch the learned feed leave the popular one behind. The default verb.");
        var common = new CommonOptions().AddTo(command);
        var seconds = new Option<int?>("--seconds") { Description = "Stop after this long; without it the demo runs until Ctrl-C" };
        var users = new Option<int>("--users") { Description = "Size of the audience", DefaultValueFactory = _ => new AudienceSettings().Users };
        var pages = new Option<double>("--pages-per-s") { Description = "Page views per second", DefaultValueFactory = _ => new AudienceSettings().PageViewsPerSecond };
        var listen = new Option<string?>("--listen") { Description = "Address and port; without it any free one", HelpName = "IP:PORT" };
        var arms = new Option<string[]>("--arms") { Description = "Deep models that learn, or ways to re-rank the live ranker's lists, with an arm each, all as large as that of the live ranker: of " + string.Join(", ", Arms), HelpName = "A,B,..." };
        foreach (var option in (Option[])[seconds, users, pages, listen, arms]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
            RunAsync(common, parse, parse.GetValue(seconds), parse.GetValue(users), parse.GetValue(pages), parse.GetValue(listen), ArmsOf(parse.GetValue(arms) ?? []), cancel)));
        return command;
    }

    private const double HoldoutShare = 0.25;

    private static IReadOnlyList<string> Arms { get; } = [.. DeepSettings.Known, .. FeedsSettings.Diversities];

    internal static IReadOnlyList<string> ArmsOf(string[] given)
    {
        string[] names = [.. given.SelectMany(a => a.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Select(Known).Distinct()];
        if (names.FirstOrDefault(n => !Arms.Contains(n)) is { } odd)
            throw new FormatException($"--arms {odd}: there are {string.Join(", ", Arms)}");
        return names;
    }

    /// <summary><c>evaluate</c> writes some names with hyphens.</summary>
    private static string Known(string name) => Arms.Contains(name) ? name : name.Replace('-', '_');

    /// <summary>Settings that switch the arms on, and for rankers of several tasks the goals that the audience acts on.</summary>
    internal static IEnumerable<(string Key, string Value)> ArmSettings(IReadOnlyList<string> arms)
    {
        var share = ((1 - HoldoutShare) / (arms.Count + 1)).ToString("0.####", CultureInfo.InvariantCulture);
        return arms.Where(DeepSettings.Known.Contains).Select((name, i) => ($"Deep:Models:{i}", name))
            .Concat(arms.Select(name => ($"Experiments:ArmShares:{name}", share)))
            .Concat(Rankers.All.Any(r => r.IsMultiTask && arms.Contains(r.Name)) ? [("Users:Goals:0", "like"), ("Users:Goals:1", "purchase")] : []);
    }

    private static async Task<int> RunAsync(
        CommonOptions common, ParseResult parse, int? seconds, int users, double pagesPerS, string? listen, IReadOnlyList<string> arms, CancellationToken cancel)
    {
        var json = common.Json(parse);
        // A hold-out large enough to be measured within a minute; windows short enough that skipped items are learned from soon. Whoever
        // looks in sees any arm beside any other.
        var settings = common.Load(
            parse, [
                ("Serving:Listen", listen ?? "127.0.0.1:0"), ("Experiments:HoldoutShare", HoldoutShare.ToString(CultureInfo.InvariantCulture)),
                ("Experiments:EverybodyTests", "true"), ("Users:AttributionWindowMs", "2000"), ("Users:LateWindowMs", "60000"), .. ArmSettings(arms),
            ]);
        var temporary = common.DataDir(parse) is null ? Directory.CreateTempSubdirectory("streaming-demo-") : null;
        try
        {
            var audience = new Audience(new AudienceSettings { Users = users, PageViewsPerSecond = pagesPerS, Seed = settings.Node.Seed, ConcurrencyMax = 16 });
            return await PlayAsync(settings, common.DataDir(parse) ?? temporary!.FullName, audience, seconds, json, cancel).ConfigureAwait(false);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    private static async Task<int> PlayAsync(StreamingSettings settings, string dataDir, Audience audience, int? seconds, bool json, CancellationToken cancel)
    {
        Environment.SetEnvironmentVariable("STREAMING_LOG_LEVEL", Environment.GetEnvironmentVariable("STREAMING_LOG_LEVEL") ?? "Warning");
        using var logs = Logging.CreateFactory();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        ApiServer.Check(settings, _ => { });
        await using var running = await RunningNode.OpenAsync(settings, dataDir, Logging.Notices(logs.CreateLogger("Streaming")), cancel).ConfigureAwait(false);
        var node = running.Node;
        var app = ApiServer.Build(node, settings, Logging.Configure, text => logs.CreateLogger("Streaming").LogWarning("{Notice}", text));
        await using var _ = app.ConfigureAwait(false);
        await ApiServer.StartAsync(app, settings.Serving.Listen, cancel).ConfigureAwait(false);
        var loop = Task.Run(() => node.RunAsync(stop.Token), CancellationToken.None);
        var address = new Uri(app.Urls.First());
        using var browser = new HttpAudience(address, TimeProvider.System);
        var clock = Stopwatch.StartNew();
        var duration = TimeSpan.FromSeconds(seconds ?? 86_400 * 365);
        var browsing = audience.RunAsync(browser, duration, TimeProvider.System, cancel);
        try
        {
            if (json) await browsing.ConfigureAwait(false);
            else await DemoView.ShowAsync(browsing, node, audience, browser, clock, address, seconds).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ctrl-C ends the demo; its figures still count.
        }
        var elapsed = clock.Elapsed.TotalSeconds;
        await stop.CancelAsync().ConfigureAwait(false);
        await loop.ConfigureAwait(false);
        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        var figures = Figures(node, audience, browser, elapsed, settings).ToList();
        if (json) JsonLine.Print(figures);
        else Tables.Print("Demo", figures);
        return 0;
    }

    private static IEnumerable<(string Name, object? Value)> Figures(
        StreamingNode node, Audience audience, HttpAudience browser, double seconds, StreamingSettings settings)
    {
        var status = node.Status();
        var report = audience.Report();
        var learned = report.Arm(TrafficSplitter.Learned);
        var holdout = report.Arm(TrafficSplitter.Holdout);
        var users = status.Users;
        foreach (var figure in Report.Of(status, node.Models.Figures(), node.DeepFigures())) yield return figure;
        yield return ("events_per_s", users.Applied / seconds);
        yield return ("ctr_learned", learned?.Ctr ?? double.NaN);
        yield return ("ctr_holdout", holdout?.Ctr ?? double.NaN);
        yield return ("ctr_learned_last_10s", Recent(learned));
        yield return ("ctr_holdout_last_10s", Recent(holdout));
        foreach (var arm in report.Arms.Where(a => a.Arm is not (TrafficSplitter.Learned or TrafficSplitter.Holdout)))
            yield return ($"ctr_{arm.Arm}", arm.Ctr);
        yield return ("ctr_oracle", learned?.OracleCtr ?? double.NaN);
        yield return ("ctr_random", learned?.RandomCtr ?? double.NaN);
        yield return ("pages", report.Pages);
        yield return ("sent", browser.Sent);
        // What the audience had acknowledged, against what the actors made of it; served records are the node's own.
        yield return ("lost", browser.Sent + node.Served.Logged - (users.Applied + users.Repeats + users.DeadLetters + users.Forgotten));
        yield return ("click_to_list_http_ms_p50", browser.RoundTrip.Percentile(.5) / 1000);
        yield return ("click_to_list_http_ms_p99", browser.RoundTrip.Percentile(.99) / 1000);
        yield return ("seconds", seconds);
        yield return ("seed", settings.Node.Seed);
        yield return ("hardware", Machine.Hardware);
    }

    /// <summary>CTR over the last ten whole seconds.</summary>
    internal static double Recent(ArmReport? arm)
    {
        var last = arm?.OverTime.TakeLast(10).ToList() ?? [];
        var impressions = last.Sum(p => p.Impressions);
        return impressions == 0 ? double.NaN : last.Sum(p => p.Clicks) / (double)impressions;
    }
}
