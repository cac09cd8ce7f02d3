using System.Globalization;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Deep;
using Streaming.Node.Deep;
using Streaming.Suites;
using Streaming.Suites.Fakes;

namespace Streaming.Node.Tests;

/// <summary>Several nodes and one trainer over one log: all lists come to be made with the new version, whatever a node has missed meanwhile.</summary>
public sealed class DeepNodesTests : IDisposable
{
    private const long StartMs = 1_700_000_000_000;

    private static readonly StreamingSettings Settings = (NodeRig.Settings with
    {
        Node = new NodeSettings { Roles = [NodeRoles.Ingest, NodeRoles.Users, NodeRoles.Serve] },
        Users = NodeRig.Settings.Users with { AttributionWindowMs = 500, LateWindowMs = 500 },
        Deep = new DeepSettings
        {
            Models = ["din", "two_tower"], Device = "cpu", BatchSizeMax = 32, BatchWaitMs = 0, PublishIntervalMs = 1, DenseIntervalMs = 1, CanaryExamples = 8,
            CanaryLossTolerance = 10, CanaryCalibrationTolerance = 10, CanaryAucTolerance = 1,
        },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["din"] = .4, ["two_tower"] = .4 } },
    }).Resolved();

    private readonly TempFolder _folder = new();
    private readonly MemoryEventLog _log = new(Settings.Log);
    private readonly Clock _clock = new();
    private readonly List<NodeRig> _nodes = [];
    private List<DeepWorker> _workers = [];
    private int _turn;

    private sealed class Clock : TimeProvider
    {
        public long NowMs { get; set; } = StartMs;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(NowMs);
    }

    public void Dispose()
    {
        foreach (var worker in _workers) worker.Dispose();
        foreach (var node in _nodes) node.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _folder.Dispose();
    }

    [TorchFact]
    public async Task Every_node_answers_with_the_new_version_after_delays_a_gap_and_for_a_late_joiner()
    {
        var gappy = new GappyLog(_log);
        foreach (var log in (IEventLog[])[_log, gappy, _log]) await JoinAsync(log);
        OpenWorkers();
        await _nodes[0].Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);

        // The second polls every third turn and the third every seventh: each goes through its versions in order, and none goes back.
        var seen = _nodes.Select(_ => new List<long>()).ToList();
        for (var i = 0; i < 28; i++)
        {
            await TurnAsync(polls: n => i % new[] { 1, 3, 7 }[n] == 0);
            for (var n = 0; n < 3; n++) seen[n].Add(ServingOf(n, "din"));
        }
        foreach (var versions in seen) versions.ShouldBeInOrder();
        seen[0].Distinct().Count().ShouldBeGreaterThan(seen[2].Distinct().Count(), "the slow one has skipped none, but seen them fewer at a time");
        _workers[0].Learner.Promotions.ShouldBeGreaterThan(10);
        await CatchUpAsync();
        await ShouldAgreeAsync(_nodes);

        // A delta never reaches the second: it stays behind, says so, and makes lists with what it has.
        gappy.Loses = "din";
        for (var i = 0; i < 6; i++) await TurnAsync(polls: _ => true);
        var behind = StatusOf(1, "din");
        (behind.IsBroken, behind.Gaps > 0).ShouldBe((true, true));
        behind.Serving.ShouldBeLessThan(ServingOf(0, "din"));
        (await ListsAsync([_nodes[1]], UserOf("din")))[0].Models.ShouldContain($"din:{behind.Serving}");
        ServingOf(1, "two_tower").ShouldBe(ServingOf(0, "two_tower"), "the other model has lost nothing");

        // After a snapshot, here of a worker that was started again, it goes on with the others.
        foreach (var worker in _workers) worker.Dispose();
        OpenWorkers();
        for (var i = 0; i < 3; i++) await TurnAsync(polls: _ => true);
        await CatchUpAsync();
        StatusOf(1, "din").IsBroken.ShouldBeFalse();
        await ShouldAgreeAsync(_nodes);

        // One that joins now starts from the snapshot.
        await JoinAsync(_log);
        await CatchUpAsync();
        foreach (var model in Settings.Deep.Models)
        {
            ServingOf(3, model).ShouldBe(ServingOf(0, model));
            StatusOf(3, model).Applied.ShouldBeLessThan(StatusOf(0, model).Applied / 2);
            var lists = await ListsAsync([_nodes[0], _nodes[3]], UserOf(model));
            lists[1].Models.ShouldBe(lists[0].Models);
        }
    }

    private async Task JoinAsync(IEventLog log)
    {
        var rig = await NodeRig.OpenAsync(_folder.Sub($"node-{_nodes.Count}"), Settings, log);
        _nodes.Add(rig);
    }

    private void OpenWorkers() => _workers =
    [
        .. Settings.Deep.Models.Select(name => DeepWorker.Open(new DeepWorkerParts
        {
            Name = name, Scores = DeepZoo.ScoresOf(name), Create = catalog => DeepZoo.Create(name, Settings, catalog), Settings = Settings, Log = _log,
            Folder = _folder.Sub($"worker-{name}"), Time = _clock,
        })),
    ];

    /// <summary>Some browsing, a round of every node, what the trainer makes of it, and the polls of those whose turn it is.</summary>
    private async Task TurnAsync(Func<int, bool> polls)
    {
        _clock.NowMs += 1_000;
        List<ReadOnlyMemory<byte>> events = [];
        for (var k = 0; k < 12; k++)
        {
            var at = _turn++;
            var (user, tag) = ($"u{at % 12}", at % 3);
            var shown = string.Join(',', Enumerable.Range(0, 3).Select(t => $"'i{(at * 7 + t) % 10 * 3 + t}'"));
            events.Add(NodeRig.Json($"{{'type':'impression','user':'{user}','time':{_clock.NowMs + k},'items':[{shown}]}}"));
            events.Add(NodeRig.Json(string.Create(
                CultureInfo.InvariantCulture, $"{{'type':'click','user':'{user}','time':{_clock.NowMs + k},'item':'i{(at * 7 + tag) % 10 * 3 + tag}'}}")));
        }
        (await _nodes[0].Node.Ingest.EventsAsync(events)).ShouldAllBe(outcome => outcome.Problem == null);
        await RoundsAsync();
        foreach (var worker in _workers)
            while (worker.Pump())
            {
                // Until nothing is left.
            }
        for (var n = 0; n < _nodes.Count; n++)
            if (polls(n)) _nodes[n].Node.Models.Deep!.Poll();
    }

    private async Task RoundsAsync()
    {
        foreach (var rig in _nodes)
            while (await rig.Node.RoundAsync(null, _clock.NowMs, 0, CancellationToken.None) > 0)
            {
                // Until nothing is left.
            }
    }

    private async Task CatchUpAsync()
    {
        await RoundsAsync();
        // What a budget of time leaves over comes with the next round.
        await NodeRig.Until(async () =>
        {
            var polled = _nodes.Sum(rig => rig.Node.Models.Deep!.Poll());
            foreach (var rig in _nodes) await rig.Node.RoundAsync(null, _clock.NowMs, 0, CancellationToken.None);
            return polled == 0 && Enumerable.Range(0, _nodes.Count).All(n => _workers.TrueForAll(w => ServingOf(n, w.Name) == w.Learner.Promoted));
        });
    }

    /// <summary>All make the same lists, by the version that the trainer has promoted, for a user of each arm.</summary>
    private async Task ShouldAgreeAsync(IReadOnlyList<NodeRig> nodes)
    {
        foreach (var worker in _workers)
        {
            var lists = await ListsAsync(nodes, UserOf(worker.Name));
            foreach (var list in lists)
            {
                list.Arm.ShouldBe(worker.Name);
                list.Models.Split(' ').ShouldContain($"{worker.Name}:{worker.Learner.Promoted}");
                list.Models.ShouldBe(lists[0].Models);
                list.Entries.ShouldBe(lists[0].Entries, $"the same weights make the same list of {worker.Name}");
            }
        }
    }

    /// <summary>A click, which all nodes see, makes a fresh list on each.</summary>
    private async Task<List<FeedList>> ListsAsync(IReadOnlyList<NodeRig> nodes, string user)
    {
        _clock.NowMs += 10;
        var outcome = (await _nodes[0].Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','time':{_clock.NowMs},'item':'i4'}}")]))[0];
        await RoundsAsync();
        var lists = new List<FeedList>();
        foreach (var node in nodes)
        {
            var (found, list) = await node.FindAsync(user, outcome.Position);
            found.ShouldBe(FeedOutcome.Own);
            lists.Add(FeedListCodec.Read(list.WrittenSpan));
        }
        return lists;
    }

    private string UserOf(string arm) => Enumerable.Range(0, 1000).Select(i => $"v{i}").First(u => _nodes[0].Node.Splitter.ArmOf(u) == arm);

    private long ServingOf(int node, string model) => StatusOf(node, model).Serving;

    private DeepModelStatus StatusOf(int node, string model) => _nodes[node].Node.Status().Deep.Single(m => m.Name == model);
}
