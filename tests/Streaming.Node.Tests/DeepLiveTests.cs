using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Suites;

namespace Streaming.Node.Tests;

/// <summary>A running node whose workers learn deep models beside it: from examples to versions to the lists of their arms.</summary>
public sealed class DeepLiveTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Node = new NodeSettings { IdleWaitMs = 2, TickIntervalMs = 20, CheckpointIntervalMs = 3_600_000 },
        Users = NodeRig.Settings.Users with { AttributionWindowMs = 100, LateWindowMs = 100 },
        Deep = new DeepSettings
        {
            Models = ["din", "two_tower"], Device = "cpu", BatchWaitMs = 10, PublishIntervalMs = 20, DenseIntervalMs = 20, CanaryExamples = 16,
            CanaryLossTolerance = 10, CanaryCalibrationTolerance = 10, CanaryAucTolerance = 1,
        },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["din"] = .4, ["two_tower"] = .4 } },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TorchFact]
    public async Task Workers_learn_versions_reach_the_lists_and_survive_a_restart()
    {
        long steps = 0;
        await LiveAsync(async rig =>
        {
            await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            var at = 0;
            await NodeRig.Until(async () =>
            {
                await BrowseAsync(rig, at++);
                return rig.Node.Status().Deep is { Count: 2 } deep && deep.All(m => m.Serving > 0 && m.Promotions > 0);
            });
            foreach (var model in Settings.Deep.Models) await ShouldServeAsync(rig, model);
            steps = rig.Node.Status().Deep.Min(m => m.Steps);
            // Every round computes all thirty vectors, and the models learn from the same seconds: no list is made of versions that do not go together.
            rig.Node.Status().VersionSkew.ShouldSatisfyAllConditions(
                skew => (skew.UserIndex, skew.RecallRanker, skew.RankerEmbeddings).ShouldBe((0, 0, 0)), skew => skew.Lists.ShouldBeGreaterThan(10));
        });

        // The copies start from what the topic holds, the workers from their checkpoints.
        await LiveAsync(async rig =>
        {
            await NodeRig.Until(() => Task.FromResult(rig.Node.Status().Deep is { Count: 2 } deep && deep.All(m => m.Serving > 0 && m.Steps >= steps)));
            foreach (var model in Settings.Deep.Models) await ShouldServeAsync(rig, model);
        });
    }

    [TorchFact]
    public async Task A_model_that_recalls_finds_items_for_its_arm_and_a_deleted_one_no_more()
    {
        var settings = Settings with
        {
            Deep = Settings.Deep with { Models = ["mind"] }, Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["mind"] = .8 } },
        };
        await LiveAsync(
            async rig =>
            {
                await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
                var at = 0;
                await NodeRig.Until(async () =>
                {
                    await BrowseAsync(rig, at++);
                    return await InIndexAsync() is 30;
                });
                await ShouldServeAsync(rig, "mind");
                await rig.Node.Ingest.ItemsAsync([NodeRig.Json("{'id':'i5','deleted':true}")]);
                await NodeRig.Until(async () => await InIndexAsync() is 29);

                Task<int> InIndexAsync() => rig.Node.AskModelsAsync(models => models.Deep!.Retrieval.Single(c => c.Name == "mind").Index.Count);
            },
            settings);
    }

    [TorchFact]
    public async Task Goals_heads_and_channels_are_in_the_status_and_in_the_meters()
    {
        var settings = Settings with
        {
            Users = Settings.Users with { Goals = ["click"] }, Deep = Settings.Deep with { Models = ["esmm", "prm"], PrmCloseSlackMs = 0 },
            Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["esmm"] = .4, ["prm"] = .4 } },
        };
        var seen = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, to) =>
            {
                if (instrument.Meter.Name == StreamingMeters.MeterName) to.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => seen[string.Join('/', [instrument.Name, .. tags.ToArray().Select(t => $"{t.Value}")])] = value);
        listener.Start();
        await LiveAsync(
            async rig =>
            {
                await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
                var at = 0;
                await NodeRig.Until(async () =>
                {
                    await BrowseAsync(rig, at++);
                    var deep = rig.Node.Status().Deep;
                    return deep[0].Goals is [{ Count: > 20 } goal] && double.IsFinite(goal.Auc) && deep[1].Head is { Lists: > 0 };
                });
                var (esmm, prm) = (rig.Node.Status().Deep[0], rig.Node.Status().Deep[1]);
                (esmm.Goals[0].Goal, esmm.Head, prm.Goals.Count).ShouldBe(("click", null, 0));
                prm.Head!.HeadNdcg.ShouldBeInRange(0.01, 1);
                await NodeRig.Until(() =>
                {
                    listener.RecordObservableInstruments();
                    return Task.FromResult(seen.ContainsKey("head_ndcg/prm/head"));
                });
                foreach (var figure in (string[])["auc", "normalised_entropy", "calibration"]) seen.ShouldContainKey($"prequential_goal_{figure}/esmm/click");
                seen.ShouldContainKey("head_ndcg/prm/base");
                seen["head_served/prm"].ShouldBeOneOf(0, 1);
                foreach (var channel in (string[])[FeedChannels.ItemCf, FeedChannels.Popular, FeedChannels.Interest]) seen.ShouldContainKey("recall_seconds/" + channel);
                seen.Keys.ShouldContain(k => k.StartsWith("list_build_seconds/default/", StringComparison.Ordinal));
                seen.Keys.Where(k => k.StartsWith("recall_seconds/", StringComparison.Ordinal)).ShouldAllBe(k => FeedChannels.All.Contains(k.Substring("recall_seconds/".Length)));
            },
            settings);
    }

    [TorchFact]
    public async Task An_index_that_falls_behind_its_tower_is_counted() => await LiveAsync(
        async rig =>
        {
            await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
            var at = 0;
            await NodeRig.Until(async () =>
            {
                await BrowseAsync(rig, at++);
                return rig.Node.Status().VersionSkew.UserIndex > 0;
            });
            rig.Node.Status().VersionSkew.RankerEmbeddings.ShouldBe(0);
        },
        Settings with { Feeds = Settings.Feeds with { IndexRefreshMax = 1 } });

    [TorchFact]
    public async Task A_model_rolled_back_ranks_as_it_did_and_the_newest_is_served_again_afterwards() => await LiveAsync(async rig =>
    {
        await rig.Node.Ingest.ItemsAsync([.. Enumerable.Range(0, 30).Select(i => NodeRig.Json($"{{'id':'i{i}','tags':['t{i % 3}']}}"))]);
        var at = 0;
        long Serving() => rig.Node.Status().Deep.Single(m => m.Name == "din").Serving;
        async Task LearnPastAsync(long version) => await NodeRig.Until(async () =>
        {
            await BrowseAsync(rig, at++);
            return Serving() > version;
        });
        await LearnPastAsync(0);
        var back = Serving();
        await LearnPastAsync(back);
        await ChangeAsync(back);
        // Learning goes on meanwhile, and changes nothing of what is served.
        await LearnPastAsync(Serving());
        await NodeRig.Until(async () => await ServedAsync(rig, "din") == $"din@{back}:{back}");
        await ChangeAsync(null);
        await NodeRig.Until(async () => (await ServedAsync(rig, "din")).StartsWith("din:", StringComparison.Ordinal));
        (await rig.Node.Experiments.AuditAsync(2)).Select(entry => entry.Changes.ShouldHaveSingleItem())
            .ShouldBe(["model din: the newest version again", $"model din: rolled back to din@{back}"]);

        async Task ChangeAsync(long? version) =>
            (await rig.Node.Experiments.ChangeAsync("test", "", null, d => d.RolledBack("din", version))).Result.ShouldBe(Splitting.ExperimentChangeResult.Applied);
    });

    [Fact]
    public void A_share_for_a_model_that_is_off_is_refused() =>
        (Settings with { Deep = new DeepSettings { Models = ["din"] } }).Validate().ShouldHaveSingleItem().ShouldContain("two_tower");

    private Task LiveAsync(Func<NodeRig, Task> test, StreamingSettings? settings = null) => NodeRig.LiveAsync(_folder.Path, settings ?? Settings, test);

    /// <summary>A user sees three items and clicks the one of their tag; returns when the actor knows, so that the load leaves room for the workers.</summary>
    private static async Task BrowseAsync(NodeRig rig, int at)
    {
        var (user, tag) = ($"u{at % 12}", at % 3);
        var shown = string.Join(',', Enumerable.Range(0, 3).Select(k => $"'i{(at * 7 + k) % 10 * 3 + k}'"));
        var clicked = string.Create(CultureInfo.InvariantCulture, $"i{(at * 7 + tag) % 10 * 3 + tag}");
        var outcomes = await rig.Node.Ingest.EventsAsync(
        [
            NodeRig.Json($"{{'type':'impression','user':'{user}','items':[{shown}]}}"),
            NodeRig.Json($"{{'type':'click','user':'{user}','item':'{clicked}'}}"),
        ]);
        outcomes.ShouldAllBe(outcome => outcome.Problem == null);
        (await rig.Node.WaitAppliedAsync(outcomes[^1].Position, TimeSpan.FromSeconds(30), CancellationToken.None)).ShouldBeTrue();
    }

    /// <summary>A click of a user of the arm makes a list that names a version of its model.</summary>
    private static async Task ShouldServeAsync(NodeRig rig, string model)
    {
        var version = await ServedAsync(rig, model);
        version.ShouldStartWith(model + ":");
        long.Parse(version[(model.Length + 1)..], CultureInfo.InvariantCulture).ShouldBeGreaterThan(0);
        // Which of several channels that found an item is named in the list depends on their ranks; that this one has items to find does not.
        if (model == "two_tower") (await rig.Node.AskModelsAsync(models => models.Deep!.Retrieval.Single().Index.Count)).ShouldBeGreaterThan(0);
    }

    /// <summary>What the list says of the arm's model that a click of a user of the arm makes: "din:12".</summary>
    private static async Task<string> ServedAsync(NodeRig rig, string model)
    {
        var user = Enumerable.Range(0, 1000).Select(i => $"v{i}").First(u => rig.Node.Splitter.ArmOf(u) == model);
        var click = (await rig.Node.Ingest.EventsAsync([NodeRig.Json($"{{'type':'click','user':'{user}','item':'i4'}}")]))[0].Position;
        (FeedOutcome Outcome, ByteWriter List) found = (default, new ByteWriter());
        await NodeRig.Until(async () => (found = await rig.FindAsync(user, click, 1_000)).Outcome == FeedOutcome.Own);
        var served = FeedListCodec.Read(found.List.WrittenSpan);
        served.Arm.ShouldBe(model);
        return served.Models.Split(' ').Single(part => part.StartsWith(model + ":", StringComparison.Ordinal) || part.StartsWith(model + "@", StringComparison.Ordinal));
    }
}
