using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Experiments.Bandits;
using Streaming.Node.Splitting;

namespace Streaming.Node.Tests;

/// <summary>A bandit in the running node: what users do moves the weights, through the log and its audit.</summary>
public sealed class BanditLiveTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_arm_that_is_clicked_gets_the_users_all_but_the_floors()
    {
        var settings = NodeRig.Settings with
        {
            Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 3_600_000 },
            Experiments = new ExperimentsSettings { HoldoutShare = 0, Statistics = new StatisticsSettings { LookIntervalMs = 10 } },
        };
        await using var rig = await NodeRig.OpenAsync(_folder.Path, settings);
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        try
        {
            await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 40).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            (await rig.Node.Experiments.ChangeAsync("test", "", null, _ => Of(null))).Result.ShouldBe(ExperimentChangeResult.Applied);
            for (var u = 0; u < 40; u++) await BrowseAsync(rig, $"u{u}");
            await NodeRig.Until(() => Task.FromResult(rig.Node.Statistics!.SumsOf("choice").Values.Sum(s => s.Impressions) >= 40 * 5));
            // From here on the weights are the bandit's; one update a minute, so there is one.
            await rig.Node.Experiments.ChangeAsync("test", "", null, _ => Of(new BanditDefinition { Floor = 0.1, EveryMinutes = 60 }));
            await NodeRig.Until(() => Task.FromResult(rig.Node.Experiments.Current.ChangedBy == BanditUpdate.Author));
            var now = rig.Node.Experiments.Current;
            var experiment = now.Definitions.Find("choice")!;
            experiment.Arms.Single(a => a.Name == "liked").Weight.ShouldBeGreaterThan(1.6);
            experiment.Arms.Min(a => a.Weight).ShouldBeGreaterThanOrEqualTo(0.2 - 1e-6);
            experiment.Bandit!.Updates.ShouldBe(1);
            now.Layers["l"].CountOf("choice:liked").ShouldBeGreaterThan(800);
            (await rig.Node.Experiments.AuditAsync(1))[0].Changes.ShouldHaveSingleItem().ShouldContain("weight of liked 1 ->");
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    private static ExperimentDefinitions Of(BanditDefinition? bandit) => new()
    {
        Layers = [new LayerDefinition { Name = "l" }],
        Experiments =
        [
            new ExperimentDefinition
            {
                Name = "choice", Layer = "l", State = ExperimentState.Running, Share = 1, Bandit = bandit,
                Arms = [new ArmDefinition { Name = "left" }, new ArmDefinition { Name = "liked" }],
            },
        ],
    };

    /// <summary>A user of arm "liked" clicks what they are shown, one of the other does not.</summary>
    private static async Task BrowseAsync(NodeRig rig, string user)
    {
        var first = (await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','item':'i1'}}")]))[0];
        var list = await rig.ListAsync(user, first.Position);
        var request = RequestId.Format(list.Arm, list.Version, 1);
        var shown = string.Join(',', list.Entries.Take(5).Select(e => $"'{e.Item}'"));
        await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'impression','user':'{user}','request_id':'{request}','items':[{shown}]}}")]);
        if (!list.Arm.EndsWith(":liked", StringComparison.Ordinal)) return;
        foreach (var entry in list.Entries.Take(2))
            await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','request_id':'{request}','item':'{entry.Item}'}}")]);
    }
}
