using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Exact maximum inner product search by a scan over contiguous rows. Bounded: when it is full, a new item takes the place of the
/// one touched longest ago. One thread writes while nobody reads; then any number may read.
/// </summary>
public sealed class FlatVectorIndex
{
    private const int None = -1;

    private readonly Dictionary<ulong, int> _slots = [];
    private readonly int _capacity;
    private readonly int _stride;
    private float[] _rows;
    private ulong[] _keys;

    // A doubly linked list through the slots, oldest touch first.
    private int[] _older;
    private int[] _newer;
    private int _oldest = None;
    private int _newest = None;

    public FlatVectorIndex(int dim, int capacity)
    {
        (Dim, _capacity, _stride) = (dim, capacity, VectorMath.Stride(dim));
        var size = Math.Min(capacity, 64);
        (_rows, _keys, _older, _newer) = (new float[size * _stride], new ulong[size], new int[size], new int[size]);
    }

    public int Dim { get; }
    public int Count { get; private set; }

    /// <summary>Inserts or replaces the item's vector, shape [<see cref="Dim"/>], and touches the item.</summary>
    public void Set(ulong item, ReadOnlySpan<float> vector)
    {
        if (vector.Length != Dim) throw new ArgumentException($"the vector has {vector.Length} numbers, the index {Dim}", nameof(vector));
        if (_slots.TryGetValue(item, out var slot)) Unlink(slot);
        else
        {
            slot = Count < _capacity ? Append() : Evict();
            _slots[item] = slot;
            _keys[slot] = item;
        }
        vector.CopyTo(_rows.AsSpan(slot * _stride, Dim));
        LinkNewest(slot);
    }

    public void Remove(ulong item)
    {
        if (!_slots.Remove(item, out var slot)) return;
        Unlink(slot);
        var last = --Count;
        if (slot == last) return;
        // The last row fills the hole, so that the scan stays contiguous.
        _rows.AsSpan(last * _stride, _stride).CopyTo(_rows.AsSpan(slot * _stride));
        _keys[slot] = _keys[last];
        _slots[_keys[slot]] = slot;
        (_older[slot], _newer[slot]) = (_older[last], _newer[last]);
        if (_older[slot] != None) _newer[_older[slot]] = slot;
        else _oldest = slot;
        if (_newer[slot] != None) _older[_newer[slot]] = slot;
        else _newest = slot;
    }

    public bool TryGet(ulong item, Span<float> into)
    {
        if (!_slots.TryGetValue(item, out var slot)) return false;
        _rows.AsSpan(slot * _stride, Dim).CopyTo(into);
        return true;
    }

    /// <summary>
    /// The items of largest inner product with the query, best first; of equal ones the smaller key first. Returns how many.
    /// </summary>
    /// <param name="query">Shape [<see cref="Dim"/>], or the same padded with zeros to a multiple of 8.</param>
    /// <param name="into">As many as are wanted.</param>
    [SkipLocalsInit]
    public int Search(ReadOnlySpan<float> query, Span<Candidate> into)
    {
        if (query.Length != _stride)
        {
            Span<float> padded = stackalloc float[_stride];
            padded.Clear();
            query.CopyTo(padded);
            return Scan(padded, into);
        }
        return Scan(query, into);
    }

    /// <summary>Items from the one touched longest ago to the newest, for the checkpoint.</summary>
    internal IEnumerable<ulong> ByTouch
    {
        get
        {
            for (var slot = _oldest; slot != None; slot = _newer[slot]) yield return _keys[slot];
        }
    }

    private int Scan(ReadOnlySpan<float> query, Span<Candidate> into)
    {
        var top = new TopK(into);
        var worst = top.Worst;
        ref var first = ref MemoryMarshal.GetReference(query[.._stride]);
        ref var row = ref MemoryMarshal.GetReference(_rows.AsSpan(0, Count * _stride));
        for (var slot = 0; slot < Count; slot++, row = ref Unsafe.Add(ref row, _stride))
        {
            var score = VectorMath.Dot(ref first, ref row, _stride);
            if (!(score >= worst)) continue;
            top.Offer(_keys[slot], score);
            worst = top.Worst;
        }
        return top.Sort();
    }

    private int Append()
    {
        if (Count == _keys.Length)
        {
            var size = Math.Min(_capacity, Count * 2);
            Array.Resize(ref _rows, size * _stride);
            Array.Resize(ref _keys, size);
            Array.Resize(ref _older, size);
            Array.Resize(ref _newer, size);
        }
        return Count++;
    }

    private int Evict()
    {
        var slot = _oldest;
        _slots.Remove(_keys[slot]);
        Unlink(slot);
        return slot;
    }

    private void LinkNewest(int slot)
    {
        (_older[slot], _newer[slot]) = (_newest, None);
        if (_newest != None) _newer[_newest] = slot;
        else _oldest = slot;
        _newest = slot;
    }

    private void Unlink(int slot)
    {
        if (_older[slot] != None) _newer[_older[slot]] = _newer[slot];
        else _oldest = _newer[slot];
        if (_newer[slot] != None) _older[_newer[slot]] = _older[slot];
        else _newest = _older[slot];
    }
}
