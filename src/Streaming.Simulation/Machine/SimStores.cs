using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Simulation;

/// <summary>The users' state in memory, with checkpoints on the simulated disk.</summary>
internal sealed class SimStateStore(World world, Life life, SnapshotDisk<byte[]> disk, Faults faults) : IStateStore
{
    private readonly Snapshots<byte[]> _snapshots = new(world, life, disk, faults, "users");

    public IStateSession OpenSession()
    {
        _snapshots.Open();
        return new Session(life, _snapshots, faults);
    }

    public Task<string> CheckpointAsync(CancellationToken cancel = default) => _snapshots.CheckpointAsync();

    public Task RecoverAsync(string token, CancellationToken cancel = default) => _snapshots.RecoverAsync(token);

    public void Prune(IReadOnlyCollection<string> keep) => _snapshots.Prune(keep);

    public void Dispose()
    {
        // The memory goes with the life.
    }

    private sealed class Session(Life life, Snapshots<byte[]> snapshots, Faults faults) : IStateSession
    {
        public bool TryRead(ReadOnlySpan<byte> key, ByteWriter into)
        {
            life.Point("users:read");
            if (!snapshots.Content.TryGetValue(Encoding.Latin1.GetString(key), out var value)) return false;
            into.Raw(value);
            return true;
        }

        public void Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            life.Point("users:upsert");
            if (faults.Planted == Plant.LostUpsert && key[0] != 0 && faults.OneIn(20)) return;
            snapshots.Content[Encoding.Latin1.GetString(key)] = value.ToArray();
        }

        public void Delete(ReadOnlySpan<byte> key)
        {
            life.Point("users:delete");
            if (faults.Planted == Plant.UndeletedUser) return;
            snapshots.Content.Remove(Encoding.Latin1.GetString(key));
        }

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}

/// <summary>A stored list of the simulated cache.</summary>
public sealed record CachedList(string Surface, string Arm, byte[] Bytes);

/// <summary>The cache of lists in memory, with checkpoints on the simulated disk.</summary>
/// <param name="listsMax">Lists kept per user.</param>
/// <param name="put">Told of every list that is put.</param>
internal sealed class SimFeedCache(World world, Life life, SnapshotDisk<CachedList[]> disk, Faults faults, int listsMax, Action<FeedList> put) : IFeedCache
{
    private readonly Snapshots<CachedList[]> _snapshots = new(world, life, disk, faults, "feeds");
    private readonly ByteWriter _bytes = new();

    public bool TryGet(string user, string surface, string arm, ByteWriter into)
    {
        _snapshots.Open();
        life.Point("feeds:get");
        if (!_snapshots.Content.TryGetValue(user, out var lists)) return false;
        if (Array.Find(lists, l => l.Surface == surface && l.Arm == arm) is not { } found) return false;
        into.Raw(found.Bytes);
        return true;
    }

    public void Put(FeedList list)
    {
        _snapshots.Open();
        life.Point("feeds:put");
        _bytes.Clear();
        FeedListCodec.Write(list, _bytes);
        world.Note("list", StableHash.Of(_bytes.WrittenSpan));
        var others = _snapshots.Content.GetValueOrDefault(list.User, []).Where(l => l.Surface != list.Surface || l.Arm != list.Arm).ToArray();
        var kept = others.Length < listsMax ? others : others[^(listsMax - 1)..];
        _snapshots.Content[list.User] = [.. kept, new CachedList(list.Surface, list.Arm, _bytes.WrittenSpan.ToArray())];
        put(list);
    }

    public void Delete(string user)
    {
        life.Point("feeds:delete");
        _snapshots.Open();
        _snapshots.Content.Remove(user);
    }

    public Task<string> CheckpointAsync(CancellationToken cancel = default) => _snapshots.CheckpointAsync();

    public Task RecoverAsync(string token, CancellationToken cancel = default) => _snapshots.RecoverAsync(token);

    public void Prune(IReadOnlyCollection<string> keep) => _snapshots.Prune(keep);

    public void Dispose()
    {
        // The memory goes with the life.
    }
}
