using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Replay;
using Streaming.Evaluation.Simulation;
using Streaming.Learning.Metrics;
using Streaming.Suites;

namespace Streaming.Node.Tests;

/// <summary>
/// The live path's prequential figures equal the offline evaluator's, to the last digit: the log, the wire form, the actors, their
/// passivation, the lists and the cache add nothing and lose nothing.
/// </summary>
public sealed class LiveOfflineTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Users = new UsersSettings(), Learning = new LearningSettings { FtrlBits = 16 },
        // Lists do not enter the figures, and building them is most of the time: few at a time.
        Node = NodeRig.Settings.Node with { RoundListsMax = 1 },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [DataFact("movielens/ml-100k")]
    public Task Ratings() => ShouldAgree(DataSets.Open(SharedData.Find("movielens/ml-100k")!), Settings, 256, atLeast: 100_000);

    [DataFact("ranklens/events.jsonl.gz")]
    public Task Rankings() => ShouldAgree(
        First(4_000, DataSets.Open(SharedData.Find("ranklens/events.jsonl.gz")!)),
        Settings with { Log = Settings.Log with { Partitions = 4 }, Users = Settings.Users with { AttributionWindowMs = 10_000 } }, 100, atLeast: 10_000);

    [DataFact("ctr/taobao_data_sample_1w.csv.gz")]
    public Task Advertisements() => ShouldAgree(
        DataSets.Open(SharedData.Find("ctr/taobao_data_sample_1w.csv.gz")!), Settings with { Users = Settings.Users with { HotUsersMax = 50 } }, 64, atLeast: 9_000);

    [Fact]
    public Task Simulated_users()
    {
        var users = new SimulatedUsers(new AudienceSettings { Users = 80, Items = 150, PageViewsPerSecond = 2, TrendSpread = 1, ItemLifeMs = 1_800_000 });
        var draws = new Draws(8);
        List<ItemChange> items = [];
        List<UserEvent> events = [];
        for (var n = 0; n < 1_500; n++)
        {
            var request = users.NextRequest();
            items.AddRange(request.NewItems);
            events.AddRange(request.Arrivals);
            var list = request.Candidates.Select(i => i.Id).ToArray();
            draws.Shuffle<string>(list);
            events.AddRange(users.Respond(list[..10]).Events);
        }
        return ShouldAgree(new Recorded("simulator", items, events), Settings with { Users = Settings.Users with { AttributionWindowMs = 5_000 } }, 64, atLeast: 12_000);
    }

    /// <summary>Every kind of event, repeats, late ones, deletions and lines that are none; users come and go; negatives are sampled.</summary>
    [Fact]
    public Task Everything_that_can_come()
    {
        var file = _folder.Sub("events.jsonl");
        using (var lines = File.Create(file))
        {
            foreach (var record in SyntheticSource.Create(seed: 11, events: 6_000).Where(r => !r.IsItem))
            {
                lines.Write(record.Value.Span);
                lines.WriteByte((byte)'\n');
            }
        }
        var tight = NodeRig.Settings with { Users = NodeRig.Settings.Users with { HotUsersMax = 32, NegativeSampleRate = 0.5 } };
        return ShouldAgree(DataSets.Open(file), tight, 32, atLeast: 3_000);
    }

    private async Task ShouldAgree(IDataSet set, StreamingSettings settings, int round, long atLeast)
    {
        var source = new ReplaySource(set, settings.Node.Seed);
        var offline = Prequential.Evaluate([source], settings, round);
        IReadOnlyList<PrequentialFigures> live;
        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("node"), settings))
        {
            var runner = new ReplayRunner(rig.Node, round);
            await runner.RunAsync(source.NodeRecords(), "set", null, 0, CancellationToken.None);
            live = rig.Node.Models.Figures();
        }
        // Records compare member by member, and doubles bit by bit but for the sign of zero.
        offline.ShouldBe(live);
        offline[0].Count.ShouldBeGreaterThanOrEqualTo(atLeast);
        offline[0].Auc.ShouldBeInRange(0.01, 0.99);
        // Another cut learns at other moments: the comparison can fail.
        Prequential.Evaluate([source], settings, round / 2)[0].LogLoss.ShouldNotBe(live[0].LogLoss);
    }

    /// <summary>The first events of a set, with its catalogue.</summary>
    private static Recorded First(int events, IDataSet set) => new(set.Name, [.. set.Items()], [.. set.Profiles().Concat(set.Events(1).Take(events))]);

    private sealed class Recorded(string name, IReadOnlyList<ItemChange> items, IReadOnlyList<UserEvent> events) : IDataSet
    {
        public string Name => name;
        public IReadOnlyList<string> Files => [];
        public string? TimeNote => null;
        public long? RowCount => events.Count;
        public long SkippedRows => 0;
        public IEnumerable<ItemChange> Items() => items;
        public IEnumerable<UserEvent> Profiles() => [];
        public IEnumerable<UserEvent> Events(long seed) => events;
    }
}
