using System.Runtime.InteropServices;
using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>
/// One record of an <see cref="AppendCall"/> on its way: the producer's key and value type, so that a delivery report finds
/// its call without a closure per record.
/// </summary>
internal readonly record struct AppendSlot(AppendCall Call, int Index, int Bytes)
{
    public static readonly ISerializer<AppendSlot> Key = new Part(static entry => entry.Key);
    public static readonly ISerializer<AppendSlot> Value = new Part(static entry => entry.Value);

    private sealed class Part(Func<LogEntry, ReadOnlyMemory<byte>> of) : ISerializer<AppendSlot>
    {
        public byte[] Serialize(AppendSlot slot, SerializationContext context)
        {
            var bytes = of(slot.Call.Entries.Span[slot.Index]);
            // librdkafka copies what it is given, so a whole array may be handed over as it is.
            return MemoryMarshal.TryGetArray(bytes, out var segment) && segment.Array!.Length == segment.Count ? segment.Array : bytes.ToArray();
        }
    }
}

/// <summary>One AppendAsync call: completes when each of its records is acknowledged or has failed. One task per call, not per record.</summary>
internal sealed class AppendCall(ReadOnlyMemory<LogEntry> entries)
{
    private readonly TaskCompletionSource<LogPosition[]> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LogPosition[] _positions = new LogPosition[entries.Length];
    private int _open = entries.Length;
    private Error? _error;
    private bool _placeUnknown;

    public ReadOnlyMemory<LogEntry> Entries => entries;

    public Task<LogPosition[]> Task => _done.Task;

    /// <summary>The first error of any record, once <see cref="Task"/> has failed.</summary>
    public Error? Error => _error;

    public void Delivered(int index, DeliveryReport<AppendSlot, AppendSlot> report)
    {
        if (report.Error.IsError) Interlocked.CompareExchange(ref _error, report.Error, null);
        else if (report.Offset.Value < 0) _placeUnknown = true; // a broker that knew it for a repeat, but not where it lies
        else _positions[index] = new LogPosition(report.Partition.Value, report.Offset.Value);
        Close(1);
    }

    /// <summary>The last <paramref name="unsent"/> records will not be sent.</summary>
    public void Abandon(Error error, int unsent)
    {
        Interlocked.CompareExchange(ref _error, error, null);
        Close(unsent);
    }

    private void Close(int count)
    {
        if (Interlocked.Add(ref _open, -count) != 0) return;
        if (_error is { } error) _done.SetException(new KafkaException(error));
        else if (_placeUnknown)
            _done.SetException(new KafkaException(new Error(ErrorCode.DuplicateSequenceNumber, "stored, but the broker no longer knows at which offset")));
        else _done.SetResult(_positions);
    }
}
