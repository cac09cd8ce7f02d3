using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

/// <summary>Other clients may write transactions; readers see what was committed. And what else only real brokers can show.</summary>
public sealed class KafkaTransactionTests
{
    [KafkaFact]
    public Task A_committed_transaction_is_read() => TransactionAsync(abort: false, expected: ["before", "inside", "after"]);

    [RealBrokerFact("does not isolate aborted transactions")]
    public Task An_aborted_transaction_is_not_read_and_the_reader_reaches_the_end() => TransactionAsync(abort: true, expected: ["before", "after"]);

    [RealBrokerFact("keeps 5 MB a partition")]
    public async Task A_partition_of_twenty_megabytes_is_read_whole()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        for (var i = 0; i < 20; i++)
            await log.AppendAsync(Topics.Events, Enumerable.Range(0, 20).Select(_ => new LogEntry("k"u8.ToArray(), new byte[50_000], TestKafka.TimeMs, 0)).ToArray());
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Count.ShouldBe(400);
        await TestKafka.RemoveAsync(settings);
    }

    [RealBrokerFact("has no topic creation through the admin client")]
    public async Task Topics_are_created_with_the_configured_partitions_and_retention()
    {
        var settings = TestKafka.Settings(TestKafka.RealBootstrap!);
        await using var log = new KafkaEventLog(settings, new LogSettings { Partitions = 3, RetentionHours = 5, RetentionMbPerPartition = 7 }, TimeProvider.System);
        log.PartitionCount(Topics.Events).ShouldBe(3);
        log.PartitionCount(Topics.DeadLetter).ShouldBe(1);
        log.PartitionCount(Topics.Items).ShouldBe(3);
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = settings.Bootstrap }).Build();
        var events = await ConfigAsync(admin, settings.Prefix + Topics.Events);
        events["retention.ms"].Value.ShouldBe("18000000");
        events["retention.bytes"].Value.ShouldBe("7340032");
        (await ConfigAsync(admin, settings.Prefix + Topics.Items))["cleanup.policy"].Value.ShouldBe("compact");
        await TestKafka.RemoveAsync(settings);
    }

    private static async Task<Dictionary<string, ConfigEntryResult>> ConfigAsync(IAdminClient admin, string topic) =>
        (await admin.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Topic, Name = topic }]))[0].Entries;

    private static async Task TransactionAsync(bool abort, string[] expected)
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        log.PartitionCount(Topics.Events).ShouldBe(4);
        var at = new TopicPartition(settings.Prefix + Topics.Events, 0);
        await log.AppendAsync(Topics.Events, new[] { new LogEntry("k"u8.ToArray(), "before"u8.ToArray(), TestKafka.TimeMs, 0) });
        using (var other = new ProducerBuilder<string, string>(new ProducerConfig
        {
            BootstrapServers = settings.Bootstrap, TransactionalId = settings.Prefix + "writer",
        }).Build())
        {
            other.InitTransactions(TestKafka.Patience);
            other.BeginTransaction();
            other.Produce(at, new Message<string, string> { Key = "k", Value = "inside" });
            other.Flush(TestKafka.Patience);
            if (abort) other.AbortTransaction(TestKafka.Patience);
            else other.CommitTransaction(TestKafka.Patience);
        }
        await log.AppendAsync(Topics.Events, new[] { new LogEntry("k"u8.ToArray(), "after"u8.ToArray(), TestKafka.TimeMs, 0) });
        (await TestKafka.ReadAllAsync(log, Topics.Events, 0)).Select(record => record.Text).ShouldBe(expected);
        await TestKafka.RemoveAsync(settings);
    }
}
