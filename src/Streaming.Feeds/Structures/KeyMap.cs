namespace Streaming.Feeds.Structures;

/// <summary>
/// A reusable map from item keys to small values: an open-addressing table of indices into dense arrays, so that look-ups stay in
/// the fastest cache and going through all entries touches nothing empty. Keeps its memory over <see cref="Clear"/>. Not
/// thread-safe.
/// </summary>
internal sealed class KeyMap<T> where T : unmanaged
{
    /// <summary>Index of the entry plus one; 0 where the place is free.</summary>
    private int[] _table;
    private ulong[] _keys;
    private T[] _values;

    public KeyMap(int capacity = 256)
    {
        var size = 16;
        while (size < capacity * 2) size *= 2;
        (_table, _keys, _values) = (new int[size], new ulong[size / 2], new T[size / 2]);
    }

    public int Count { get; private set; }

    /// <summary>In order of insertion, aligned with <see cref="Values"/>.</summary>
    public ReadOnlySpan<ulong> Keys => _keys.AsSpan(0, Count);

    public ReadOnlySpan<T> Values => _values.AsSpan(0, Count);

    public void Clear()
    {
        Array.Clear(_table);
        Count = 0;
    }

    /// <summary>The value of a key, default when it is new. Valid until the next call.</summary>
    public ref T GetOrAdd(ulong key, out bool existed)
    {
        if (Count == _keys.Length) Grow();
        var at = Find(key);
        var index = _table[at] - 1;
        existed = index >= 0;
        if (!existed)
        {
            index = Count++;
            _table[at] = Count;
            (_keys[index], _values[index]) = (key, default);
        }
        return ref _values[index];
    }

    public bool Contains(ulong key) => _table[Find(key)] != 0;

    // Keys are hashes with full avalanche, so their low bits are a good start. The table is never more than half full.
    private int Find(ulong key)
    {
        var (table, keys) = (_table, _keys);
        var at = (int)key & (table.Length - 1);
        while (table[at] != 0 && keys[table[at] - 1] != key) at = (at + 1) & (table.Length - 1);
        return at;
    }

    private void Grow()
    {
        _table = new int[_table.Length * 2];
        Array.Resize(ref _keys, _keys.Length * 2);
        Array.Resize(ref _values, _values.Length * 2);
        for (var i = 0; i < Count; i++) _table[Find(_keys[i])] = i + 1;
    }
}
