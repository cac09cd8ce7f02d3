using System.Globalization;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Experiments.Ledger;
using Streaming.Experiments.Reporting;
using Streaming.Node.Statistics;
using Streaming.Suites.Fakes;

namespace Streaming.Node.Tests;

/// <summary>The figures of experiments behind a running node: counted once through stops and crashes, and an arm that harms stops by itself.</summary>
public sealed class StatisticsLiveTests : IDisposable
{
    private const int Users = 600;

    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 50, CheckpointIntervalMs = 3_600_000 },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, Statistics = new StatisticsSettings { LookIntervalMs = 10, CheckpointIntervalMs = 100 } },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task An_arm_that_harms_is_stopped_and_the_audit_says_why()
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Path, Settings);
        await RunAsync(rig, async () =>
        {
            await DefineAsync(rig, margin: 0.1);
            // Control clicks on every second item, b on every fifth.
            await BrowseAsync(rig, 0, Users, user => ArmOf(rig, user) == "control" ? 5 : 2);
            await NodeRig.Until(() => Task.FromResult(rig.Node.Experiments.Current.Definitions.Find("x")!.Find("b")!.Stopped));
            var audit = (await rig.Node.Experiments.AuditAsync(1))[0];
            audit.ChangedBy.ShouldBe("guard-rail");
            audit.Why.ShouldStartWith("guard-rail: ctr -");
            audit.Changes.ShouldContain(c => c.Contains("arm b stopped"));
            rig.Node.Experiments.Current.Definitions.Find("x")!.State.ShouldBe(ExperimentState.Running, "the others go on");
            await NodeRig.Until(() => Task.FromResult(rig.Node.Statistics!.Report("x")!.Arms[1].Stopped));
            // From now on nobody gets the arm.
            Enumerable.Range(0, Users).ShouldAllBe(u => ArmOf(rig, $"u{u}") != "b");
        });
        lock (rig.Notices) rig.Notices.ShouldNotContain(n => n.Level == NoticeLevel.Error);
    }

    [Fact]
    public async Task No_difference_stops_nothing()
    {
        await using var rig = await NodeRig.OpenAsync(_folder.Path, Settings);
        await RunAsync(rig, async () =>
        {
            await DefineAsync(rig, margin: 0);
            await BrowseAsync(rig, 0, Users, user => 1 + user.Length % 3);
            await NodeRig.Until(() => Task.FromResult(rig.Node.Statistics?.Report("x") is { } r && r.Metrics[0].Verdict == Verdict.Open && r.Arms.Sum(a => a.Users) == Users));
            rig.Node.Statistics!.Report("x")!.GuardRails.ShouldAllBe(r => r.State != RailState.Harmed);
        });
        rig.Node.Experiments.Current.Definitions.Find("x")!.Find("b")!.Stopped.ShouldBeFalse();
    }

    [Fact]
    public async Task Every_event_is_counted_once_through_stops_and_crashes()
    {
        var crashed = _folder.Sub("crashed");
        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("live"), Settings))
        {
            await RunAsync(rig, async () =>
            {
                await DefineAsync(rig, margin: 1);
                await BrowseAsync(rig, 0, 200, _ => 3);
                await NodeRig.Until(() => Task.FromResult(Directory.Exists(Path.Combine(rig.Folder, "experiments")) && Directory.EnumerateFiles(Path.Combine(rig.Folder, "experiments"), "*.bin").Any()));
                await BrowseAsync(rig, 200, 400, _ => 2);
                // What a crash would leave: the log to its end, the figures as of some checkpoint before it.
                TempFolder.Copy(rig.Folder, crashed);
            });
        }
        await using (var again = await NodeRig.OpenAsync(_folder.Sub("live"), Settings))
            await RunAsync(again, () => CountedAsync(again));
        await using (var after = await NodeRig.OpenAsync(crashed, Settings))
            await RunAsync(after, () => CountedAsync(after));

        async Task CountedAsync(NodeRig rig)
        {
            await NodeRig.Until(() => Task.FromResult(rig.Node.Statistics?.Report("x") is { } report && report.Arms.Sum(a => a.Users) == 400));
            await NodeRig.Until(() => Task.FromResult(Clicks(rig) == 200 * 3 + 200 * 2));
            // Added up from the log alone, by nobody's checkpoint, it is the same.
            var tracked = TrackedExperiments.Of(rig.Node.Experiments.Current, Settings.Experiments);
            using var anew = LedgerReader.Open(new LedgerReaderParts
            {
                Log = new FetchingLog(rig.Node.Log), Folder = _folder.Sub("none"), Limits = LedgerLimits.Of(Settings), Experiments = () => tracked,
            });
            anew.CatchUp();
            var (one, other) = (anew.Report("x", new ReportPlan())!, rig.Node.Statistics!.Report("x")!);
            one.Metrics.Select(r => (r.Metric, r.Control, r.Value)).ShouldBe(other.Metrics.Select(r => (r.Metric, r.Control, r.Value)));
        }
    }

    [Fact]
    public async Task A_node_without_figures_has_none()
    {
        var off = Settings with { Experiments = Settings.Experiments with { Statistics = new StatisticsSettings { Enabled = false } } };
        await using var rig = await NodeRig.OpenAsync(_folder.Path, off);
        await RunAsync(rig, () => Task.CompletedTask);
        rig.Node.Statistics.ShouldBeNull();
        Directory.Exists(ExperimentStatistics.FolderOf(rig.CheckpointDir)).ShouldBeFalse();
    }

    private static double Clicks(NodeRig rig)
    {
        var report = rig.Node.Statistics!.Report("x")!;
        var row = report.Metrics.Single(r => r.Metric == "clicks_per_session");
        return Math.Round(row.Control * report.Arms[0].Users + row.Value * report.Arms[1].Users, 6);
    }

    private static string ArmOf(NodeRig rig, string user) =>
        ArmKey.TryArmOf(rig.Node.Splitter.ArmOf(user), "x", out var arm) ? arm.ToString() : "";

    private static Task DefineAsync(NodeRig rig, double margin) => rig.Node.Experiments.ChangeAsync("test", "", null, _ => new ExperimentDefinitions
    {
        Layers = [new LayerDefinition { Name = "l" }],
        Experiments =
        [
            new ExperimentDefinition
            {
                Name = "x", Layer = "l", State = ExperimentState.Running, Share = 1, Arms = [new ArmDefinition { Name = "control" }, new ArmDefinition { Name = "b" }],
                Analysis = new AnalysisDefinition { Lift = 0.1, GuardRails = [new GuardRailDefinition { Metric = "ctr", Margin = margin }] },
            },
        ],
    });

    /// <summary>Each user sees ten items of a list of their arm and clicks about so many of them.</summary>
    private static async Task BrowseAsync(NodeRig rig, int from, int to, Func<string, int> clicks)
    {
        List<ReadOnlyMemory<byte>> events = [];
        for (var u = from; u < to; u++)
        {
            var user = $"u{u}";
            var id = RequestId.Format(rig.Node.Splitter.ArmOf(user), 0, (ulong)u);
            var items = string.Join(',', Enumerable.Range(0, 10).Select(i => $"'i{i}'"));
            events.Add(NodeRig.Json($"{{'type':'impression','user':'{user}','items':[{items}],'request_id':'{id}','event_id':'{user}-s'}}"));
            // One more for every seventh user, and a repeat for every ninth.
            var count = clicks(user) + (from == 0 && to == Users && u % 7 == 0 ? 1 : 0);
            for (var c = 0; c < count; c++)
                events.Add(NodeRig.Json(string.Create(CultureInfo.InvariantCulture, $"{{'type':'click','user':'{user}','item':'i{c}','request_id':'{id}','event_id':'{user}-{c}'}}")));
            if (u % 9 == 0) events.Add(events[^1]);
        }
        (await rig.Node.Ingest.EventsAsync(events)).ShouldAllBe(o => o.Problem == null);
    }

    private static async Task RunAsync(NodeRig rig, Func<Task> test)
    {
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        try
        {
            await test();
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }
}
