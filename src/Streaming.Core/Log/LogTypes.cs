using System.Globalization;

namespace Streaming.Core.Log;

/// <summary>
/// The topics of the event log. All are keyed by user but <see cref="Items"/>, keyed by item, <see cref="Experiments"/>, by version, and
/// <see cref="Operations"/>, which have no key.
/// </summary>
public static class Topics
{
    public const string Events = "events";
    public const string Items = "items";
    public const string Examples = "examples";
    public const string Models = "models";
    public const string Feeds = "feeds";
    public const string DeadLetter = "dead-letter";

    /// <summary>Users' states as of the last committed round, where the log knows transactions (<see cref="ITransactionalLog"/>); else empty.</summary>
    public const string UserState = "user-state";

    /// <summary>Versions of the experiments, and so their audit: one partition, as their order decides, and kept for good.</summary>
    public const string Experiments = "experiments";

    /// <summary>What operators did to nodes beside the experiments, their audit: one partition, kept for good.</summary>
    public const string Operations = "operations";

    public static readonly IReadOnlyList<string> All = [Events, Items, Examples, Models, Feeds, DeadLetter, UserState, Experiments, Operations];

    /// <summary>Whether the last record of each key is kept for good, instead of all records for a time.</summary>
    public static bool IsCompacted(string topic) => topic is Items or UserState;

    /// <summary>Whether retention removes none of its records: it says who changed what.</summary>
    public static bool IsAudit(string topic) => topic is Experiments or Operations;

    /// <summary>Partitions of a topic where <c>Log:Partitions</c> is <paramref name="partitions"/>.</summary>
    public static int PartitionsOf(string topic, int partitions) => topic == DeadLetter || IsAudit(topic) ? 1 : partitions;
}

/// <summary>Where a record is. Offsets of a partition strictly increase; they are dense on Kafka and sparse on the embedded log.</summary>
public readonly record struct LogPosition(int Partition, long Offset)
{
    public override string ToString() => $"{Partition}:{Offset}";

    public static bool TryParse(ReadOnlySpan<char> text, out LogPosition position)
    {
        position = default;
        var colon = text.IndexOf(':');
        // Digits only: no sign, blank or separator, so that a position has one spelling.
        if (colon <= 0
            || !int.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
            || !long.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)) return false;
        position = new LogPosition(partition, offset);
        return true;
    }
}

/// <summary>A record to append. <see cref="Partition"/> -1 means Kafka's default partition of <see cref="Key"/>.</summary>
/// <param name="Key">The user's or item's id in UTF-8.</param>
/// <param name="Value">The payload.</param>
/// <param name="TimeMs">The record's own time, Unix ms; retention by time goes by it.</param>
/// <param name="Partition">Explicit partition, or -1.</param>
public readonly record struct LogEntry(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, long TimeMs, int Partition = -1);

/// <summary>The readable part of a partition: offsets in [<see cref="Earliest"/>, <see cref="End"/>). End is where the next committed record will start.</summary>
public readonly record struct LogRange(long Earliest, long End);

/// <summary>
/// A reusable arena of records read from one partition: one byte buffer and a descriptor each, so that reading allocates
/// nothing once warm. Spans handed out are valid until the next <see cref="Clear"/>.
/// </summary>
public sealed class LogBatch
{
    private byte[] _bytes = new byte[64 * 1024];
    private Entry[] _entries = new Entry[256];
    private int _used;

    private readonly record struct Entry(long Offset, long TimeMs, int KeyAt, int KeyLength, int ValueLength);

    public int Partition { get; private set; }
    public int Count { get; private set; }

    /// <summary>
    /// Wall time at which the records reached this node, Unix ms; 0 when each record's own time says it. Only latency figures use it.
    /// </summary>
    public long ReceivedMs { get; set; }

    /// <summary>Offset to continue reading from after the last record of this batch.</summary>
    public long NextOffset { get; private set; }

    public void Clear(int partition, long nextOffset)
    {
        Partition = partition;
        NextOffset = nextOffset;
        Count = 0;
        _used = 0;
    }

    /// <summary>Copies one record in. <paramref name="nextOffset"/> is where the record after it starts.</summary>
    public void Add(long offset, long nextOffset, long timeMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (Count == _entries.Length) Array.Resize(ref _entries, Count * 2);
        var need = _used + key.Length + value.Length;
        if (need > _bytes.Length) Array.Resize(ref _bytes, Math.Max(need, _bytes.Length * 2));
        key.CopyTo(_bytes.AsSpan(_used));
        value.CopyTo(_bytes.AsSpan(_used + key.Length));
        _entries[Count++] = new Entry(offset, timeMs, _used, key.Length, value.Length);
        _used = need;
        NextOffset = nextOffset;
    }

    public long Offset(int i) => At(i).Offset;
    public long TimeMs(int i) => At(i).TimeMs;

    public ReadOnlyMemory<byte> Key(int i)
    {
        var e = At(i);
        return _bytes.AsMemory(e.KeyAt, e.KeyLength);
    }

    public ReadOnlyMemory<byte> Value(int i)
    {
        var e = At(i);
        return _bytes.AsMemory(e.KeyAt + e.KeyLength, e.ValueLength);
    }

    private Entry At(int i) => i < Count ? _entries[i] : throw new ArgumentOutOfRangeException(nameof(i));
}
