using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>When users asked to be forgotten, so that late events do not bring them back. Keeps hashes, no names; bounded.</summary>
public sealed class ForgottenUsers(int usersMax)
{
    private readonly Dictionary<ulong, long> _at = [];

    /// <summary>The user asked at event time <paramref name="timeMs"/> to be forgotten.</summary>
    public void Add(string user, long timeMs) => Add(StableHash.Of(user), timeMs);

    /// <summary>The same, by the hash of the user's id.</summary>
    internal void Add(ulong user, long timeMs)
    {
        _at[user] = timeMs;
        if (_at.Count <= usersMax) return;
        // A share at once, so that the sort is paid for by many additions.
        var excess = Math.Max(1, usersMax / 16);
        foreach (var (oldest, _) in _at.OrderBy(x => x.Value).ThenBy(x => x.Key).Take(excess).ToList()) _at.Remove(oldest);
    }

    /// <summary>Whether an event of this time happened before its user asked to be forgotten.</summary>
    public bool Covers(string user, long timeMs) => _at.Count > 0 && _at.TryGetValue(StableHash.Of(user), out var at) && timeMs <= at;

    internal void Write(ByteWriter into)
    {
        into.Count(_at.Count);
        foreach (var (user, at) in _at.OrderBy(x => x.Key))
        {
            into.UInt64(user);
            into.Int64(at);
        }
    }

    internal void Read(ref ByteReader from)
    {
        _at.Clear();
        for (var left = from.Count(16); left > 0; left--) _at[from.UInt64()] = from.Int64();
    }
}
