using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Streaming.Core.Log;
using Streaming.Kafka.Native;

namespace Streaming.Kafka;

/// <summary>
/// One librdkafka client that fetches for many readers, each partition into a queue of its own: a handful of native threads and
/// connections per log, where a consumer object per reader would cost that much for each. A partition is open at most once
/// per fetcher, so a second reader of the same partition lives on another one.
/// </summary>
internal sealed unsafe class KafkaFetcher : IDisposable
{
    private readonly KafkaClients _clients;
    private readonly HashSet<(string Topic, int Partition)> _open = [];
    private readonly Lock _lock = new();
    private readonly GCHandle _self;

    public KafkaFetcher(KafkaClients clients)
    {
        _clients = clients;
        _self = GCHandle.Alloc(this);
        try
        {
            Client = Librdkafka.NewClient(Librdkafka.TypeConsumer, clients.Fetcher(), new() { Log = &Log, Opaque = GCHandle.ToIntPtr(_self) });
        }
        catch
        {
            _self.Free();
            throw;
        }
    }

    public nint Client { get; }

    public void Report(string what) => _clients.Report(what);

    /// <summary>False when this fetcher reads the partition already.</summary>
    public bool TryReserve(TopicPartition partition)
    {
        lock (_lock) return _open.Add((partition.Topic, partition.Partition.Value));
    }

    public void Release(TopicPartition partition)
    {
        lock (_lock) _open.Remove((partition.Topic, partition.Partition.Value));
    }

    /// <summary>Call when all readers are closed.</summary>
    public void Dispose()
    {
        Librdkafka.rd_kafka_destroy(Client); // joins its threads: no callback after this
        _self.Free();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Log(nint client, int level, byte* facility, byte* text)
    {
        const int error = 3; // syslog's levels: below are critical ones, above warnings and chatter
        if (client == 0 || level > error) return;
        var opaque = Librdkafka.rd_kafka_opaque(client);
        if (opaque != 0 && GCHandle.FromIntPtr(opaque).Target is KafkaFetcher fetcher)
            fetcher.Report($"Kafka fetcher: {Librdkafka.Text(text)}");
    }
}
