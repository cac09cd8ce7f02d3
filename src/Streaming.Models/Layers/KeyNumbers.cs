using Streaming.Core.Ids;

namespace Streaming.Models.Layers;

/// <summary>Numbers the distinct keys of a mini-batch from 1, in order of first appearance; key 0 is number 0. Kept and cleared, it allocates nothing.</summary>
public sealed class KeyNumbers
{
    private ulong[] _cells = new ulong[1024];
    private int[] _numbers = new int[1024];
    private int[] _stamps = new int[1024];
    private ulong[] _keys = new ulong[512];
    private int _stamp = 1;

    /// <summary>Distinct keys so far, key 0 included.</summary>
    public int Count { get; private set; } = 1;

    /// <summary>The keys by number; 0 is the first.</summary>
    public ReadOnlySpan<ulong> Keys => _keys.AsSpan(0, Count);

    public void Clear()
    {
        Count = 1;
        if (++_stamp != int.MaxValue) return;
        Array.Clear(_stamps);
        _stamp = 1;
    }

    /// <summary>The number of a key; <paramref name="isNew"/> when it is the first time.</summary>
    public int Add(ulong key, out bool isNew)
    {
        isNew = false;
        if (key == 0) return 0;
        var mask = _cells.Length - 1;
        for (var cell = (int)StableHash.Finalise(key) & mask; ; cell = (cell + 1) & mask)
        {
            if (_stamps[cell] != _stamp)
            {
                isNew = true;
                return Place(cell, key);
            }
            if (_cells[cell] == key) return _numbers[cell];
        }
    }

    /// <inheritdoc cref="Add(ulong, out bool)"/>
    public int Add(ulong key) => Add(key, out _);

    private int Place(int cell, ulong key)
    {
        if (Count == _keys.Length) Array.Resize(ref _keys, _keys.Length * 2);
        _keys[Count] = key;
        (_cells[cell], _numbers[cell], _stamps[cell]) = (key, Count, _stamp);
        if (++Count * 2 > _cells.Length) Grow();
        return Count - 1;
    }

    private void Grow()
    {
        var size = _cells.Length * 2;
        (_cells, _numbers, _stamps, _stamp) = (new ulong[size], new int[size], new int[size], 1);
        for (var number = 1; number < Count; number++)
        {
            var cell = (int)StableHash.Finalise(_keys[number]) & (size - 1);
            while (_stamps[cell] == _stamp) cell = (cell + 1) & (size - 1);
            (_cells[cell], _numbers[cell], _stamps[cell]) = (_keys[number], number, _stamp);
        }
    }
}
