using System.Collections.Concurrent;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// Positions of consumer groups, kept in Kafka's own group offsets. One client per group that commits here; it is no member of
/// the group (partitions are assigned by hand), so nothing rebalances.
/// </summary>
internal sealed class KafkaGroups(KafkaClients clients, KafkaTopics topics, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, Lazy<Group>> _groups = new(StringComparer.Ordinal);

    private sealed class Group(IConsumer<Ignore, Ignore> client)
    {
        public IConsumer<Ignore, Ignore> Client => client;

        /// <summary>Commits of a group go one after the other, or an older position could overtake a newer one.</summary>
        public SemaphoreSlim Turn { get; } = new(1, 1);
    }

    public async Task CommitAsync(string group, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel)
    {
        if (next.Count == 0) return;
        await CallAsync(group, $"cannot commit positions of group '{group}' in '{topic}'", client =>
        {
            client.Commit(next.Select(position => new TopicPartitionOffset(topics.Get(topic, position.Partition), position.Offset)));
            return true;
        }, cancel);
    }

    public Task<IReadOnlyList<LogPosition>> CommittedAsync(string group, string topic, CancellationToken cancel) =>
        CallAsync<IReadOnlyList<LogPosition>>(group, $"cannot read the positions of group '{group}' in '{topic}'", client =>
            [.. client.Committed(topics.Get(topic).Partitions, TimeSpan.FromMilliseconds(clients.Kafka.TimeoutMs))
                .Where(committed => committed.Offset.Value >= 0)
                .Select(committed => new LogPosition(committed.Partition.Value, committed.Offset.Value))], cancel);

    public void Dispose()
    {
        foreach (var group in _groups.Values)
        {
            group.Value.Turn.Wait();
            group.Value.Client.Dispose();
            group.Value.Turn.Release();
        }
        _groups.Clear();
    }

    private async Task<T> CallAsync<T>(string group, string what, Func<IConsumer<Ignore, Ignore>, T> call, CancellationToken cancel)
    {
        var own = _groups.GetOrAdd(group, static (name, clients) => new(() => new Group(clients.Consumer(clients.Kafka.Prefix + name))), clients).Value;
        await own.Turn.WaitAsync(cancel);
        try
        {
            var started = time.GetTimestamp();
            while (true)
            {
                try
                {
                    // The client's calls block for a round trip; they must not do so on the caller's thread.
                    return await Task.Run(() => call(own.Client), cancel);
                }
                catch (KafkaException e)
                {
                    if (!KafkaErrors.IsTransient(e.Error.Code) || time.GetElapsedTime(started).TotalMilliseconds > clients.Kafka.TimeoutMs)
                        throw clients.Exception(what, e.Error, e);
                }
                await Task.Delay(RetryInterval, time, cancel);
            }
        }
        finally
        {
            own.Turn.Release();
        }
    }
}
