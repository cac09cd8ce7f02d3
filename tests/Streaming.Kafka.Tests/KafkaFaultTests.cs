using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka.Tests;

/// <summary>Faults, each on a mock cluster of its own, whatever KAFKA_BOOTSTRAP says: nobody's brokers are taken down.</summary>
public sealed class KafkaFaultTests
{
    [KafkaFact]
    public async Task Refused_and_cut_requests_are_sent_again_and_stored_once_in_order()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 10, partition: 0));
        cluster.PushRequestErrors(MockKafkaCluster.Produce,
            ErrorCode.NotLeaderForPartition, ErrorCode.NotEnoughReplicas, ErrorCode.Local_Transport, ErrorCode.RequestTimedOut, ErrorCode.LeaderNotAvailable);
        var positions = await log.AppendAsync(Topics.Events, TestKafka.Entries(10, 200, partition: 0)).AsTask().WaitAsync(TestKafka.Patience);
        var read = await TestKafka.ReadAllAsync(log, Topics.Events, 0);
        read.Select(record => record.Text).ShouldBe(Enumerable.Range(0, 210).Select(i => $"{i}"));
        read.Skip(10).Select(record => record.Offset).ShouldBe(positions.Select(position => position.Offset));
    }

    [KafkaFact]
    public async Task Appends_wait_out_a_broker_that_is_down_and_are_stored_once_in_order()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var log = TestKafka.Open(TestKafka.On(cluster), _ => lost.TrySetResult());
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 50, partition: 0));
        cluster.BrokerDown(1);
        await lost.Task.WaitAsync(TestKafka.Patience); // the producer has seen the connection go: nothing is half-way
        var appends = Enumerable.Range(0, 10).Select(i => log.AppendAsync(Topics.Events, TestKafka.Entries(50 + i * 20, 20, partition: 0)).AsTask()).ToArray();
        appends.ShouldAllBe(append => !append.IsCompleted);
        cluster.BrokerUp(1);
        await Task.WhenAll(appends).WaitAsync(TestKafka.Patience);
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Select(record => record.Text).ShouldBe(Enumerable.Range(0, 250).Select(i => $"{i}"));
    }

    /// <summary>
    /// Brokers go down with requests half-way. Everything acknowledged is where it was said to be, in order. That nothing is stored
    /// twice cannot be seen here: the mock cluster does not check an idempotent producer's sequence, so it stores a request
    /// again whose answer was lost, which a real broker does not.
    /// </summary>
    [KafkaFact]
    public async Task Nothing_acknowledged_is_lost_when_brokers_go_down_and_leaders_move_under_load()
    {
        using var cluster = new MockKafkaCluster(brokers: 3);
        var settings = TestKafka.On(cluster);
        await using var log = TestKafka.Open(settings);
        var acknowledged = new ConcurrentDictionary<LogPosition, string>();
        using var stop = new CancellationTokenSource();
        var appender = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i += 20)
            {
                var entries = TestKafka.Entries(i, 20);
                var positions = await log.AppendAsync(Topics.Events, entries);
                for (var k = 0; k < entries.Length; k++) acknowledged.TryAdd(positions[k], Encoding.UTF8.GetString(entries[k].Value.Span)).ShouldBeTrue("two records in one place");
            }
        });
        for (var round = 0; round < 3; round++)
        {
            await UntilMoreAsync(acknowledged, 200);
            var broker = 1 + round % 3;
            cluster.BrokerDown(broker);
            cluster.BrokerUp(broker);
            await UntilMoreAsync(acknowledged, 200);
            for (var partition = 0; partition < TestKafka.Log.Partitions; partition++)
                cluster.SetLeader(settings.Prefix + Topics.Events, partition, 1 + (round + partition) % 3);
        }
        await UntilMoreAsync(acknowledged, 200);
        await stop.CancelAsync();
        await appender.WaitAsync(TestKafka.Patience);
        await AllAreThereAsync(log, acknowledged);
    }

    [KafkaFact]
    public async Task A_reader_goes_on_over_leader_changes_failed_fetches_and_a_broker_that_was_down()
    {
        using var cluster = new MockKafkaCluster(brokers: 2);
        var settings = TestKafka.On(cluster);
        await using var log = TestKafka.Open(settings);
        using var reader = log.OpenReader(Topics.Events, 0, 0);
        var read = new List<string>();
        for (var round = 0; round < 4; round++)
        {
            await log.AppendAsync(Topics.Events, TestKafka.Entries(round * 25, 25, partition: 0)).AsTask().WaitAsync(TestKafka.Patience);
            await ReadAsync(reader, read, (round + 1) * 25);
            switch (round)
            {
                case 0: cluster.PushRequestErrors(MockKafkaCluster.Fetch, ErrorCode.NotLeaderForPartition, ErrorCode.Local_Transport, ErrorCode.KafkaStorageError); break;
                case 1: cluster.SetLeader(settings.Prefix + Topics.Events, 0, 2); break;
                case 2:
                    cluster.BrokerDown(-1);
                    cluster.BrokerUp(-1);
                    break;
            }
        }
        read.ShouldBe(Enumerable.Range(0, 100).Select(i => $"{i}"));
    }

    [KafkaFact]
    public async Task Commits_are_tried_again_while_the_groups_coordinator_is_busy()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        await log.CommitAsync("group", Topics.Events, [new LogPosition(0, 1)]);
        cluster.PushRequestErrors(MockKafkaCluster.OffsetCommit, ErrorCode.GroupLoadInProgress, ErrorCode.NotCoordinatorForGroup, ErrorCode.GroupCoordinatorNotAvailable);
        await log.CommitAsync("group", Topics.Events, [new LogPosition(0, 2), new LogPosition(3, 7)]).AsTask().WaitAsync(TestKafka.Patience);
        cluster.PushRequestErrors(MockKafkaCluster.OffsetFetch, ErrorCode.GroupLoadInProgress);
        (await log.CommittedAsync("group", Topics.Events).AsTask().WaitAsync(TestKafka.Patience)).ShouldBe([new LogPosition(0, 2), new LogPosition(3, 7)]);
    }

    [KafkaFact]
    public async Task An_unreachable_address_fails_in_time_and_says_what_to_look_at()
    {
        const int timeoutMs = 1_000;
        var nobody = TestKafka.Settings("127.0.0.1:1") with { TimeoutMs = timeoutMs };
        await using var log = TestKafka.Open(nobody);
        var watch = Stopwatch.StartNew();
        var failure = await Should.ThrowAsync<EventLogException>(async () => await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 1)));
        watch.Elapsed.ShouldBeGreaterThan(TimeSpan.FromMilliseconds(timeoutMs * 0.5));
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromMilliseconds(timeoutMs) + TimeSpan.FromSeconds(20), "a busy machine, but not a hang");
        failure.Message.ShouldContain("127.0.0.1:1");
        failure.Message.ShouldContain("Kafka:Bootstrap");
        failure.Message.ShouldContain("Kafka:TimeoutMs");
        Should.Throw<EventLogException>(() => log.PartitionCount(Topics.Items)).Message.ShouldContain("127.0.0.1:1");
    }

    [KafkaFact]
    public async Task An_append_that_no_broker_takes_in_time_fails_and_the_log_goes_on_after()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster, timeoutMs: 2_000));
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 5, partition: 0));
        cluster.BrokerDown(1);
        var failure = await Should.ThrowAsync<EventLogException>(
            async () => await log.AppendAsync(Topics.Events, TestKafka.Entries(5, 5, partition: 0)).AsTask().WaitAsync(TestKafka.Patience));
        failure.Message.ShouldContain("Kafka:TimeoutMs");
        cluster.BrokerUp(1);
        var after = await log.AppendAsync(Topics.Events, TestKafka.Entries(10, 5, partition: 0)).AsTask().WaitAsync(TestKafka.Patience);
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Where(record => record.Offset >= after[0].Offset)
            .Select(record => record.Text).ShouldBe(Enumerable.Range(10, 5).Select(i => $"{i}"));
    }

    [KafkaFact]
    public async Task A_producer_whose_sequence_is_broken_is_replaced()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 5, partition: 0));
        cluster.PushRequestErrors(MockKafkaCluster.Produce, ErrorCode.ClusterAuthorizationFailed);
        var refusal = await Should.ThrowAsync<EventLogException>(
            async () => await log.AppendAsync(Topics.Events, TestKafka.Entries(5, 5, partition: 0)).AsTask().WaitAsync(TestKafka.Patience));
        refusal.Message.ShouldContain("ClusterAuthorizationFailed");
        await log.AppendAsync(Topics.Events, TestKafka.Entries(10, 5, partition: 0)).AsTask().WaitAsync(TestKafka.Patience);
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Select(record => record.Text).ShouldBe(["0", "1", "2", "3", "4", "10", "11", "12", "13", "14"]);
    }

    private static async Task UntilMoreAsync(ConcurrentDictionary<LogPosition, string> acknowledged, int more)
    {
        var goal = acknowledged.Count + more;
        var watch = Stopwatch.StartNew();
        while (acknowledged.Count < goal)
        {
            watch.Elapsed.ShouldBeLessThan(TestKafka.Patience, $"{acknowledged.Count} of {goal} acknowledged");
            await Task.Yield();
        }
    }

    private static async Task AllAreThereAsync(KafkaEventLog log, ConcurrentDictionary<LogPosition, string> acknowledged)
    {
        for (var partition = 0; partition < TestKafka.Log.Partitions; partition++)
        {
            var read = await TestKafka.ReadAllAsync(log, Topics.Events, partition);
            var at = read.ToDictionary(record => record.Offset, record => record.Text);
            var own = acknowledged.Where(one => one.Key.Partition == partition).OrderBy(one => one.Key.Offset).ToArray();
            own.ShouldNotBeEmpty();
            foreach (var (position, text) in own) at[position.Offset].ShouldBe(text);
            own.Select(one => int.Parse(one.Value)).ShouldBeInOrder();
            // What came twice (see above) is a whole request again, so the first of each still stands in order.
            read.Select(record => int.Parse(record.Text)).Distinct().ShouldBeInOrder();
        }
    }

    private static async Task ReadAsync(ILogReader reader, List<string> read, int goal)
    {
        var batch = new LogBatch();
        var watch = Stopwatch.StartNew();
        while (read.Count < goal)
        {
            watch.Elapsed.ShouldBeLessThan(TestKafka.Patience, $"{read.Count} of {goal} read");
            if (reader.Read(batch, 1000) == 0) await reader.WaitAsync(TimeSpan.FromSeconds(1));
            for (var i = 0; i < batch.Count; i++) read.Add(Encoding.UTF8.GetString(batch.Value(i).Span));
        }
    }
}
