using Streaming.Core.Wire;

namespace Streaming.Learning.Drn;

/// <summary>
/// How active each user was when last seen, and their answered list that waits for what comes next. Bounded: the users who were away longest go, and
/// their lists are given back as they are, without a next state.
/// </summary>
internal sealed class WaitingUsers(int usersMax)
{
    private readonly Dictionary<ulong, Entry> _users = [];
    private readonly LinkedList<ulong> _byTime = [];

    private sealed class Entry
    {
        public required LinkedListNode<ulong> Node;
        public double Level;
        public long TimeMs;
        public ReplayedList? List;
    }

    public int Count => _users.Count;

    /// <summary>Level and time passed since the user was seen (-1: never), and the list that waited, which is given out once.</summary>
    public (double Level, long PassedMs, ReplayedList? List) Return(ulong user, long nowMs)
    {
        if (!_users.TryGetValue(user, out var entry)) return (0, -1, null);
        var list = entry.List;
        entry.List = null;
        return (entry.Level, Math.Max(0, nowMs - entry.TimeMs), list);
    }

    public void Set(ulong user, double level, long nowMs)
    {
        var entry = Touch(user);
        (entry.Level, entry.TimeMs) = (level, nowMs);
    }

    /// <summary>Lets the list wait. Returns the lists that nobody waits for any more: an earlier one of this user, those of users that had to go.</summary>
    public IEnumerable<ReplayedList> Wait(ulong user, ReplayedList list, long nowMs)
    {
        var entry = Touch(user);
        var given = new List<ReplayedList>();
        if (entry.List is { } earlier) given.Add(earlier);
        entry.List = list;
        entry.TimeMs = Math.Max(entry.TimeMs, nowMs);
        while (_users.Count > usersMax)
        {
            var oldest = _byTime.First!.Value;
            if (_users[oldest].List is { } lost) given.Add(lost);
            _users.Remove(oldest);
            _byTime.RemoveFirst();
        }
        return given;
    }

    /// <summary>Drops what is known of a user, the list that waits for them included.</summary>
    public void Forget(ulong user)
    {
        if (_users.Remove(user, out var entry)) _byTime.Remove(entry.Node);
    }

    public void Save(CheckpointWriter into)
    {
        into.Int32(_users.Count);
        foreach (var user in _byTime)
        {
            var entry = _users[user];
            into.Int64((long)user);
            into.Double(entry.Level);
            into.Int64(entry.TimeMs);
            into.Byte((byte)(entry.List is null ? 0 : 1));
            if (entry.List is { } list) ReplayBuffer.Save(into, list);
        }
    }

    /// <summary>Reads into a new table.</summary>
    public static WaitingUsers Load(CheckpointReader from, int usersMax, int stateLength, int actionLength)
    {
        var all = new WaitingUsers(usersMax);
        for (var left = from.Count(usersMax); left > 0; left--)
        {
            var entry = all.Touch((ulong)from.Int64());
            (entry.Level, entry.TimeMs) = (from.Double(), from.Int64());
            if (from.Byte() != 0) entry.List = ReplayBuffer.LoadList(from, stateLength, actionLength);
        }
        return all;
    }

    private Entry Touch(ulong user)
    {
        if (_users.TryGetValue(user, out var entry)) _byTime.Remove(entry.Node);
        else _users[user] = entry = new Entry { Node = new LinkedListNode<ulong>(user) };
        _byTime.AddLast(entry.Node);
        return entry;
    }
}
