using System.Diagnostics.CodeAnalysis;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>A user in memory.</summary>
internal sealed class Resident(UserState state)
{
    public UserState State { get; set; } = state;

    /// <summary>Changed since it was last written to the store.</summary>
    public bool Dirty { get; set; }

    /// <summary>Changed since the changelog last told of it.</summary>
    public bool Untold { get; set; }

    /// <summary>Hash of the user's bytes as they lie in the store; 0 when they do not.</summary>
    public ulong StoredHash { get; set; }

    internal Resident? Newer;
    internal Resident? Older;
}

/// <summary>The bounded hot set of a shard: users by id, in order of last use.</summary>
internal sealed class HotUsers
{
    private readonly Dictionary<string, Resident> _users = new(StringComparer.Ordinal);
    private Resident? _newest;
    private Resident? _oldest;

    public int Count => _users.Count;
    public Resident? Oldest => _oldest;
    public IEnumerable<Resident> All => _users.Values;

    /// <summary>Finds a user and makes it the most recently used.</summary>
    public bool TryUse(string user, [MaybeNullWhen(false)] out Resident resident)
    {
        if (!_users.TryGetValue(user, out resident)) return false;
        if (resident != _newest)
        {
            Unlink(resident);
            LinkNewest(resident);
        }
        return true;
    }

    /// <summary>Finds a user without touching the order, so that questions do not change what is passivated when.</summary>
    public bool TryPeek(string user, [MaybeNullWhen(false)] out Resident resident) => _users.TryGetValue(user, out resident);

    public void Add(Resident resident)
    {
        _users.Add(resident.State.User, resident);
        LinkNewest(resident);
    }

    public void Remove(Resident resident)
    {
        _users.Remove(resident.State.User);
        Unlink(resident);
    }

    public void Clear()
    {
        _users.Clear();
        _newest = _oldest = null;
    }

    private void LinkNewest(Resident resident)
    {
        resident.Older = _newest;
        resident.Newer = null;
        if (_newest is not null) _newest.Newer = resident;
        _newest = resident;
        _oldest ??= resident;
    }

    private void Unlink(Resident resident)
    {
        if (resident.Newer is null) _newest = resident.Older;
        else resident.Newer.Older = resident.Older;
        if (resident.Older is null) _oldest = resident.Newer;
        else resident.Older.Newer = resident.Newer;
        resident.Newer = resident.Older = null;
    }
}
