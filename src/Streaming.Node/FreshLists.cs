using System.Collections.Concurrent;
using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>Look-ups that wait for a list that has seen a given event. Bounded: beyond the bound a look-up answers "not yet" at once.</summary>
public sealed class FreshLists(int waitersMax)
{
    private readonly ConcurrentDictionary<string, Waiter> _waiting = new(StringComparer.Ordinal);
    private int _count;

    private sealed class Waiter
    {
        public readonly List<(string Surface, LogPosition After, TaskCompletionSource Done)> Entries = [];
    }

    /// <summary>Completes when a list of this user and surface that has seen <paramref name="after"/> is in the cache; null when too many wait.</summary>
    public Task? Wait(string user, string surface, LogPosition after)
    {
        if (Interlocked.Increment(ref _count) > waitersMax)
        {
            Interlocked.Decrement(ref _count);
            return null;
        }
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        while (true)
        {
            var waiter = _waiting.GetOrAdd(user, _ => new Waiter());
            lock (waiter)
            {
                if (!_waiting.TryGetValue(user, out var current) || current != waiter) continue;
                waiter.Entries.Add((surface, after, done));
            }
            return done.Task;
        }
    }

    /// <summary>Stops a wait that timed out.</summary>
    public void Abandon(string user, Task wait) => Release(user, entry => entry.Done.Task == wait);

    /// <summary>Tells the waiting look-ups that this list is in the cache.</summary>
    public void Signal(FeedList list)
    {
        if (_waiting.IsEmpty) return;
        Release(list.User, entry => entry.Surface == list.Surface && Seen(list.LastApplied, entry.After));
    }

    /// <summary>Users with waiting look-ups, with the surface they wait for and the event it must have seen.</summary>
    public IReadOnlyList<(string User, string Surface, LogPosition After)> Waiting()
    {
        if (_waiting.IsEmpty) return [];
        var all = new List<(string, string, LogPosition)>();
        foreach (var (user, waiter) in _waiting)
            lock (waiter) all.AddRange(waiter.Entries.Select(e => (user, e.Surface, e.After)));
        return all;
    }

    /// <summary>Whether a list that has applied up to <paramref name="applied"/> has seen the event at <paramref name="position"/>.</summary>
    public static bool Seen(LogPosition applied, LogPosition position) =>
        applied.Partition == position.Partition && applied.Offset >= position.Offset;

    private void Release(string user, Predicate<(string Surface, LogPosition After, TaskCompletionSource Done)> which)
    {
        if (!_waiting.TryGetValue(user, out var waiter)) return;
        lock (waiter)
        {
            for (var i = waiter.Entries.Count - 1; i >= 0; i--)
            {
                if (!which(waiter.Entries[i])) continue;
                waiter.Entries[i].Done.TrySetResult();
                waiter.Entries.RemoveAt(i);
                Interlocked.Decrement(ref _count);
            }
            if (waiter.Entries.Count == 0) _waiting.TryRemove(new KeyValuePair<string, Waiter>(user, waiter));
        }
    }
}
