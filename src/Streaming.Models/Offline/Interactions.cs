namespace Streaming.Models.Offline;

/// <summary>Interactions in stream order, with dense ids from 0. Immutable.</summary>
public sealed class Interactions
{
    private readonly int[] _users, _items;
    private readonly float[] _values;
    private readonly long[] _timesMs;
    private readonly int[] _starts, _historyItems, _historyRows;

    /// <param name="userCount">Users are 0 to this less one, with or without an interaction.</param>
    /// <param name="itemCount">Items are 0 to this less one.</param>
    /// <param name="users">A row's user.</param>
    /// <param name="items">A row's item.</param>
    /// <param name="values">A row's rating or weight.</param>
    /// <param name="timesMs">A row's time, Unix ms, never falling within a user.</param>
    /// <exception cref="ArgumentException">The columns differ in length, or an id is out of its range.</exception>
    public Interactions(int userCount, int itemCount, int[] users, int[] items, float[] values, long[] timesMs)
    {
        if (items.Length != users.Length || values.Length != users.Length || timesMs.Length != users.Length)
            throw new ArgumentException($"columns of {users.Length}, {items.Length}, {values.Length} and {timesMs.Length} rows");
        (UserCount, ItemCount, _users, _items, _values, _timesMs) = (userCount, itemCount, users, items, values, timesMs);
        _starts = new int[userCount + 1];
        for (var row = 0; row < users.Length; row++)
        {
            if ((uint)users[row] >= (uint)userCount || (uint)items[row] >= (uint)itemCount)
                throw new ArgumentException($"row {row}: user {users[row]} of {userCount}, item {items[row]} of {itemCount}");
            _starts[users[row] + 1]++;
        }
        for (var user = 0; user < userCount; user++) _starts[user + 1] += _starts[user];
        _historyItems = new int[users.Length];
        _historyRows = new int[users.Length];
        var next = _starts.AsSpan(0, userCount).ToArray();
        for (var row = 0; row < users.Length; row++)
        {
            var at = next[users[row]]++;
            _historyItems[at] = items[row];
            _historyRows[at] = row;
        }
    }

    public int Count => _users.Length;
    public int UserCount { get; }
    public int ItemCount { get; }
    public ReadOnlySpan<int> Users => _users;
    public ReadOnlySpan<int> Items => _items;
    public ReadOnlySpan<float> Values => _values;
    public ReadOnlySpan<long> TimesMs => _timesMs;

    /// <summary>A user's items, oldest first; an item may stand there twice.</summary>
    public ReadOnlySpan<int> History(int user) => _historyItems.AsSpan(_starts[user].._starts[user + 1]);

    /// <summary>The rows of <see cref="History"/>, aligned.</summary>
    public ReadOnlySpan<int> HistoryRows(int user) => _historyRows.AsSpan(_starts[user].._starts[user + 1]);
}
