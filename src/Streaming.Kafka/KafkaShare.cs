using System.Diagnostics;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// A place in a consumer group with cooperative rebalancing: a rebalance takes away only what moves. Nothing is read through it; the client stays a
/// member, and tells which partitions are this process's. A thread of its own keeps polling, and waits where a partition is asked back until the node
/// has handed it over: the group waits with it.
/// </summary>
internal sealed class KafkaShare : IPartitionShare
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly KafkaClients _clients;
    private readonly IConsumer<Ignore, Ignore> _member;
    private readonly Action _changed;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private readonly SortedSet<int> _mine = [];
    private readonly SortedSet<int> _leaving = [];
    private readonly SortedSet<int> _lost = [];
    private readonly TimeSpan _silenceMax;
    private long _asked;
    private bool _unpaused;
    private bool _closing;

    /// <param name="clients">Of the log.</param>
    /// <param name="topic">What is shared.</param>
    /// <param name="group">Its name, without the prefix.</param>
    /// <param name="changed">Told of changes, from the polling thread.</param>
    public KafkaShare(KafkaClients clients, KafkaTopic topic, string group, Action changed)
    {
        (_clients, _changed, Group, Topic) = (clients, changed, group, topic.Name);
        var kafka = clients.Kafka;
        // The group waits this long for members to come back to a rebalance: the longest hand-over, and some.
        _silenceMax = TimeSpan.FromMilliseconds(Math.Max(kafka.HandOverMsMax + 30_000, kafka.SessionTimeoutMs));
        var config = clients.Member(group, (int)_silenceMax.TotalMilliseconds);
        _member = new ConsumerBuilder<Ignore, Ignore>(config)
            .SetPartitionsAssignedHandler((_, given) => Given(given))
            .SetPartitionsRevokedHandler((_, taken) => AskedBack([.. taken.Select(p => p.Partition.Value)]))
            .SetPartitionsLostHandler((_, taken) => Lost([.. taken.Select(p => p.Partition.Value)]))
            .SetErrorHandler((_, error) => clients.Report($"Kafka group: {error.Reason}"))
            .SetLogHandler((_, line) => clients.Relay(line)).Build();
        _member.Subscribe(topic.Name);
        _thread = new Thread(Run) { IsBackground = true, Name = "kafka-group" };
        _thread.Start();
    }

    public string Group { get; }

    /// <summary>Full name of the topic.</summary>
    public string Topic { get; }

    public ShareState Now
    {
        get
        {
            lock (_gate)
            {
                _asked = Stopwatch.GetTimestamp();
                return new ShareState([.. _mine], [.. _leaving], [.. _lost]);
            }
        }
    }

    /// <summary>
    /// What a transaction has to show for moving these positions. The brokers refuse one of an earlier generation, so what is checked here after it was
    /// taken holds until it is used.
    /// </summary>
    /// <exception cref="PartitionsLostException">Some of them are not this process's any more.</exception>
    public IConsumerGroupMetadata Proof(IEnumerable<int> partitions)
    {
        var proof = _member.ConsumerGroupMetadata;
        lock (_gate)
        {
            var gone = partitions.Where(p => !_mine.Contains(p) && !_leaving.Contains(p)).ToList();
            if (gone.Count == 0) return proof;
            throw new PartitionsLostException($"partitions {string.Join(", ", gone)} of '{Topic}' are other nodes' now; what was done with them here and not committed is dropped");
        }
    }

    public void Release(IReadOnlyCollection<int> partitions)
    {
        lock (_gate)
        {
            _lost.ExceptWith(partitions);
            _leaving.ExceptWith(partitions);
            Monitor.PulseAll(_gate);
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _closing = true;
            Monitor.PulseAll(_gate);
        }
        await Task.Run(_thread.Join).ConfigureAwait(false);
    }

    private void Run()
    {
        try
        {
            while (!_closing)
            {
                if (IsSilent())
                {
                    // A node that asks no more must not keep its partitions by this thread's being alive.
                    Thread.Sleep(Poll);
                    continue;
                }
                try
                {
                    _member.Consume(Poll);
                    if (!_unpaused) continue;
                    _unpaused = false;
                    _member.Pause(_member.Assignment);
                }
                catch (KafkaException problem)
                {
                    _clients.Report($"Kafka group '{Group}': {problem.Error.Reason}");
                    Thread.Sleep(Poll);
                }
            }
        }
        finally
        {
            try
            {
                _member.Close();
            }
            catch (KafkaException problem)
            {
                _clients.Report($"the Kafka group '{Group}' was not left in order, so others wait for Kafka:SessionTimeoutMs: {problem.Error.Reason}");
            }
            _member.Dispose();
        }
    }

    private bool IsSilent()
    {
        lock (_gate) return _asked != 0 && Stopwatch.GetElapsedTime(_asked) > _silenceMax;
    }

    /// <summary>Nothing is read through this client, so it starts where nothing is, and pauses.</summary>
    private IEnumerable<TopicPartitionOffset> Given(List<TopicPartition> given)
    {
        lock (_gate)
        {
            foreach (var partition in given)
            {
                _mine.Add(partition.Partition.Value);
                _lost.Remove(partition.Partition.Value);
            }
            _unpaused = true;
        }
        _changed();
        return given.Select(partition => new TopicPartitionOffset(partition, Offset.End));
    }

    private void AskedBack(int[] partitions)
    {
        lock (_gate)
        {
            _mine.ExceptWith(partitions);
            if (_closing) return;
            _leaving.UnionWith(partitions);
        }
        _changed();
        lock (_gate)
        {
            var (asked, max) = (Stopwatch.GetTimestamp(), TimeSpan.FromMilliseconds(_clients.Kafka.HandOverMsMax));
            while (_leaving.Overlaps(partitions) && !_closing && Stopwatch.GetElapsedTime(asked) is var waited && waited < max) Monitor.Wait(_gate, max - waited);
            foreach (var p in partitions)
                if (_leaving.Remove(p)) _lost.Add(p);
        }
        _changed();
    }

    private void Lost(int[] partitions)
    {
        lock (_gate)
        {
            foreach (var p in partitions)
                if (_mine.Remove(p) | _leaving.Remove(p)) _lost.Add(p);
            Monitor.PulseAll(_gate);
        }
        _changed();
    }
}
