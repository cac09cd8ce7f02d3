using Streaming.Core.Feeds;
using Streaming.Core.Wire;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>A page of a cached list: the entries that the gate lets through, counted as if there were no others.</summary>
internal readonly ref struct ListPage
{
    [ThreadStatic]
    private static int[]? _places;

    private readonly FeedListView _list;
    private readonly ReadOnlySpan<int> _passing;
    private readonly bool _all;

    /// <param name="gate">Of the node.</param>
    /// <param name="list">From the cache.</param>
    /// <param name="filter">The caller's; null for none.</param>
    /// <param name="skip">Entries before the page.</param>
    /// <param name="take">Entries of the page at most.</param>
    /// <param name="nowMs">Unix ms.</param>
    public ListPage(ListGate gate, FeedListView list, ListFilter? filter, int skip, int take, long nowMs)
    {
        if (_places is null || _places.Length < list.Count) _places = new int[Math.Max(64, list.Count)];
        var passing = gate.Passing(list, filter, nowMs, _places);
        _list = list;
        (_all, Total) = (passing < 0, passing < 0 ? list.Count : passing);
        _passing = _places.AsSpan(0, Math.Max(0, passing));
        From = Math.Min(skip, Total);
        Count = Math.Min(take, Total - From);
    }

    /// <summary>Entries that pass.</summary>
    public int Total { get; }

    /// <summary>The first of the page.</summary>
    public int From { get; }

    /// <summary>Entries of the page.</summary>
    public int Count { get; }

    /// <summary>Index in the list of the page's entry <paramref name="i"/>.</summary>
    public int Place(int i) => _all ? From + i : _passing[From + i];

    /// <summary>The page as a JSON array: one copy where all of the list passes.</summary>
    public void Write(ByteWriter into)
    {
        into.Raw("["u8);
        if (_all) into.Raw(_list.EntriesJson(From, Count));
        else
        {
            for (var i = 0; i < Count; i++)
            {
                if (i > 0) into.Raw(","u8);
                into.Raw(_list.EntryJson(Place(i)));
            }
        }
        into.Raw("]"u8);
    }
}
