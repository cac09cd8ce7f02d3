using System.Collections.Concurrent;
using Streaming.Actors;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;

namespace Streaming.Node.Splitting;

/// <summary>
/// Lists that look-ups found missing, or older than the experiments: the next round builds them. Bounded: beyond, a look-up does with
/// what there is, and asks again next time.
/// </summary>
internal sealed class WantedLists(int max, AsyncSignal signal)
{
    private readonly ConcurrentDictionary<WantedList, TaskCompletionSource> _wanted = new();
    private readonly RecentHashes _asked = new(1 << 16);

    /// <summary>
    /// Asks without waiting, once per list and <paramref name="version"/> of the experiments: whoever has no state here gets no list, and
    /// must not be asked for at every look-up.
    /// </summary>
    public void Ask(in WantedList list, long version)
    {
        var hash = StableHash.Combine(StableHash.Combine(StableHash.Of(list.User), StableHash.Of(list.Surface)), StableHash.Combine(StableHash.Of(list.Arm), (ulong)version));
        if (_asked.Add(hash)) Want(list);
    }

    /// <summary>Completes when the list is in the cache, or when the round has found that there is none to build; null when too many wait.</summary>
    public Task? Want(in WantedList list)
    {
        if (_wanted.Count >= max) return null;
        var task = _wanted.GetOrAdd(list, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        signal.Set();
        return task;
    }

    /// <summary>This list is in the cache.</summary>
    public void Signal(FeedList list)
    {
        if (!_wanted.IsEmpty && _wanted.TryRemove(new WantedList(list.User, list.Surface, list.Arm), out var waiting)) waiting.TrySetResult();
    }

    /// <summary>What this round is to build, in an order that every process has alike: a user's lists are remembered in the order of their building.</summary>
    public IReadOnlyList<WantedList> Waiting() => _wanted.IsEmpty
        ? []
        : [.. _wanted.Keys.OrderBy(w => w.User, StringComparer.Ordinal).ThenBy(w => w.Surface, StringComparer.Ordinal).ThenBy(w => w.Arm, StringComparer.Ordinal)];

    /// <summary>The round is over: what it has not built, it cannot.</summary>
    public void Done(IReadOnlyList<WantedList> lists)
    {
        foreach (var list in lists)
            if (_wanted.TryRemove(list, out var waiting)) waiting.TrySetResult();
    }
}
