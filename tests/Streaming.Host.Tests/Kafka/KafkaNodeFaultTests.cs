using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using Streaming.Kafka;
using Streaming.Node;

namespace Streaming.Host.Tests.Kafka;

/// <summary>A node under load while its brokers fail, on a mock cluster of its own: it stays up, and every acknowledged event is in the state once.</summary>
public sealed class KafkaNodeFaultTests
{
    private const int Users = 10;

    [KafkaFact]
    public async Task Brokers_that_fail_under_load_cost_no_event_and_double_none()
    {
        using var mock = new MockKafkaCluster(brokers: 3);
        var settings = SettingsOn(mock);
        await using var live = await LiveNode.StartAsync(settings);
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, Users).Select(u => SendAsync(live, $"u{u}", stop.Token)).ToArray();
        var acknowledged = 0L;
        foreach (var fault in Faults(mock, settings.Kafka.Prefix))
        {
            fault();
            var goal = acknowledged + 3 * Users;
            await live.UntilAsync(() => Task.FromResult(clients.Sum(c => Interlocked.Read(ref c.Acknowledged))), seen => (acknowledged = seen) >= goal);
        }
        await stop.CancelAsync();
        await Task.WhenAll(clients.Select(c => c.Done));
        foreach (var client in clients)
            await live.UntilAsync(() => live.Node.AskUserAsync(client.User, s => s?.Events ?? 0), events => events >= client.Acknowledged);
        // Whoever would be applied twice would still be under way: a look after everything that is in the log.
        (await live.FeedAfterAsync("last", """{"type":"click","user":"last","item":"i1"}""")).GetProperty("source").GetString().ShouldBe("own");
        foreach (var client in clients) (await live.Node.AskUserAsync(client.User, s => s!.Events)).ShouldBe(client.Acknowledged, client.User);
    }

    [KafkaFact]
    public async Task While_no_broker_answers_lists_are_served_and_the_node_says_what_is_wrong_and_then_goes_on()
    {
        using var mock = new MockKafkaCluster(brokers: 1);
        await using var live = await LiveNode.StartAsync(SettingsOn(mock, timeoutMs: 1_000));
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i1","event_id":"ann-1"}""");
        await live.FeedAfterAsync("bob", """{"type":"click","user":"bob","item":"i2"}""");
        mock.BrokerDown(1);
        // Whatever the node does meanwhile fails: ticks, commits, looks at the backlog. None of it ends the node.
        await live.UntilAsync(() => Task.FromResult(live.Notices.Any(n => n.Level == NoticeLevel.Error && n.Message.Contains("Kafka:Bootstrap"))), seen => seen);
        var refused = await live.PostAsync("/v1/events", """{"type":"click","user":"ann","item":"i2","event_id":"ann-2"}""");
        refused.Status.ShouldBe(503);
        refused.Text.ShouldContain("Kafka:Bootstrap");
        var served = await live.GetAsync("/v1/feed/ann");
        served.Status.ShouldBe(200);
        served.Json.GetProperty("source").GetString().ShouldBe("own");
        mock.BrokerUp(1);
        await live.UntilAsync(() => Task.FromResult(live.Notices.Any(n => n.Message.Contains("takes records again"))), again => again);
        await live.UntilAsync(() => live.PostAsync("/v1/events", """{"type":"click","user":"ann","item":"i2","event_id":"ann-2"}"""), answer => answer.Status == 200);
        (await live.FeedAfterAsync("ann", """{"type":"click","user":"ann","item":"i3"}""")).ItemIds().ShouldNotContain("i3");
        (await live.Node.AskUserAsync("ann", s => s!.Positives)).ShouldBe(3);
    }

    private static IEnumerable<Action> Faults(MockKafkaCluster mock, string prefix)
    {
        yield return () => { };
        yield return () => MoveLeaders(mock, prefix, 1);
        yield return () =>
        {
            mock.PushRequestErrors(MockKafkaCluster.Produce, ErrorCode.NotLeaderForPartition, ErrorCode.NotEnoughReplicas, ErrorCode.RequestTimedOut);
            mock.PushRequestErrors(MockKafkaCluster.Fetch, ErrorCode.NotLeaderForPartition, ErrorCode.Local_Transport, ErrorCode.KafkaStorageError);
        };
        yield return () =>
        {
            mock.PushRequestErrors(MockKafkaCluster.AddPartitionsToTransaction, ErrorCode.ConcurrentTransactions);
            mock.PushRequestErrors(MockKafkaCluster.TransactionOffsetCommit, ErrorCode.GroupLoadInProgress);
            mock.PushRequestErrors(MockKafkaCluster.EndTransaction, ErrorCode.NotCoordinatorForGroup, ErrorCode.Local_Transport);
        };
        yield return () => mock.SetRoundTrip(2, 300);
        yield return () =>
        {
            mock.SetRoundTrip(2, 0);
            for (var broker = 1; broker <= mock.Brokers; broker++) mock.BrokerDown(broker);
            for (var broker = 1; broker <= mock.Brokers; broker++) mock.BrokerUp(broker);
        };
        yield return () => MoveLeaders(mock, prefix, 2);
    }

    private static void MoveLeaders(MockKafkaCluster mock, string prefix, int by)
    {
        foreach (var topic in (string[])[Topics.Events, Topics.Examples, Topics.UserState])
            for (var p = 0; p < 2; p++) mock.SetLeader(prefix + topic, p, 1 + (p + by) % mock.Brokers);
    }

    private static StreamingSettings SettingsOn(MockKafkaCluster mock, int timeoutMs = 3_000)
    {
        var settings = LiveNode.SmallSettings with
        {
            Log = LiveNode.SmallSettings.Log with { Kind = "kafka", RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 18 },
            Kafka = new KafkaSettings { Bootstrap = mock.Bootstrap, Prefix = "fault-", FetchWaitMs = 10, TimeoutMs = timeoutMs },
        };
        foreach (var topic in Topics.All) mock.CreateTopic(settings.Kafka.Prefix + topic, topic == Topics.DeadLetter ? 1 : settings.Log.Partitions);
        return settings;
    }

    private sealed class Client(string user)
    {
        public string User => user;
        public long Acknowledged;
        public Task Done = Task.CompletedTask;
    }

    /// <summary>One event after the other, each again under the same id until it is acknowledged.</summary>
    private static Client SendAsync(LiveNode live, string user, CancellationToken stop)
    {
        var client = new Client(user);
        client.Done = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var json = $$"""{"type":"click","user":"{{user}}","item":"i{{client.Acknowledged % 50}}","event_id":"{{user}}-{{client.Acknowledged}}"}""";
                // Not cancelled while it is not known whether the event is in the log.
                while ((await live.PostAsync("/v1/events", json)).Status != 200) await Task.Yield();
                Interlocked.Increment(ref client.Acknowledged);
            }
        }, CancellationToken.None);
        return client;
    }
}
