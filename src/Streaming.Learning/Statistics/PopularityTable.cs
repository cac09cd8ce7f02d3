using System.Runtime.InteropServices;
using Streaming.Core;
using Streaming.Core.Wire;

namespace Streaming.Learning.Statistics;

/// <summary>Decayed sums by key: bounded, and swept of what has decayed to nothing. One writer; readers while nobody writes.</summary>
internal sealed class PopularityTable(int keysMax, double halfLifeMs)
{
    private readonly Dictionary<ulong, int> _slots = [];
    private readonly Stack<int> _free = new();
    private Entry[] _entries = new Entry[1024];
    private int _used;
    private int _sweepAt;

    private struct Entry
    {
        public ulong Key;
        public Decayed Sum;
    }

    public int Count => _slots.Count;

    public double At(ulong key, long nowMs) =>
        _slots.TryGetValue(key, out var slot) ? _entries[slot].Sum.At(nowMs, halfLifeMs) : 0;

    public void Add(ulong key, long nowMs, double amount)
    {
        if (SlotOf(key, nowMs) is var slot and >= 0) _entries[slot].Sum.Add(nowMs, amount, halfLifeMs);
    }

    /// <summary>Takes a key's sum over from another table.</summary>
    public void Take(PopularityTable from, ulong key)
    {
        if (from._slots.TryGetValue(key, out var theirs) && SlotOf(key, 0) is var mine and >= 0) _entries[mine].Sum = from._entries[theirs].Sum;
    }

    private int SlotOf(ulong key, long nowMs)
    {
        if (_slots.TryGetValue(key, out var slot)) return slot;
        if (_slots.Count >= keysMax) return -1;
        if (!_free.TryPop(out slot)) slot = _used++;
        if (slot == _entries.Length) Array.Resize(ref _entries, slot * 2);
        _entries[slot] = new Entry { Key = key, Sum = new Decayed { TimeMs = nowMs } };
        _slots.Add(key, slot);
        return slot;
    }

    /// <summary>Looks at the next few entries and drops those not touched since <paramref name="olderThanMs"/>.</summary>
    public void Sweep(long olderThanMs, int entriesMax)
    {
        for (var i = Math.Min(entriesMax, _used); i > 0; i--)
        {
            if (_sweepAt >= _used) _sweepAt = 0;
            ref var entry = ref _entries[_sweepAt++];
            if (entry.Key == 0 || entry.Sum.TimeMs >= olderThanMs) continue;
            _slots.Remove(entry.Key);
            entry.Key = 0;
            _free.Push(_sweepAt - 1);
        }
    }

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(_used);
        writer.Int32(_sweepAt);
        writer.Values<Entry>(_entries.AsSpan(0, _used));
        writer.Int32(_free.Count);
        writer.Values<int>(_free.Reverse().ToArray());
    }

    /// <summary>Reads into a new table, so that a corrupt input leaves the present one as it is.</summary>
    public PopularityTable Read(CheckpointReader reader)
    {
        var table = new PopularityTable(keysMax, halfLifeMs) { _used = reader.Count<Entry>(keysMax) };
        table._sweepAt = reader.Count(table._used);
        table._entries = new Entry[Math.Max(1024, table._used)];
        reader.Values(table._entries.AsSpan(0, table._used));
        var free = new int[reader.Count<int>(table._used)];
        reader.Values(free.AsSpan());
        foreach (var slot in free) table._free.Push(slot);
        for (var i = 0; i < table._used; i++)
            if (table._entries[i].Key != 0 && !table._slots.TryAdd(table._entries[i].Key, i))
                throw new InvalidDataException("popularity table is corrupt: a key stands twice");
        return table;
    }
}
