using System.Text;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka.Tests;

/// <summary>The log's own transactions: outputs and positions in one commit, over faults, by one writer at a time.</summary>
public sealed class KafkaTransactTests
{
    private const string Group = "outputs";

    [RealBrokerFact("does not keep the positions of a transaction")]
    public async Task Positions_are_committed_with_the_outputs()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        await log.BeginAsync();
        await log.TransactAsync(Transaction(1, ("ann", "state")));
        (await log.CommittedAsync(Group, Topics.Events)).OrderBy(p => p.Partition).ShouldBe([new LogPosition(0, 11), new LogPosition(3, 21)]);
        await TestKafka.RemoveAsync(settings);
    }

    [RealBrokerFact("does not fence")]
    public async Task A_second_writer_ends_the_first()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var first = TestKafka.Open(settings);
        await first.BeginAsync();
        await first.TransactAsync(Transaction(0, ("ann", "first")));
        await using var second = TestKafka.Open(settings);
        await second.BeginAsync();
        await second.TransactAsync(Transaction(1, ("ann", "second")));
        await Should.ThrowAsync<LogFencedException>(first.TransactAsync(Transaction(2, ("ann", "first again"))).AsTask().WaitAsync(TestKafka.Patience));
        await second.TransactAsync(Transaction(4, ("ann", "second again")));
        (await TextsAsync(second, Topics.UserState)).ShouldBe(["first", "second", "second again"]);
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Outputs_are_committed_together_and_keys_are_removed()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        await log.BeginAsync();
        await log.TransactAsync(Transaction(0, ("ann", "state 1"), ("bob", "state 1")));
        await log.TransactAsync(Transaction(1, ("ann", ""), ("bob", "state 2")));
        (await TextsAsync(log, Topics.Examples)).ShouldBe(["example 0", "example 1"]);
        (await TextsAsync(log, Topics.UserState)).Order().ShouldBe(["", "state 1", "state 1", "state 2"]);
        await TestKafka.RemoveAsync(settings);
    }

    [KafkaFact]
    public async Task Refusals_at_every_step_of_a_transaction_are_overcome()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        await log.BeginAsync().AsTask().WaitAsync(TestKafka.Patience);
        (short Request, ErrorCode[] Errors)[] faults =
        [
            (MockKafkaCluster.AddPartitionsToTransaction, [ErrorCode.ConcurrentTransactions, ErrorCode.NotCoordinatorForGroup]),
            (MockKafkaCluster.AddOffsetsToTransaction, [ErrorCode.GroupCoordinatorNotAvailable, ErrorCode.Local_Transport]),
            (MockKafkaCluster.TransactionOffsetCommit, [ErrorCode.GroupLoadInProgress]),
            (MockKafkaCluster.EndTransaction, [ErrorCode.NotCoordinatorForGroup, ErrorCode.Local_Transport]),
            (MockKafkaCluster.Produce, [ErrorCode.NotLeaderForPartition, ErrorCode.NotEnoughReplicas]),
        ];
        for (var i = 0; i < faults.Length; i++)
        {
            cluster.PushRequestErrors(faults[i].Request, faults[i].Errors);
            await log.TransactAsync(Transaction(i, ("ann", $"state {i}"))).AsTask().WaitAsync(TestKafka.Patience);
        }
        // The mock cluster keeps what an aborted transaction wrote; of those that were committed none is missing.
        (await TextsAsync(log, Topics.Examples)).Distinct().ShouldBe(["example 0", "example 1", "example 2", "example 3", "example 4"]);
    }

    [KafkaFact]
    public async Task A_broker_that_is_down_is_waited_out()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var log = TestKafka.Open(TestKafka.On(cluster), _ => lost.TrySetResult());
        await log.BeginAsync();
        await log.TransactAsync(Transaction(0, ("ann", "state 0")));
        cluster.BrokerDown(1);
        await lost.Task.WaitAsync(TestKafka.Patience);
        var commit = log.TransactAsync(Transaction(1, ("ann", "state 1"))).AsTask();
        commit.IsCompleted.ShouldBeFalse();
        cluster.BrokerUp(1);
        await commit.WaitAsync(TestKafka.Patience);
        (await TextsAsync(log, Topics.UserState)).Distinct().ShouldBe(["state 0", "state 1"]);
    }

    [KafkaFact]
    public async Task A_broker_that_stays_down_fails_in_time_and_the_same_transaction_succeeds_later()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster, timeoutMs: 1_500));
        await log.BeginAsync();
        await log.TransactAsync(Transaction(0, ("ann", "state 0")));
        cluster.BrokerDown(1);
        var refusal = await Should.ThrowAsync<EventLogException>(log.TransactAsync(Transaction(1, ("ann", "state 1"))).AsTask().WaitAsync(TestKafka.Patience));
        refusal.Message.ShouldContain("Kafka:TimeoutMs");
        refusal.ShouldNotBeOfType<LogFencedException>();
        cluster.BrokerUp(1);
        await SucceedsAsync(log, Transaction(1, ("ann", "state 1")));
        (await TextsAsync(log, Topics.Examples)).Distinct().ShouldBe(["example 0", "example 1"]);
    }

    [KafkaFact]
    public Task A_writer_that_is_told_of_another_stops_for_good() => FencedAsync(ErrorCode.ProducerFenced);

    [KafkaFact]
    public Task A_writer_whose_epoch_is_over_stops_for_good() => FencedAsync(ErrorCode.InvalidProducerEpoch);

    private static async Task FencedAsync(ErrorCode code)
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        await using var log = TestKafka.Open(TestKafka.On(cluster));
        await log.BeginAsync();
        await log.TransactAsync(Transaction(0, ("ann", "state 0")));
        cluster.PushRequestErrors(MockKafkaCluster.EndTransaction, code);
        var fenced = await Should.ThrowAsync<LogFencedException>(log.TransactAsync(Transaction(1, ("ann", "state 1"))).AsTask().WaitAsync(TestKafka.Patience));
        fenced.Message.ShouldContain("Kafka:Prefix");
        await Should.ThrowAsync<LogFencedException>(log.TransactAsync(Transaction(2)).AsTask().WaitAsync(TestKafka.Patience));
    }

    private static async Task SucceedsAsync(KafkaEventLog log, LogTransaction transaction)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await log.TransactAsync(transaction).AsTask().WaitAsync(TestKafka.Patience);
                return;
            }
            catch (EventLogException) when (tries < 20)
            {
                // The clients may still be finding out that the broker is back.
            }
        }
    }

    private static LogTransaction Transaction(int number, params (string User, string State)[] states) => new(
        [
            (Topics.Examples, [Entry("ann", $"example {number}", 0)]),
            (Topics.UserState, [.. states.Select(s => Entry(s.User, s.State, 0))]),
        ],
        Group, [(Topics.Events, [new LogPosition(0, 10 + number), new LogPosition(3, 20 + number)])]);

    private static LogEntry Entry(string key, string value, int partition) =>
        new(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value), TestKafka.TimeMs, partition);

    private static async Task<List<string>> TextsAsync(KafkaEventLog log, string topic) => [.. (await TestKafka.ReadAllAsync(log, topic, 0)).Select(r => r.Text)];
}
