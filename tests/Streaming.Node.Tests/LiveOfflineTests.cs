using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Replay;
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
        new Slice(DataSets.Open(SharedData.Find("ranklens/events.jsonl.gz")!), 4_000),
        Settings with { Log = Settings.Log with { Partitions = 4 }, Users = Settings.Users with { AttributionWindowMs = 10_000 } }, 100, atLeast: 10_000);

    [DataFact("ctr/taobao_data_sample_1w.csv.gz")]
    public Task Advertisements() => ShouldAgree(
        DataSets.Open(SharedData.Find("ctr/taobao_data_sample_1w.csv.gz")!), Settings with { Users = Settings.Users with { HotUsersMax = 50 } }, 64, atLeast: 9_000);

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

    /// <summary>The first events of a set.</summary>
    private sealed class Slice(IDataSet set, int events) : IDataSet
    {
        public string Name => set.Name;
        public IReadOnlyList<string> Files => set.Files;
        public string? TimeNote => set.TimeNote;
        public long? RowCount => events;
        public long SkippedRows => set.SkippedRows;
        public IEnumerable<ItemChange> Items() => set.Items();
        public IEnumerable<UserEvent> Profiles() => set.Profiles();
        public IEnumerable<UserEvent> Events(long seed) => set.Events(seed).Take(events);
    }
}
