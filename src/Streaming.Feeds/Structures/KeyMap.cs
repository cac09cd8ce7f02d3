namespace Streaming.Feeds.Structures;

/// <summary>
/// A reusable open-addressing map from item keys (never 0) to small values. <see cref="Clear"/> is O(1): a slot counts only
/// when its stamp is the present epoch. Not thread-safe.
/// </summary>
internal sealed class KeyMap<T> where T : unmanaged
{
    private ulong[] _keys;
    private T[] _values;
    private int[] _stamps;
    private int _epoch = 1;
    private int _mask;

    public KeyMap(int capacity = 256)
    {
        var size = 16;
        while (size < capacity * 2) size *= 2;
        (_keys, _values, _stamps, _mask) = (new ulong[size], new T[size], new int[size], size - 1);
    }

    public int Count { get; private set; }

    public void Clear()
    {
        Count = 0;
        if (_epoch++ != int.MaxValue) return;
        Array.Clear(_stamps);
        _epoch = 1;
    }

    /// <summary>The value of a key, default when it is new. Valid until the next call.</summary>
    public ref T GetOrAdd(ulong key, out bool existed)
    {
        if (Count * 2 > _mask) Grow();
        var at = Find(key);
        existed = _stamps[at] == _epoch;
        if (!existed)
        {
            (_keys[at], _values[at], _stamps[at]) = (key, default, _epoch);
            Count++;
        }
        return ref _values[at];
    }

    public bool Contains(ulong key) => _stamps[Find(key)] == _epoch;

    public Enumerator GetEnumerator() => new(this);

    // Keys are hashes with full avalanche, so their low bits are a good start.
    private int Find(ulong key)
    {
        var at = (int)key & _mask;
        while (_stamps[at] == _epoch && _keys[at] != key) at = (at + 1) & _mask;
        return at;
    }

    private void Grow()
    {
        var (keys, values, stamps, epoch) = (_keys, _values, _stamps, _epoch);
        var size = keys.Length * 2;
        (_keys, _values, _stamps, _mask) = (new ulong[size], new T[size], new int[size], size - 1);
        for (var i = 0; i < keys.Length; i++)
        {
            if (stamps[i] != epoch) continue;
            var at = Find(keys[i]);
            (_keys[at], _values[at], _stamps[at]) = (keys[i], values[i], epoch);
        }
    }

    /// <summary>In slot order: callers must not let it matter.</summary>
    public struct Enumerator(KeyMap<T> map)
    {
        private int _at = -1;

        public readonly (ulong Key, T Value) Current => (map._keys[_at], map._values[_at]);

        public bool MoveNext()
        {
            while (++_at < map._keys.Length)
                if (map._stamps[_at] == map._epoch) return true;
            return false;
        }
    }
}
