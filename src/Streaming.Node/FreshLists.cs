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
        public readonly List<Entry> Entries = [];
    }

    private sealed class Entry(string surface, LogPosition after, TaskCompletionSource done)
    {
        public string Surface => surface;
        public LogPosition After => after;
        public TaskCompletionSource Done => done;
        public bool IsAsked { get; set; }
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
                waiter.Entries.Add(new Entry(surface, after, done));
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

    /// <summary>Waiting look-ups: user, surface, and the event that the list must have seen.</summary>
    public IReadOnlyList<(string User, string Surface, LogPosition After)> Waiting()
    {
        var all = new List<(string, string, LogPosition)>();
        foreach (var (user, waiter) in _waiting)
            lock (waiter) all.AddRange(waiter.Entries.Select(e => (user, e.Surface, e.After)));
        return all;
    }

    /// <summary>
    /// Users and surfaces whose look-ups wait for an event that is applied by now, each look-up once: an event that was set aside shows in
    /// no list, and building one after another would not change that.
    /// </summary>
    /// <param name="applied">Next offset to apply, per partition.</param>
    public IReadOnlyList<(string User, string Surface)> TakeApplied(ReadOnlySpan<long> applied)
    {
        if (_waiting.IsEmpty) return [];
        var due = new List<(string User, string Surface)>();
        foreach (var (user, waiter) in _waiting)
        {
            lock (waiter)
            {
                foreach (var entry in waiter.Entries)
                {
                    if (entry.IsAsked || entry.After.Partition >= applied.Length || entry.After.Offset >= applied[entry.After.Partition]) continue;
                    entry.IsAsked = true;
                    due.Add((user, entry.Surface));
                }
            }
        }
        // The dictionary's own order changes from process to process, and lists are built in the order asked for.
        due.Sort(static (a, b) => string.CompareOrdinal(a.User, b.User) is not 0 and var byUser ? byUser : string.CompareOrdinal(a.Surface, b.Surface));
        return due;
    }

    /// <summary>Whether a list that has applied up to <paramref name="applied"/> has seen the event at <paramref name="position"/>.</summary>
    public static bool Seen(LogPosition applied, LogPosition position) =>
        applied.Partition == position.Partition && applied.Offset >= position.Offset;

    private void Release(string user, Predicate<Entry> which)
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
