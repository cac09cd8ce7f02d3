using Streaming.Core.Events;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>The shard's own state beside its users': position, clock, counts, what waits, and changed weights.</summary>
public sealed partial class UserShard
{
    private const byte MetaVersion = 2;

    private void SaveMeta()
    {
        _value.Clear();
        _value.Byte(MetaVersion);
        _value.Int64(_nextOffset);
        _value.Int64(_clockMs);
        _value.UInt64(StateFold);
        WriteCounts();
        _wakes.Write(_value);
        _refresh.Write(_value);
        _forgotten.Write(_value);
        _weights.Write(_value);
        _meta.Write(_value.WrittenSpan);
    }

    private void WriteCounts()
    {
        foreach (var count in (ReadOnlySpan<long>)[_counts.Applied, _counts.Repeats, _counts.Forgotten, _counts.DeadLetters, _counts.Ticks,
                     _counts.Restarts, _counts.Lists, _counts.Passivated, _counts.Loaded]) _value.Int64(count);
    }

    private static UserHostCounts ReadCounts(ref ByteReader from) => new(
        from.Int64(), from.Int64(), from.Int64(), from.Int64(), from.Int64(), from.Int64(), from.Int64(), from.Int64(), from.Int64(), 0);

    private void LoadMeta()
    {
        _value.Clear();
        if (!_meta.TryRead(_value)) return;
        var from = new ByteReader(_value.WrittenSpan);
        var version = from.Version(MetaVersion, "the shard's state");
        _nextOffset = _flushedOffset = from.Int64();
        _clockMs = _flushedClockMs = from.Int64();
        StateFold = from.UInt64();
        _counts = ReadCounts(ref from);
        _wakes.Read(ref from);
        _refresh.Read(ref from);
        _forgotten.Read(ref from);
        // The first version knew of no changed weights.
        Weigh(version == 1 ? ChangedWeights.None : ChangedWeights.Read(ref from));
        _flushedWeights = _weights;
    }
}
