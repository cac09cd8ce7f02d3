using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>
/// Wake-ups in event time. Ties go by the user's hash, never by insertion, so that a shard restored from a checkpoint wakes
/// users in the same order as one that never stopped.
/// </summary>
public sealed class WakeQueue
{
    private readonly PriorityQueue<string, (long DueMs, ulong Tie)> _queue = new();

    /// <summary>Wake-ups that wait.</summary>
    public int Count => _queue.Count;

    /// <summary>Asks to wake the user at an event time; several wake-ups of one user may wait.</summary>
    public void Add(string user, long dueMs) => _queue.Enqueue(user, (dueMs, StableHash.Of(user)));

    /// <summary>Takes the next user whose time has come.</summary>
    public bool TryTake(long nowMs, out string user, out long dueMs)
    {
        if (_queue.TryPeek(out user!, out var priority) && priority.DueMs <= nowMs)
        {
            dueMs = priority.DueMs;
            _queue.Dequeue();
            return true;
        }
        dueMs = 0;
        return false;
    }

    /// <summary>Takes every wake-up of a user out. Looks at all that wait: for deletions only.</summary>
    public void Remove(string user)
    {
        while (_queue.Remove(user, out _, out _, StringComparer.Ordinal))
        {
            // Several may wait.
        }
    }

    internal void Clear() => _queue.Clear();

    /// <summary>Users with a wake-up, each once.</summary>
    internal IEnumerable<string> Users => _queue.UnorderedItems.Select(item => item.Element).Distinct(StringComparer.Ordinal);

    internal void Write(ByteWriter into)
    {
        into.Count(_queue.Count);
        foreach (var (user, (dueMs, _)) in _queue.UnorderedItems.OrderBy(x => x.Priority).ThenBy(x => x.Element, StringComparer.Ordinal))
        {
            into.String(user);
            into.Int64(dueMs);
        }
    }

    internal void Read(ref ByteReader from)
    {
        _queue.Clear();
        for (var left = from.Count(9); left > 0; left--) Add(from.String() ?? "", from.Int64());
    }
}
