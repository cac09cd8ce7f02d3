using System.Diagnostics;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

/// <summary>What the Kafka log does beyond the contract suite.</summary>
public sealed class KafkaLogBehaviourTests
{
    [KafkaFact]
    public async Task The_partitions_that_a_topic_has_count_and_a_difference_from_the_settings_is_told()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        var problems = new List<string>();
        var log = new LogSettings { Partitions = 3 };
        await using var kafka = new KafkaEventLog(TestKafka.Settings(cluster.Bootstrap), log, TimeProvider.System, what => { lock (problems) problems.Add(what); });
        kafka.PartitionCount(Topics.Events).ShouldBe(4, "the mock cluster creates what is asked for, with its own default");
        lock (problems) problems.ShouldContain(what => what.Contains("4 partitions, not 3"));
        (await kafka.AppendAsync(Topics.Events, TestKafka.Entries(0, 1, partition: 3)))[0].ShouldBe(new LogPosition(3, 0));
    }

    [KafkaFact]
    public async Task A_topic_that_does_not_come_fails_with_the_command_that_makes_it()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        var settings = TestKafka.On(cluster, timeoutMs: 1_500);
        cluster.SetTopicError(settings.Prefix + Topics.Events, ErrorCode.UnknownTopicOrPart);
        await using var log = TestKafka.Open(settings);
        var message = Should.Throw<EventLogException>(() => log.PartitionCount(Topics.Events)).Message;
        message.ShouldContain("kafka-topics.sh");
        message.ShouldContain($"--topic {settings.Prefix}{Topics.Events} --partitions 4");
        cluster.SetTopicError(settings.Prefix + Topics.Events, ErrorCode.NoError);
        log.PartitionCount(Topics.Events).ShouldBe(4, "the failure is not remembered");
    }

    /// <summary>The mock cluster forgets the oldest above 5 MB a partition, as retention does.</summary>
    [KafkaFact]
    public async Task A_reader_below_the_earliest_kept_record_starts_there()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        for (var i = 0; i < 12; i++)
            await log.AppendAsync(Topics.Events, Enumerable.Range(0, 10).Select(_ => new LogEntry("k"u8.ToArray(), new byte[60_000], TestKafka.TimeMs, 0)).ToArray());
        var range = await log.RangeAsync(Topics.Events, 0);
        range.Earliest.ShouldBeGreaterThan(0);
        using var reader = log.OpenReader(Topics.Events, 0, 0);
        reader.Offset.ShouldBe(range.Earliest);
        var batch = new LogBatch();
        await UntilReadAsync(reader, batch);
        batch.Offset(0).ShouldBe(range.Earliest);
    }

    [KafkaFact]
    public async Task A_reader_beyond_the_end_is_refused()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 3, partition: 0));
        log.OpenReader(Topics.Events, 0, 3).Dispose();
        Should.Throw<EventLogException>(() => log.OpenReader(Topics.Events, 0, 4)).Message.ShouldContain("ends at offset 3");
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Several_readers_of_one_partition_do_not_disturb_each_other()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 30, partition: 0));
        var readers = new[] { 0, 10, 20 }.Select(offset => log.OpenReader(Topics.Events, 0, offset)).ToArray();
        var batch = new LogBatch();
        foreach (var reader in readers)
        {
            var from = reader.Offset;
            await UntilReadAsync(reader, batch);
            batch.Offset(0).ShouldBe(from);
        }
        readers[0].Dispose();
        using var again = log.OpenReader(Topics.Events, 0, 5);
        await UntilReadAsync(again, batch);
        batch.Offset(0).ShouldBe(5);
        foreach (var reader in readers) reader.Dispose();
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Closing_the_log_closes_its_readers_and_wakes_who_waits()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        var log = TestKafka.Open(settings);
        var reader = log.OpenReader(Topics.Events, 0, 0);
        var wait = reader.WaitAsync(TestKafka.Patience * 2).AsTask();
        await log.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(async () => await wait.WaitAsync(TestKafka.Patience));
        Should.Throw<ObjectDisposedException>(() => reader.Read(new LogBatch(), 1));
        reader.Dispose();
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Closing_the_log_finishes_the_appends_under_way()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        var first = TestKafka.Open(settings);
        first.PartitionCount(Topics.Events).ShouldBe(4);
        var append = first.AppendAsync(Topics.Events, TestKafka.Entries(0, 500, partition: 0)).AsTask();
        await first.DisposeAsync();
        (await append.WaitAsync(TestKafka.Patience)).Length.ShouldBe(500);
        await using var second = TestKafka.Open(settings);
        (await TestKafka.ReadAllAsync(second, Topics.Events, 0)).Count.ShouldBe(500);
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task A_full_queue_makes_appends_wait_and_keeps_their_order()
    {
        var settings = TestKafka.Fresh(TestKafka.Log) with { QueueRecordsMax = 16 };
        await using var log = TestKafka.Open(settings);
        var positions = await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 1_000, partition: 0)).AsTask().WaitAsync(TestKafka.Patience);
        positions.Select(position => position.Offset).ShouldBe(Enumerable.Range(0, 1_000).Select(i => (long)i));
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Select(record => record.Text).ShouldBe(Enumerable.Range(0, 1_000).Select(i => $"{i}"));
        await TestKafka.RemoveAsync(settings);
    }

    /// <summary>Budget: the positions (16 bytes each), and 4 kB for the call itself.</summary>
    [KafkaFact]
    public async Task Appending_allocates_little_more_than_its_result()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        var entries = TestKafka.Entries(0, 1_000);
        for (var warm = 0; warm < 5; warm++) await log.AppendAsync(Topics.Events, entries);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var append = log.AppendAsync(Topics.Events, entries).AsTask(); // sends all records before it returns
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(entries.Length * 16 + 4_096);
        await append.WaitAsync(TestKafka.Patience);
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Reading_allocates_nothing_once_warm()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        await log.AppendAsync(Topics.Events, TestKafka.Entries(0, 10_000, partition: 0));
        using var reader = log.OpenReader(Topics.Events, 0, 0);
        var batch = new LogBatch();
        while (reader.Offset < 2_000) if (reader.Read(batch, 500) == 0) await reader.WaitAsync(TimeSpan.FromSeconds(1));
        long read = 0, bytes = 0;
        while (reader.Offset < 10_000)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var got = reader.Read(batch, 500);
            bytes += GC.GetAllocatedBytesForCurrentThread() - before;
            read += got;
            if (got == 0) await reader.WaitAsync(TimeSpan.FromSeconds(1));
        }
        read.ShouldBeGreaterThan(7_000);
        bytes.ShouldBe(0);
        await TestKafka.RemoveAsync(settings);
    }

    private static async Task UntilReadAsync(ILogReader reader, LogBatch batch)
    {
        var watch = Stopwatch.StartNew();
        while (reader.Read(batch, 100) == 0)
        {
            watch.Elapsed.ShouldBeLessThan(TestKafka.Patience);
            await reader.WaitAsync(TimeSpan.FromSeconds(1));
        }
    }
}
