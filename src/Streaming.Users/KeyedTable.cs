using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Streaming.Users;

/// <summary>
/// A map from 64-bit keys to small values that enumerates in order of insertion, whatever was removed in between. A user's state
/// is written and read back in that order, so a passivated user goes on exactly as one that stayed in memory, sums over the
/// table included. Up to <see cref="LinearMax"/> keys are searched by a vectorised scan; beyond, an open-addressing index is kept.
/// </summary>
public sealed class KeyedTable<T> : IReadOnlyDictionary<ulong, T> where T : struct
{
    private const int LinearMax = 32;

    private ulong[] _keys = [];
    private T[] _values = [];
    private int[]? _slots; // position + 1 by hash; null while a scan does or after a removal

    public int Count { get; private set; }

    public IEnumerable<ulong> Keys
    {
        get { for (var i = 0; i < Count; i++) yield return _keys[i]; }
    }

    public IEnumerable<T> Values
    {
        get { for (var i = 0; i < Count; i++) yield return _values[i]; }
    }

    public T this[ulong key]
    {
        get => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"no key {key:x}");
        set => Slot(key, out _) = value;
    }

    /// <summary>Goes by the count, not by the room taken, so that it is the same before and after passivation.</summary>
    internal long ApproxBytes => 80 + Count * (8L + Unsafe.SizeOf<T>() + (Count > LinearMax ? 12 : 0));

    public bool ContainsKey(ulong key) => Find(key) >= 0;

    public bool TryGetValue(ulong key, [MaybeNullWhen(false)] out T value)
    {
        var at = Find(key);
        value = at < 0 ? default : _values[at];
        return at >= 0;
    }

    /// <summary>The value of the key, or the type's default.</summary>
    public T GetValueOrDefault(ulong key) => TryGetValue(key, out var value) ? value : default;

    /// <exception cref="ArgumentException">The key is there already.</exception>
    public void Add(ulong key, T value)
    {
        ref var slot = ref Slot(key, out var existed);
        if (existed) throw new ArgumentException($"key {key:x} is there already", nameof(key));
        slot = value;
    }

    /// <summary>The place of the key's value, added at the end with the default value where it was absent. Valid until the next change.</summary>
    public ref T Slot(ulong key, out bool existed)
    {
        var at = Find(key);
        existed = at >= 0;
        if (existed) return ref _values[at];
        if (Count == _keys.Length) Grow(Math.Max(4, Count * 2));
        _keys[Count] = key;
        _values[Count] = default;
        Count++;
        if (_slots is not null) Index(Count - 1);
        return ref _values[Count - 1];
    }

    /// <summary>Removes a key, keeping the order of the others: O(Count).</summary>
    public bool Remove(ulong key)
    {
        var at = Find(key);
        if (at < 0) return false;
        _keys.AsSpan(at + 1, Count - at - 1).CopyTo(_keys.AsSpan(at));
        _values.AsSpan(at + 1, Count - at - 1).CopyTo(_values.AsSpan(at));
        Count--;
        _slots = null;
        return true;
    }

    public void Clear()
    {
        Count = 0;
        _slots = null;
    }

    public Enumerator GetEnumerator() => new(this);
    IEnumerator<KeyValuePair<ulong, T>> IEnumerable<KeyValuePair<ulong, T>>.GetEnumerator() => GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal ulong KeyAt(int at) => _keys[at];
    internal ref readonly T ValueAt(int at) => ref _values[at];

    /// <summary>Makes room at once for a table whose size is known.</summary>
    internal void Reserve(int count)
    {
        if (count > _keys.Length) Grow(count);
    }

    /// <summary>Keeps the positions marked true, in order. Shape of <paramref name="keep"/>: [Count].</summary>
    internal void Keep(ReadOnlySpan<bool> keep)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!keep[i]) continue;
            _keys[kept] = _keys[i];
            _values[kept++] = _values[i];
        }
        Count = kept;
        _slots = null;
    }

    private int Find(ulong key)
    {
        if (Count <= LinearMax) return _keys.AsSpan(0, Count).IndexOf(key);
        var slots = _slots ?? Reindex();
        var mask = slots.Length - 1;
        for (var slot = Home(key) & mask; ; slot = (slot + 1) & mask)
        {
            var at = slots[slot] - 1;
            if (at < 0) return -1;
            if (_keys[at] == key) return at;
        }
    }

    private static int Home(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> 33);

    private int[] Reindex()
    {
        // Twice the capacity: the load stays at or below one half until the arrays grow, which drops the index.
        _slots = new int[BitOperations.RoundUpToPowerOf2((uint)_keys.Length * 2)];
        for (var i = 0; i < Count; i++) Index(i);
        return _slots;
    }

    private void Index(int at)
    {
        var mask = _slots!.Length - 1;
        var slot = Home(_keys[at]) & mask;
        while (_slots[slot] != 0) slot = (slot + 1) & mask;
        _slots[slot] = at + 1;
    }

    private void Grow(int capacity)
    {
        _keys = Resting.Resized(_keys, capacity);
        _values = Resting.Resized(_values, capacity);
        _slots = null;
    }

    /// <summary>Enumerates in order of insertion without allocating.</summary>
    public struct Enumerator(KeyedTable<T> table) : IEnumerator<KeyValuePair<ulong, T>>
    {
        private int _at = -1;

        public readonly KeyValuePair<ulong, T> Current => new(table._keys[_at], table._values[_at]);
        readonly object IEnumerator.Current => Current;
        public bool MoveNext() => ++_at < table.Count;
        public void Reset() => _at = -1;
        public readonly void Dispose() { }
    }
}
