using Confluent.Kafka;
using Streaming.Core.Log;

namespace Streaming.Kafka;

/// <summary>One AppendAsync call: completes when each of its records is acknowledged or has failed. One task per call, not per record.</summary>
internal sealed class AppendCall(int id, ReadOnlyMemory<LogEntry> entries)
{
    private readonly TaskCompletionSource<LogPosition[]> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LogPosition[] _positions = new LogPosition[entries.Length];
    private int _open = entries.Length;
    private Error? _error;

    /// <summary>Unique among the calls under way; travels with each record to its delivery report.</summary>
    public int Id => id;

    public ReadOnlyMemory<LogEntry> Entries => entries;

    /// <summary>Fails with a <see cref="KafkaException"/> of the first record that failed.</summary>
    public Task<LogPosition[]> Task => _done.Task;

    /// <summary>True when this was the last open record.</summary>
    public bool Delivered(int index, LogPosition position)
    {
        _positions[index] = position;
        return Close(1);
    }

    /// <summary><paramref name="count"/> records have failed, or will not be sent. True when no other is open.</summary>
    public bool Failed(Error error, int count)
    {
        Interlocked.CompareExchange(ref _error, error, null);
        return Close(count);
    }

    private bool Close(int count)
    {
        if (Interlocked.Add(ref _open, -count) != 0) return false;
        if (_error is { } error) _done.SetException(new KafkaException(error));
        else _done.SetResult(_positions);
        return true;
    }
}
