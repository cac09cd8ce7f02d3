namespace Streaming.Models.Offline;

/// <summary>Users by items in compressed rows, each pair once, columns rising within a row. Immutable.</summary>
public sealed class SparseMatrix
{
    private readonly int[] _starts, _columns;
    private readonly float[] _values;

    private SparseMatrix(int rows, int columns, int[] starts, int[] indices, float[] values) =>
        (RowCount, ColumnCount, _starts, _columns, _values) = (rows, columns, starts, indices, values);

    public int RowCount { get; }
    public int ColumnCount { get; }

    /// <summary>Pairs that are there.</summary>
    public int Count => _columns.Length;

    /// <summary>The columns of a row, rising.</summary>
    public ReadOnlySpan<int> Row(int row) => _columns.AsSpan(_starts[row].._starts[row + 1]);

    /// <summary>The values of <see cref="Row"/>, aligned.</summary>
    public ReadOnlySpan<float> RowValues(int row) => _values.AsSpan(_starts[row].._starts[row + 1]);

    /// <summary>One row a user. Where a pair comes more than once its last value stands.</summary>
    public static SparseMatrix UserItems(Interactions interactions)
    {
        var starts = new int[interactions.UserCount + 1];
        var columns = new List<int>(interactions.Count);
        var values = new List<float>(interactions.Count);
        for (var user = 0; user < interactions.UserCount; user++)
        {
            // Rows rise with time: of the rows of a pair the largest is its last.
            var pairs = interactions.HistoryRows(user).ToArray();
            var items = interactions.History(user).ToArray();
            Array.Sort(items, pairs, Comparer<int>.Default);
            for (var i = 0; i < items.Length; i++)
            {
                var row = pairs[i];
                for (; i + 1 < items.Length && items[i + 1] == items[i]; i++) row = Math.Max(row, pairs[i + 1]);
                columns.Add(items[i]);
                values.Add(interactions.Values[row]);
            }
            starts[user + 1] = columns.Count;
        }
        return new SparseMatrix(interactions.UserCount, interactions.ItemCount, starts, [.. columns], [.. values]);
    }

    /// <summary>Items by users where this is users by items; O(pairs).</summary>
    public SparseMatrix Transpose()
    {
        var starts = new int[ColumnCount + 1];
        foreach (var column in _columns) starts[column + 1]++;
        for (var column = 0; column < ColumnCount; column++) starts[column + 1] += starts[column];
        var next = starts.ToArray();
        var indices = new int[Count];
        var values = new float[Count];
        for (var row = 0; row < RowCount; row++)
        {
            for (var at = _starts[row]; at < _starts[row + 1]; at++)
            {
                var to = next[_columns[at]]++;
                indices[to] = row;
                values[to] = _values[at];
            }
        }
        return new SparseMatrix(ColumnCount, RowCount, starts, indices, values);
    }

    /// <summary>The different items of a history, rising: what a model of a set of items reads of it.</summary>
    public static int[] Distinct(ReadOnlySpan<int> history)
    {
        var items = history.ToArray();
        Array.Sort(items);
        var count = 0;
        foreach (var item in items)
            if (count == 0 || items[count - 1] != item) items[count++] = item;
        return items[..count];
    }
}
