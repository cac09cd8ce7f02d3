using Streaming.Core.Wire;

namespace Streaming.Feeds.Recall;

public sealed partial class FlatVectorIndex
{
    /// <summary>Rows, slots, holes and the order of touch: one that is restored gives every later item the slot that this one would.</summary>
    internal void Save(CheckpointWriter writer)
    {
        writer.Int32(Dim);
        writer.Int32(SlotsUsed);
        writer.Values<ulong>(_keys.AsSpan(0, SlotsUsed));
        writer.Values<float>(_rows.AsSpan(0, SlotsUsed * _stride));
        writer.Int32(Count);
        for (var slot = _oldest; slot != None; slot = _newer[slot]) writer.Int32(slot);
        foreach (var slot in _free) writer.Int32(slot);
    }

    /// <summary>An index of this one's shape with what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">Of another shape, or not sound.</exception>
    internal FlatVectorIndex Restored(CheckpointReader reader)
    {
        reader.Expect(Dim, "dimension");
        var used = reader.Count(_capacity);
        var restored = new FlatVectorIndex(Dim, _capacity);
        restored.Grow(Math.Max(used, restored._keys.Length));
        restored.SlotsUsed = used;
        reader.Values(restored._keys.AsSpan(0, used));
        reader.Values(restored._rows.AsSpan(0, used * _stride));
        var seen = new bool[used];
        for (var left = reader.Count(used); left > 0; left--)
        {
            var slot = Slot(seen);
            if (restored._keys[slot] == 0 || !restored._slots.TryAdd(restored._keys[slot], slot)) throw new InvalidDataException("the vector index holds an item twice, or none where one should be");
            restored.LinkNewest(slot);
        }
        for (var left = used - restored.Count; left > 0; left--)
        {
            var slot = Slot(seen);
            restored.Leave(slot);
            restored._free.Add(slot);
        }
        return restored;

        int Slot(bool[] taken)
        {
            var slot = reader.Count(taken.Length - 1);
            if (taken[slot]) throw new InvalidDataException("the vector index names a slot twice");
            taken[slot] = true;
            return slot;
        }
    }
}
