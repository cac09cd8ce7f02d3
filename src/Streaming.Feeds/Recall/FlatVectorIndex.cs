using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Exact maximum inner product search by a scan over contiguous rows. Bounded: when it is full, a new item takes the place of the
/// one touched longest ago. An item keeps its slot for as long as it is here. One thread writes while nobody reads; then any
/// number may read.
/// </summary>
public sealed partial class FlatVectorIndex
{
    private const int None = -1;

    private readonly Dictionary<ulong, int> _slots = [];

    /// <summary>Slots that were left; their rows are NaN, which no score of a scan survives, and their keys 0.</summary>
    private readonly List<int> _free = [];
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
    public int Count => _slots.Count;

    /// <summary>Slots 0 to this less one have been taken, some of them left again.</summary>
    internal int SlotsUsed { get; private set; }

    /// <summary>Padded rows, shape [slots, <see cref="Stride"/>].</summary>
    internal float[] Rows => _rows;

    internal int Stride => _stride;

    /// <summary>Slot of the item touched longest ago; -1 when there is none.</summary>
    internal int OldestSlot => _oldest;

    internal bool IsFull => Count == _capacity;

    /// <summary>The item in a slot; 0 when it was left.</summary>
    internal ulong KeyAt(int slot) => _keys[slot];

    /// <summary>The item's slot; -1 when it is not here.</summary>
    internal int SlotOf(ulong item) => _slots.TryGetValue(item, out var slot) ? slot : None;

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
        Leave(slot);
        _free.Add(slot);
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
        ref var row = ref MemoryMarshal.GetReference(_rows.AsSpan(0, SlotsUsed * _stride));
        for (var slot = 0; slot < SlotsUsed; slot++, row = ref Unsafe.Add(ref row, _stride))
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
        if (_free.Count > 0)
        {
            var left = _free[^1];
            _free.RemoveAt(_free.Count - 1);
            // The padding of a row that was left is not 0.
            _rows.AsSpan(left * _stride, _stride).Clear();
            return left;
        }
        if (SlotsUsed == _keys.Length) Grow(Math.Min(_capacity, SlotsUsed * 2));
        return SlotsUsed++;
    }

    private void Grow(int size)
    {
        Array.Resize(ref _rows, size * _stride);
        Array.Resize(ref _keys, size);
        Array.Resize(ref _older, size);
        Array.Resize(ref _newer, size);
    }

    private void Leave(int slot)
    {
        _keys[slot] = 0;
        _rows.AsSpan(slot * _stride, _stride).Fill(float.NaN);
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
