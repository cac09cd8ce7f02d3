using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Node.Splitting;

namespace Streaming.Node.Tests;

/// <summary>An isolated experiment in the running node: learned apart, ranked apart, kept over a restart, promoted.</summary>
public sealed class IsolationLiveTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 3_600_000 },
        Users = NodeRig.Settings.Users with { AttributionWindowMs = 1 },
        Learning = NodeRig.Settings.Learning with { FtrlL1 = 0 },
        Experiments = new ExperimentsSettings { HoldoutShare = 0 },
    };

    private static readonly ExperimentDefinitions Definitions = new()
    {
        Layers = [new LayerDefinition { Name = "ranking" }],
        Experiments =
        [
            new ExperimentDefinition
            {
                Name = "apart", Layer = "ranking", State = ExperimentState.Running, Share = 0.8, Isolated = true,
                Arms = [new ArmDefinition { Name = "a" }, new ArmDefinition { Name = "b" }],
            },
        ],
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Task LiveAsync(Func<NodeRig, Task> test) => NodeRig.LiveAsync(_folder.Path, Settings, test);

    private static async Task ChangeAsync(NodeRig rig, Func<ExperimentDefinitions, ExperimentDefinitions> change) =>
        (await rig.Node.Experiments.ChangeAsync("test", "", null, change)).Result.ShouldBe(ExperimentChangeResult.Applied);

    /// <summary>Lists are served to twenty users each of whom clicks one of their items; returns by arm how many examples came of it.</summary>
    private static async Task<Dictionary<string, long>> TrafficAsync(NodeRig rig)
    {
        var before = await rig.Node.AskModelsAsync(m => m.Examples);
        var expected = new Dictionary<string, long>();
        for (var u = 0; u < 20; u++)
        {
            var first = (await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'u{u}','item':'i{u}'}}")]))[0];
            var list = await rig.ListAsync($"u{u}", first.Position);
            var request = RequestId.Format(list.Arm, list.Version, (ulong)u);
            var shown = string.Join(',', list.Entries.Take(3).Select(e => $"'{e.Item}'"));
            await rig.Node.Ingest.EventsAsync(
            [
                NodeRig.Json($"{{'type':'impression','user':'u{u}','request_id':'{request}','items':[{shown}]}}"),
                NodeRig.Json($"{{'type':'click','user':'u{u}','request_id':'{request}','item':'{list.Entries[0].Item}'}}"),
            ]);
            expected[list.Arm] = expected.GetValueOrDefault(list.Arm) + 3;
        }
        await NodeRig.Until(async () => await rig.Node.AskModelsAsync(m => m.Examples) >= before + 60);
        return expected;
    }

    private static ExperimentDefinitions Promote(ExperimentDefinitions now) =>
        now.With(now.Find("apart")! with { Promoted = "a", State = ExperimentState.Stopped });

    [Fact]
    public async Task Arms_learn_and_rank_apart_over_a_restart_until_one_is_promoted()
    {
        long versionOfA = 0;
        await LiveAsync(async rig =>
        {
            await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 40).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            await ChangeAsync(rig, _ => Definitions);
            await NodeRig.Until(() => rig.Node.AskModelsAsync(m => m.Catalog.Count == 40));
            await TrafficAsync(rig);
            var learned = await rig.Node.AskModelsAsync(m => (
                A: m.Overlays.Named("apart:a")!.Version, B: m.Overlays.Named("apart:b")!.Version, m.Examples, Arms: m.Overlays.Contamination()));
            learned.A.ShouldBeGreaterThan(0);
            learned.B.ShouldBeGreaterThan(0);
            var shared = learned.Arms.Where(c => c.Overlay is null).Sum(c => c.Examples);
            (learned.A + learned.B + shared).ShouldBe(learned.Examples);
            shared.ShouldBeGreaterThan(0);
            learned.Arms.Where(c => c.Overlay is not null).ShouldAllBe(c => c.ForeignMass == 0);
            // Now that the overlays have learned, lists name them; the shared model's version stands still while only they learn.
            await TrafficAsync(rig);
            var user = Enumerable.Range(0, 20).Select(u => $"u{u}").First(u => rig.Node.Splitter.ArmOf(u).EndsWith("apart:a", StringComparison.Ordinal));
            var position = (await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','item':'i1'}}")]))[0].Position;
            (await rig.ListAsync(user, position)).Models.ShouldContain(" overlay:");
            await NodeRig.Until(() => Task.FromResult(rig.Node.Status().Isolation.Overlays.Count == 2));
            rig.Node.Status().Isolation.Arms.ShouldContain(a => a.Overlay == "apart:a");
            await rig.Node.CheckpointAsync(null, default);
            versionOfA = await rig.Node.AskModelsAsync(m => m.Overlays.Named("apart:a")!.Version);
        });
        await LiveAsync(async rig =>
        {
            (await rig.Node.AskModelsAsync(m => m.Overlays.Named("apart:a")!.Version)).ShouldBeGreaterThanOrEqualTo(versionOfA);
            await TrafficAsync(rig);
            var version = await rig.Node.AskModelsAsync(m => m.Versions);
            await ChangeAsync(rig, Promote);
            (await rig.Node.AskModelsAsync(m => m.Overlays.Names.ToList())).ShouldBeEmpty();
            (await rig.Node.AskModelsAsync(m => m.Versions)).ShouldNotBe(version);
            lock (rig.Notices) rig.Notices.ShouldContain(n => n.Message.Contains("apart:a were folded"));
            (await rig.Node.Experiments.AuditAsync(5))[0].Changes.ShouldContain(c => c.Contains("promoted a"));
        });
        await LiveAsync(async rig =>
        {
            await TrafficAsync(rig);
            (await rig.Node.AskModelsAsync(m => m.Overlays.Names.ToList())).ShouldBeEmpty();
        });
    }
}
