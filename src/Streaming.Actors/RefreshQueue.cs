using System.Diagnostics.CodeAnalysis;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>
/// Users and surfaces whose list is stale, each once: a burst of events of one user makes one list. Urgent ones (after an
/// action) go before the rest; within each, first come, first served.
/// </summary>
internal sealed class RefreshQueue
{
    private readonly Queue<Key> _urgent = new();
    private readonly Queue<Key> _quiet = new();
    private readonly Dictionary<Key, Request> _waiting = [];

    private readonly record struct Key(string User, string Surface);

    private readonly record struct Request(bool Urgent, long SinceMs);

    public int Count => _waiting.Count;

    /// <summary>Places taken, those whose turn will be skipped included.</summary>
    internal int Queued => _urgent.Count + _quiet.Count;

    /// <param name="user">Whose list.</param>
    /// <param name="surface">For which surface.</param>
    /// <param name="urgent">Before all that are not.</param>
    /// <param name="sinceMs">When the event that asks for it was received; the first one counts.</param>
    public void Add(string user, string surface, bool urgent, long sinceMs)
    {
        var key = new Key(user, surface);
        if (_waiting.TryGetValue(key, out var already) && (already.Urgent || !urgent)) return;
        // An urgent request overtakes a quiet one; the quiet entry is skipped when its turn comes.
        _waiting[key] = new Request(urgent, sinceMs);
        (urgent ? _urgent : _quiet).Enqueue(key);
        if (_quiet.Count > 2 * _waiting.Count + 64) DropSkipped();
    }

    /// <summary>Under a lasting load of urgent requests the quiet ones' turn may never come to clear what was overtaken.</summary>
    private void DropSkipped()
    {
        var seen = new HashSet<Key>();
        for (var left = _quiet.Count; left > 0; left--)
        {
            var key = _quiet.Dequeue();
            if (_waiting.TryGetValue(key, out var request) && !request.Urgent && seen.Add(key)) _quiet.Enqueue(key);
        }
    }

    /// <summary>Takes the next request; quiet ones only where <paramref name="quietToo"/> says so.</summary>
    public bool TryTake(bool quietToo, [MaybeNullWhen(false)] out string user, [MaybeNullWhen(false)] out string surface, out long sinceMs)
    {
        while (_urgent.TryDequeue(out var key) || (quietToo && _quiet.TryDequeue(out key)))
        {
            if (!_waiting.Remove(key, out var request)) continue;
            (user, surface, sinceMs) = (key.User, key.Surface, request.SinceMs);
            return true;
        }
        (user, surface, sinceMs) = (null, null, 0);
        return false;
    }

    /// <summary>Takes every request of a user out; its places are skipped when their turn comes. Looks at all that wait: for deletions only.</summary>
    public void Remove(string user)
    {
        foreach (var key in _waiting.Keys.Where(key => key.User == user).ToList()) _waiting.Remove(key);
    }

    public void Write(ByteWriter into)
    {
        into.Count(_waiting.Count);
        foreach (var (queue, urgent) in new[] { (_urgent, true), (_quiet, false) })
        {
            // A key may stand in a queue twice when it was taken and asked for again; its first place counts.
            var seen = new HashSet<Key>();
            foreach (var key in queue)
            {
                if (!_waiting.TryGetValue(key, out var request) || request.Urgent != urgent || !seen.Add(key)) continue;
                into.String(key.User);
                into.String(key.Surface);
                into.Bool(urgent);
                into.Int64(request.SinceMs);
            }
        }
    }

    public void Read(ref ByteReader from)
    {
        _urgent.Clear();
        _quiet.Clear();
        _waiting.Clear();
        for (var left = from.Count(11); left > 0; left--)
            Add(from.String() ?? "", from.String() ?? "", from.Bool(), from.Int64());
    }
}
