using System.Diagnostics.CodeAnalysis;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>
/// Users and surfaces whose list is stale, each once: a burst of events of one user makes one list. Urgent ones (after an
/// action) go before the rest; within each, first come, first served.
/// </summary>
internal sealed class RefreshQueue
{
    private readonly Queue<Place> _urgent = new();
    private readonly Queue<Place> _quiet = new();
    private readonly Dictionary<Key, Request> _waiting = [];
    private long _places;

    private readonly record struct Key(string User, string Surface);

    /// <summary>
    /// One in a queue, which counts while the request is of the same number: a place that was overtaken must not come back to life when its
    /// user is asked for again, because a restored queue has no such places and would go on in another order.
    /// </summary>
    private readonly record struct Place(Key Key, long Number);

    private readonly record struct Request(bool Urgent, long SinceMs, long Place);

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
        // An urgent request overtakes a quiet one; the quiet place is skipped when its turn comes.
        _waiting[key] = new Request(urgent, sinceMs, ++_places);
        (urgent ? _urgent : _quiet).Enqueue(new Place(key, _places));
        if (_quiet.Count > 2 * _waiting.Count + 64) DropSkipped();
    }

    /// <summary>Under a lasting load of urgent requests the quiet ones' turn may never come to clear what was overtaken.</summary>
    private void DropSkipped()
    {
        for (var left = _quiet.Count; left > 0; left--)
        {
            var place = _quiet.Dequeue();
            if (Counts(place, out _)) _quiet.Enqueue(place);
        }
    }

    private bool Counts(Place place, out Request request) => _waiting.TryGetValue(place.Key, out request) && request.Place == place.Number;

    /// <summary>Takes the next request; quiet ones only where <paramref name="quietToo"/> says so.</summary>
    public bool TryTake(bool quietToo, [MaybeNullWhen(false)] out string user, [MaybeNullWhen(false)] out string surface, out long sinceMs)
    {
        while (_urgent.TryDequeue(out var place) || (quietToo && _quiet.TryDequeue(out place)))
        {
            if (!Counts(place, out var request)) continue;
            _waiting.Remove(place.Key);
            (user, surface, sinceMs) = (place.Key.User, place.Key.Surface, request.SinceMs);
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

    /// <summary>What waits, by user, in the order of the queues.</summary>
    public Dictionary<string, List<WaitingList>> ByUser()
    {
        var found = new Dictionary<string, List<WaitingList>>(StringComparer.Ordinal);
        foreach (var (queue, urgent) in new[] { (_urgent, true), (_quiet, false) })
        {
            foreach (var place in queue)
            {
                if (!Counts(place, out var request)) continue;
                if (!found.TryGetValue(place.Key.User, out var lists)) found[place.Key.User] = lists = [];
                lists.Add(new WaitingList(place.Key.Surface, urgent, request.SinceMs));
            }
        }
        return found;
    }

    public void Clear()
    {
        _urgent.Clear();
        _quiet.Clear();
        _waiting.Clear();
    }

    public void Write(ByteWriter into)
    {
        into.Count(_waiting.Count);
        foreach (var (queue, urgent) in new[] { (_urgent, true), (_quiet, false) })
        {
            foreach (var place in queue)
            {
                if (!Counts(place, out var request)) continue;
                into.String(place.Key.User);
                into.String(place.Key.Surface);
                into.Bool(urgent);
                into.Int64(request.SinceMs);
            }
        }
    }

    public void Read(ref ByteReader from)
    {
        Clear();
        for (var left = from.Count(11); left > 0; left--)
            Add(from.String() ?? "", from.String() ?? "", from.Bool(), from.Int64());
    }
}

/// <summary>A list of some user that waits to be built.</summary>
/// <param name="Surface">Of the list.</param>
/// <param name="Urgent">Whether an action asked for it.</param>
/// <param name="SinceMs">When the event that asked first was received, Unix ms.</param>
internal readonly record struct WaitingList(string Surface, bool Urgent, long SinceMs);
