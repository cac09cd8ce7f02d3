using System.Globalization;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Drn;

namespace Streaming.Node.Tests;

/// <summary>A running node with the drn arm: its lists are of two teams, their clicks reach the worker, its versions reach the lists. Without tensors.</summary>
public sealed class DrnLiveTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 3_600_000 },
        Users = NodeRig.Settings.Users with { AttributionWindowMs = 100, LateWindowMs = 100 },
        Feeds = new FeedsSettings { ListLength = 8, RepeatClickedAfterMs = 0, SeenMax = 1000, ServedMax = 1000 },
        Deep = new DeepSettings
        {
            Models = ["drn"], Device = "cpu", BatchWaitMs = 10, PublishIntervalMs = 20, DenseIntervalMs = 20, CanaryExamples = 16, CanaryAucTolerance = 1,
            Drn = new DrnSettings { Hidden1 = 8, Hidden2 = 4, BatchLists = 4, MajorEveryLists = 1, WarmUpUpdates = 3, ListCloseSlackMs = 50 },
        },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["drn"] = .99 } },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Lists_of_both_teams_are_learned_from_versions_move_and_a_restart_goes_on()
    {
        long version = 0, steps = 0;
        await LiveAsync(async rig =>
        {
            await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            var at = 0;
            // Each slot's team is a draw: one list may be all of one team, and its clicks all the other's.
            HashSet<Team> teams = [];
            await NodeRig.Until(async () =>
            {
                var served = await BrowseAsync(rig, at++);
                version = VersionOf(served);
                if (version == 0) return false;
                teams.UnionWith(served.Teams);
                served.Entries.ShouldAllBe(e => e.Propensity > 0 && e.Propensity <= 1);
                return teams.Contains(Team.A) && teams.Contains(Team.B);
            });
            teams.Order().ShouldBe([Team.A, Team.B]);
            await NodeRig.Until(async () => VersionOf(await BrowseAsync(rig, at++)) > version);
            await NodeRig.Until(async () =>
            {
                if (Examples(rig).Any(e => e.Arm == "drn" && e.Team == Team.B && e.Label > 0.5f)) return true;
                await BrowseAsync(rig, at++);
                return false;
            });
            version = await rig.Node.AskModelsAsync(models => models.Deep!.Replicas.Single(r => r.Name == "drn").Version);
            steps = rig.Node.Status().Deep.Single().Steps;
        });

        await LiveAsync(async rig =>
        {
            await NodeRig.Until(() => Task.FromResult(rig.Node.Status().Deep is [{ } drn] && drn.Serving >= version && drn.Steps >= steps));
            var at = 1000;
            VersionOf(await BrowseAsync(rig, at++)).ShouldBeGreaterThanOrEqualTo(version);
            await NodeRig.Until(async () => VersionOf(await BrowseAsync(rig, at++)) > version);
        });
    }

    [Fact]
    public void It_needs_every_negative_and_serves_no_epsilon()
    {
        (Settings with { Users = Settings.Users with { NegativeSampleRate = 0.5 } }).Validate().ShouldHaveSingleItem().ShouldContain("NegativeSampleRate");
        (Settings with { Deep = Settings.Deep with { Drn = new DrnSettings { Exploration = DrnExploration.EpsilonGreedy } } })
            .Validate().ShouldHaveSingleItem().ShouldContain("Deep:Drn:Exploration");
    }

    private Task LiveAsync(Func<NodeRig, Task> test) => NodeRig.LiveAsync(_folder.Path, Settings, test);

    /// <summary>A user acts, gets the list that has seen it, is shown that list, and clicks the first item of their tag.</summary>
    private static async Task<FeedList> BrowseAsync(NodeRig rig, int at)
    {
        var users = Enumerable.Range(0, 40).Select(i => $"u{i}").Where(u => rig.Node.Splitter.ArmOf(u) == "drn").Take(8).ToArray();
        var user = users[at % users.Length];
        var act = await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','item':'i{at % 30}'}}")]);
        (FeedOutcome Outcome, ByteWriter List) found = (default, new ByteWriter());
        await NodeRig.Until(async () => (found = await rig.FindAsync(user, act[0].Position, 1_000)).Outcome == FeedOutcome.Own);
        var list = FeedListCodec.Read(found.List.WrittenSpan);
        list.Arm.ShouldBe("drn");
        list.Teams.Length.ShouldBe(list.Entries.Length);
        var request = RequestId.Format(list.Arm, list.Version, (ulong)at);
        var shown = string.Join(',', list.Entries.Select(e => $"'{e.Item}'"));
        var clicked = list.Entries.FirstOrDefault(e => int.Parse(e.Item.AsSpan(1), CultureInfo.InvariantCulture) % 3 == at % 3);
        var outcomes = await rig.Node.Ingest.EventsAsync(
        [
            NodeRig.Json($"{{'type':'impression','user':'{user}','items':[{shown}],'request_id':'{request}'}}"),
            NodeRig.Json($"{{'type':'click','user':'{user}','item':'{clicked.Item ?? list.Entries[0].Item}','request_id':'{request}'}}"),
        ]);
        outcomes.ShouldAllBe(o => o.Problem == null);
        return list;
    }

    private static long VersionOf(FeedList list) =>
        long.Parse(list.Models[(list.Models.LastIndexOf("drn:", StringComparison.Ordinal) + 4)..], CultureInfo.InvariantCulture);

    private static IEnumerable<Example> Examples(NodeRig rig) => rig.ReadAll(Topics.Examples).Select(r => ExampleCodec.Read(r.Value).Example).OfType<Example>()
        .Select(e =>
        {
            // What the network saw goes with every example of its arm, and with no other.
            e.Dense.Length.ShouldBe(e.Arm == "drn" ? DrnFeatures.StateLength + DrnFeatures.ActionLength : 0);
            return e;
        });
}
