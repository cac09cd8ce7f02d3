using System.Text;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

/// <summary>Processes that share the partitions of a topic as a consumer group.</summary>
public sealed class KafkaShareTests
{
    private const string Group = "outputs";

    [KafkaFact]
    public async Task Partitions_move_one_by_one_in_order_and_back_when_a_process_leaves()
    {
        var settings = Shared(TestKafka.Fresh(TestKafka.Log));
        await using var first = Open(settings, "first");
        await using var second = Open(settings, "second");
        await using var a = first.Join(Group, Topics.Events, () => { });
        await UntilAsync(() => a.Now.Mine.Count == TestKafka.Log.Partitions);
        var b = second.Join(Group, Topics.Events, () => { });
        await UntilAsync(() => a.Now.Leaving.Count > 0);
        var (asked, kept) = (a.Now.Leaving, a.Now.Mine);
        kept.Count.ShouldBe(TestKafka.Log.Partitions / 2, "only what moves is asked back");
        b.Now.Mine.ShouldBeEmpty("it is still the first one's");
        a.Release(asked);
        await UntilAsync(() => b.Now.Mine.Count == asked.Count);
        b.Now.Mine.ShouldBe(asked);
        a.Now.Mine.ShouldBe(kept);
        await b.DisposeAsync();
        await UntilAsync(() => a.Now.Mine.Count == TestKafka.Log.Partitions);
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task A_partition_that_is_not_handed_over_in_time_is_lost_and_its_position_cannot_be_moved()
    {
        var settings = Shared(TestKafka.Fresh(TestKafka.Log)) with { HandOverMsMax = 300 };
        await using var first = Open(settings, "first");
        await using var second = Open(settings, "second");
        await first.BeginAsync();
        await using var a = first.Join(Group, Topics.Events, () => { });
        await UntilAsync(() => a.Now.Mine.Count == TestKafka.Log.Partitions);
        await first.TransactAsync(Transaction([0, 1, 2, 3], "all"));
        await using var b = second.Join(Group, Topics.Events, () => { });
        await UntilAsync(() => a.Now.Lost.Count > 0);
        var (lost, kept) = (a.Now.Lost, a.Now.Mine);
        (await Should.ThrowAsync<PartitionsLostException>(first.TransactAsync(Transaction(lost, "lost")).AsTask().WaitAsync(TestKafka.Patience))).Message.ShouldContain($"{lost[0]}");
        await first.TransactAsync(Transaction(kept, "kept")).AsTask().WaitAsync(TestKafka.Patience);
        a.Release(lost);
        a.Now.Lost.ShouldBeEmpty();
        await UntilAsync(() => b.Now.Mine.Count == lost.Count);
        await TestKafka.RemoveAsync(settings);
    }

    /// <summary>The mock brokers' answers in the place of a group that has gone on: the writer comes again with what the group says by then.</summary>
    [KafkaFact]
    public async Task A_commit_in_the_middle_of_a_rebalance_or_after_another_took_the_writers_name_is_done_again()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        var settings = Shared(TestKafka.On(cluster));
        await using var log = Open(settings, "one");
        await log.BeginAsync();
        await using var share = log.Join(Group, Topics.Events, () => { });
        await UntilAsync(() => share.Now.Mine.Count == TestKafka.Log.Partitions);
        (short Request, ErrorCode Error)[] faults =
        [
            (MockKafkaCluster.TransactionOffsetCommit, ErrorCode.IllegalGeneration),
            (MockKafkaCluster.TransactionOffsetCommit, ErrorCode.UnknownMemberId),
            (MockKafkaCluster.TransactionOffsetCommit, ErrorCode.RebalanceInProgress),
            (MockKafkaCluster.EndTransaction, ErrorCode.ProducerFenced),
            (MockKafkaCluster.AddPartitionsToTransaction, ErrorCode.InvalidProducerEpoch),
        ];
        for (var i = 0; i < faults.Length; i++)
        {
            cluster.PushRequestErrors(faults[i].Request, faults[i].Error);
            await log.TransactAsync(Transaction([0, 1, 2, 3], $"state {i}")).AsTask().WaitAsync(TestKafka.Patience);
        }
        (await TextsAsync(log)).Distinct().ShouldBe(["state 0", "state 1", "state 2", "state 3", "state 4"]);
        // Under another's name: it ends that one and leaves this one as it is.
        await log.FenceAsync("somebody-else").AsTask().WaitAsync(TestKafka.Patience);
        await log.TransactAsync(Transaction([0], "state 5")).AsTask().WaitAsync(TestKafka.Patience);
    }

    private static KafkaSettings Shared(KafkaSettings settings) => settings with { Ownership = "group", SessionTimeoutMs = 6_000 };

    private static KafkaEventLog Open(KafkaSettings settings, string writer) => new(settings, TestKafka.Log, TimeProvider.System, null, writer);

    private static LogTransaction Transaction(IReadOnlyList<int> partitions, string state) => new(
        [(Topics.Examples, [new LogEntry("ann"u8.ToArray(), "example"u8.ToArray(), 1_000)]), (Topics.UserState, [new LogEntry("ann"u8.ToArray(), Encoding.UTF8.GetBytes(state), 1_000, 0)])],
        Group, [(Topics.Events, [.. partitions.Select(p => new LogPosition(p, 7))])], IsOrdered: true);

    private static async Task<List<string>> TextsAsync(KafkaEventLog log)
    {
        var texts = new List<string>();
        using var reader = log.OpenReader(Topics.UserState, 0, 0);
        var (batch, end) = (new LogBatch(), (await log.RangeAsync(Topics.UserState, 0)).End);
        while (reader.Offset < end)
        {
            if (reader.Read(batch, 100, end) == 0) await reader.WaitAsync(TimeSpan.FromMilliseconds(100));
            for (var i = 0; i < batch.Count; i++) texts.Add(Encoding.UTF8.GetString(batch.Value(i).Span));
        }
        return texts;
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (!holds())
        {
            clock.Elapsed.ShouldBeLessThan(TestKafka.Patience);
            await Task.Delay(10);
        }
    }
}
