using Streaming.Core.Events;
using Streaming.Evaluation.DataSets;
using Streaming.Models.Offline;

namespace Streaming.Evaluation.Protocols;

/// <summary>A data set's interactions with the ids behind the dense numbers.</summary>
/// <param name="Set">Where they came from.</param>
/// <param name="All">Every interaction, in stream order.</param>
/// <param name="Users">Dense user number to id.</param>
/// <param name="Items">Dense item number to id.</param>
public sealed record LoadedInteractions(IDataSet Set, Interactions All, IReadOnlyList<string> Users, IReadOnlyList<string> Items)
{
    private readonly Dictionary<string, int> _users = Numbers(Users), _items = Numbers(Items);

    /// <summary>The number of a user's id, or -1.</summary>
    public int UserOf(string id) => _users.GetValueOrDefault(id, -1);

    /// <summary>The number of an item's id, or -1.</summary>
    public int ItemOf(string id) => _items.GetValueOrDefault(id, -1);

    private static Dictionary<string, int> Numbers(IReadOnlyList<string> ids)
    {
        var numbers = new Dictionary<string, int>(ids.Count);
        for (var i = 0; i < ids.Count; i++) numbers[ids[i]] = i;
        return numbers;
    }
}

/// <summary>
/// Turns a data set's events into <see cref="Interactions"/>: whatever a user did with one item, and not what was merely shown or
/// refused. Numbers follow the ids' order (whole numbers by size), so they do not depend on the seed that orders the stream.
/// </summary>
public static class InteractionLoader
{
    /// <param name="path">A data set's file or folder.</param>
    /// <param name="seed">Orders the stream where the set does not.</param>
    /// <param name="cancel">Stops the reading.</param>
    /// <exception cref="DataSetException">The set cannot be read or has no interactions.</exception>
    public static LoadedInteractions Load(string path, long seed, CancellationToken cancel = default)
    {
        var set = DataSets.DataSets.Open(path);
        var rows = new List<(string User, string Item, float Value, long TimeMs)>();
        foreach (var e in set.Events(seed))
        {
            cancel.ThrowIfCancellationRequested();
            if (e.Item is null || !Counts(e.Kind)) continue;
            rows.Add((e.User, e.Item, e.Kind == EventKind.Rating && !double.IsNaN(e.Value) ? (float)e.Value : 1f, e.TimeMs));
        }
        if (rows.Count == 0) throw new DataSetException(path, 0, "holds no interaction of a user with an item");
        var users = Ids(rows.Select(row => row.User));
        var items = Ids(rows.Select(row => row.Item));
        var loaded = new LoadedInteractions(set, new Interactions(0, 0, [], [], [], []), users, items);
        var all = new Interactions(users.Length, items.Length, [.. rows.Select(row => loaded.UserOf(row.User))],
            [.. rows.Select(row => loaded.ItemOf(row.Item))], [.. rows.Select(row => row.Value)], [.. rows.Select(row => row.TimeMs)]);
        return loaded with { All = all };
    }

    /// <summary>The rows that the predicate keeps, with the same users and items.</summary>
    public static Interactions Where(Interactions from, Func<int, bool> keeps)
    {
        var rows = Enumerable.Range(0, from.Count).Where(keeps).ToArray();
        int[] users = new int[rows.Length], items = new int[rows.Length];
        var values = new float[rows.Length];
        var times = new long[rows.Length];
        for (var i = 0; i < rows.Length; i++)
            (users[i], items[i], values[i], times[i]) = (from.Users[rows[i]], from.Items[rows[i]], from.Values[rows[i]], from.TimesMs[rows[i]]);
        return new Interactions(from.UserCount, from.ItemCount, users, items, values, times);
    }

    private static bool Counts(EventKind kind) => kind is EventKind.Custom or EventKind.Click or EventKind.Dwell or EventKind.Like
        or EventKind.Share or EventKind.AddToCart or EventKind.Purchase or EventKind.Rating;

    /// <summary>Shorter first, then by code points: whole numbers come by size.</summary>
    private static string[] Ids(IEnumerable<string> ids) =>
        [.. ids.Distinct().OrderBy(id => id.Length).ThenBy(id => id, StringComparer.Ordinal)];
}
