using Streaming.Models.Deep;

namespace Streaming.Models.Ranking;

/// <summary>
/// A mini-batch of rows of a <see cref="RankerShape"/>, B of them: bags of weighted keys, real values, labels. A row is written as its fields' bags
/// in their order, then the bag of crosses where there is one, then the steps of the sequence, oldest first, each of S bags, then
/// <see cref="EndRow"/>. A key of 0 stands for nothing. Cleared and filled again, it allocates nothing. One thread.
/// </summary>
public sealed class FieldBatch
{
    private readonly RankerShape _shape;
    private ulong[] _keys = new ulong[256];
    private float[] _weights = new float[256];
    private int[] _ends = new int[64];
    private int[] _firstBags = [];
    private int[] _steps = [];
    private float[] _dense = [];
    private float[] _labels = [];
    private float[] _rowWeights = [];
    private int[] _positions = [];
    private int _keyCount;
    private int _bags;

    public FieldBatch(RankerShape shape)
    {
        shape.Check();
        _shape = shape;
    }

    /// <summary>Of its rows.</summary>
    public RankerShape Shape => _shape;

    /// <summary>B.</summary>
    public int Count { get; private set; }

    /// <summary>Whether all rows have the sequence of the first one, which alone has written it: candidates of one user.</summary>
    public bool SharesSequence { get; set; }

    /// <summary>Event time of the newest row, Unix ms.</summary>
    public long NewestMs { get; private set; } = long.MinValue;

    /// <summary>Shape [B, K] row-major; NaN where a label is not known, which then is not learned.</summary>
    public ReadOnlySpan<float> Labels => _labels.AsSpan(0, Count * _shape.Tasks);

    /// <summary>Shape [B], weights of the rows' losses.</summary>
    public ReadOnlySpan<float> RowWeights => _rowWeights.AsSpan(0, Count);

    /// <summary>Shape [B], zero-based positions in the list; -1 unknown.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Count);

    /// <summary>Shape [B, D] row-major.</summary>
    public ReadOnlySpan<float> Dense => _dense.AsSpan(0, Count * _shape.DenseColumns);

    /// <summary>All keys, in the order they were written.</summary>
    public ReadOnlySpan<ulong> Keys => _keys.AsSpan(0, _keyCount);

    /// <summary>Of the keys.</summary>
    public ReadOnlySpan<float> KeyWeights => _weights.AsSpan(0, _keyCount);

    private int HeadBags => _shape.Fields + (_shape.HasCrosses ? 1 : 0);

    /// <summary>Steps of a row's own sequence.</summary>
    public int Steps(int row) => _steps[row];

    /// <summary>Longest sequence of a row; 1 at least, so that tensors have a step.</summary>
    public int LongestSequence
    {
        get
        {
            var longest = 1;
            for (var row = 0; row < Count; row++) longest = Math.Max(longest, _steps[row]);
            return longest;
        }
    }

    public void Clear()
    {
        (Count, _keyCount, _bags, SharesSequence, NewestMs) = (0, 0, 0, false, long.MinValue);
    }

    /// <summary>Adds a key to the bag that is open.</summary>
    public void Add(ulong key, float weight = 1f)
    {
        if (_keyCount == _keys.Length)
        {
            Array.Resize(ref _keys, _keyCount * 2);
            Array.Resize(ref _weights, _keyCount * 2);
        }
        (_keys[_keyCount], _weights[_keyCount++]) = (key, weight);
    }

    /// <summary>Ends the bag that is open.</summary>
    public void EndBag()
    {
        if (_bags == _ends.Length) Array.Resize(ref _ends, _bags * 2);
        _ends[_bags++] = _keyCount;
    }

    /// <summary>A bag of one key.</summary>
    public void Bag(ulong key)
    {
        Add(key);
        EndBag();
    }

    /// <summary>Ends the row.</summary>
    /// <param name="dense">Shape [D], or nothing for zeros.</param>
    /// <param name="labels">Shape [K], or nothing for zeros.</param>
    /// <exception cref="ArgumentException">The bags are not those of a row.</exception>
    public void EndRow(ReadOnlySpan<float> dense, ReadOnlySpan<float> labels, long timeMs = 0, int position = -1, float weight = 1f)
    {
        if (Count == _steps.Length) Grow();
        var first = Count == 0 ? 0 : _firstBags[Count - 1] + HeadBags + _steps[Count - 1] * _shape.TargetFields;
        var rest = _bags - first - HeadBags;
        if (rest < 0 || rest % _shape.TargetFields != 0 || rest / _shape.TargetFields > _shape.SequenceMax)
            throw new ArgumentException($"a row of {_bags - first} bags: {HeadBags}, and {_shape.TargetFields} for each of up to {_shape.SequenceMax} steps, are a row");
        if (dense.Length != 0 && dense.Length != _shape.DenseColumns) throw new ArgumentException($"{dense.Length} dense values for {_shape.DenseColumns} columns");
        if (labels.Length != 0 && labels.Length != _shape.Tasks) throw new ArgumentException($"{labels.Length} labels for {_shape.Tasks} tasks");
        (_firstBags[Count], _steps[Count], _positions[Count], _rowWeights[Count]) = (first, rest / _shape.TargetFields, position, weight);
        var values = _dense.AsSpan(Count * _shape.DenseColumns, _shape.DenseColumns);
        values.Clear();
        for (var i = 0; i < dense.Length; i++) values[i] = ExampleBatch.Bounded(dense[i]);
        var own = _labels.AsSpan(Count * _shape.Tasks, _shape.Tasks);
        own.Clear();
        labels.CopyTo(own);
        NewestMs = Math.Max(NewestMs, timeMs);
        Count++;
    }

    /// <summary>Where the keys of a field lie in <see cref="Keys"/>; field F is the bag of crosses.</summary>
    public (int Start, int End) FieldAt(int row, int field) => BagAt(_firstBags[row] + field);

    /// <summary>Where those of a step's field lie.</summary>
    public (int Start, int End) StepAt(int row, int step, int field) => BagAt(_firstBags[row] + HeadBags + step * _shape.TargetFields + field);

    private (int Start, int End) BagAt(int bag) => (bag == 0 ? 0 : _ends[bag - 1], _ends[bag]);

    private void Grow()
    {
        var size = Math.Max(16, _steps.Length * 2);
        Array.Resize(ref _firstBags, size);
        Array.Resize(ref _steps, size);
        Array.Resize(ref _positions, size);
        Array.Resize(ref _rowWeights, size);
        Array.Resize(ref _labels, size * _shape.Tasks);
        Array.Resize(ref _dense, size * _shape.DenseColumns);
    }
}
