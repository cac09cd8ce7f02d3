using System.Buffers.Binary;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// Following: a shard that another node leads (or an earlier run did) is kept up to date in the store from its changelog, so that it can lead from
/// the position where the other has stopped. A shard leads until <see cref="StartFollowing"/>.
/// </summary>
public sealed partial class UserShard
{
    private readonly List<(byte[] Key, byte[] Value)> _unsealed = [];
    private Dictionary<string, Followed>? _followed;
    private ulong _unsealedWriter;

    /// <summary>What a follower has to remember of a user beside the state in the store.</summary>
    private readonly record struct Followed(long WakeMs, IReadOnlyList<WaitingList> Waiting);

    /// <summary>Whether another one leads.</summary>
    public bool IsFollowing => _followed is not null;

    /// <summary>While following: who led when the last seal was written; empty where that one has handed over, or there was none.</summary>
    public string Leader { get; private set; } = "";

    /// <summary>Stops leading, in order: what is in memory goes to the store. Where a changelog is kept, it must have been told of.</summary>
    public void StartFollowing()
    {
        if (_followed is not null) return;
        Flush();
        var waiting = _refresh.ByUser();
        var followed = new Dictionary<string, Followed>(StringComparer.Ordinal);
        foreach (var user in _wakes.Users.Union(waiting.Keys, StringComparer.Ordinal))
            if (Load(user) is { } state) Remember(followed, user, state.WakeMs, waiting.GetValueOrDefault(user) ?? []);
        DropAll();
        _followed = followed;
    }

    /// <summary>The last record of a leader that hands over, in order: whoever comes next need not end it first.</summary>
    public void TellHandOver() => TellSeal("");

    /// <summary>
    /// Stops leading at once, as another may lead already: what was not committed is taken out of the store. Follow from the changelog's start then.
    /// </summary>
    public void Abandon()
    {
        foreach (var user in _untold.Select(resident => resident.State.User).Concat(_told).Distinct(StringComparer.Ordinal).ToList())
        {
            var key = KeyOf(user);
            _value.Clear();
            if (!_parts.Store.TryRead(key, _value)) continue;
            StateFold ^= HashOf(user, _value.WrittenSpan);
            _parts.Store.Delete(key);
        }
        DropAll();
        (_nextOffset, _clockMs, _counts) = (0, 0, default);
        Weigh(ChangedWeights.None);
        _followed = new Dictionary<string, Followed>(StringComparer.Ordinal);
    }

    /// <summary>Takes records of the changelog, in order.</summary>
    /// <param name="changelog">The partition's.</param>
    /// <param name="isCommitted">Whether they are known to be committed; else a round's count once its seal has come.</param>
    /// <exception cref="FormatException">A record is torn, or from a newer build.</exception>
    public void Follow(LogBatch changelog, bool isCommitted)
    {
        if (_followed is null) throw new InvalidOperationException($"shard {Partition} leads, and cannot follow");
        for (var i = 0; i < changelog.Count; i++) Take(changelog.Key(i).Span, changelog.Value(i).Span, isCommitted);
    }

    /// <summary>Starts to lead from what was followed. Events go on at <see cref="NextOffset"/>.</summary>
    public void Lead()
    {
        if (_followed is null) return;
        _unsealed.Clear();
        TakeUp();
        _followed = null;
        (_flushedOffset, _flushedClockMs, _flushedWeights) = (_nextOffset, _clockMs, _weights);
        // The next round says who leads now, whatever it changes.
        _toldOffset = -1;
    }

    /// <summary>
    /// Takes the state from a changelog, read from its start to the end of the last transaction. Only on a shard that has no state. Wake-ups
    /// follow from the states; lists are asked for anew.
    /// </summary>
    /// <exception cref="FormatException">A record is torn, or from a newer build.</exception>
    public void Restore(IEnumerable<LogBatch> changelog)
    {
        if (_nextOffset > 0 || _hot.Count > 0) throw new InvalidOperationException($"shard {Partition} has a state already");
        StartFollowing();
        var users = new HashSet<string>(StringComparer.Ordinal);
        foreach (var batch in changelog)
        {
            for (var i = 0; i < batch.Count; i++)
                if (batch.Key(i).Span is [not 0, ..] key) users.Add(Encoding.UTF8.GetString(key));
            Follow(batch, isCommitted: true);
        }
        Lead();
        foreach (var user in users.OrderBy(u => u, StringComparer.Ordinal))
            if (Load(user) is { } state)
                foreach (var surface in state.Lists.Select(list => list.Surface).Distinct()) _refresh.Add(user, surface, urgent: false, 0);
        _toldOffset = _nextOffset;
        Flush();
    }

    private void Take(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, bool isCommitted)
    {
        if (key.Length > 0 && key[0] == 0)
        {
            if (value.IsEmpty) return;
            if (key.StartsWith(ForgottenPrefix)) _forgotten.Add(BinaryPrimitives.ReadUInt64LittleEndian(key[ForgottenPrefix.Length..]), new ByteReader(Body(value)).Int64());
            else if (key.SequenceEqual(OwnKey)) TakeSeal(value);
            return;
        }
        if (value.IsEmpty)
        {
            // The deletion itself is read again where this was not sealed.
            Put(key, default, out _);
            _followed!.Remove(Encoding.UTF8.GetString(key));
            return;
        }
        if (isCommitted || value[0] == 1)
        {
            TakeUser(key, value);
            return;
        }
        // What another writer had begun before was never sealed, and never will be.
        var writer = new ByteReader(Body(value)).UInt64();
        if (writer != _unsealedWriter) _unsealed.Clear();
        _unsealedWriter = writer;
        _unsealed.Add((key.ToArray(), value.ToArray()));
    }

    private void TakeSeal(ReadOnlySpan<byte> value)
    {
        var from = new ByteReader(Body(value, WeightedSealVersion));
        var isFirst = value[0] == 1;
        var writer = isFirst ? 0 : from.UInt64();
        if (_unsealed.Count > 0 && writer == _unsealedWriter)
            foreach (var (key, state) in _unsealed) TakeUser(key, state);
        _unsealed.Clear();
        _nextOffset = from.Int64();
        _clockMs = from.Int64();
        _counts = ReadCounts(ref from);
        Leader = isFirst ? "" : from.String() ?? "";
        Weigh(value[0] < WeightedSealVersion ? ChangedWeights.None : ChangedWeights.Read(ref from));
    }

    private void TakeUser(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var user = Encoding.UTF8.GetString(key);
        var bytes = StateOf(value, out var waiting);
        Put(key, bytes, out var hash);
        StateFold ^= hash;
        var state = UserStateCodec.Read(bytes, _parts.Dimension, user);
        // Records of the first version do not tell which lists wait.
        Remember(_followed!, user, state.WakeMs, waiting ?? [.. state.Lists.Select(list => new WaitingList(list.Surface, false, 0)).Distinct()]);
    }

    /// <summary>The state in a user's record of the changelog, as <see cref="UserStateCodec"/> reads it.</summary>
    /// <exception cref="FormatException">The record is torn, or from a newer build.</exception>
    public static ReadOnlySpan<byte> StateOf(ReadOnlySpan<byte> record) => StateOf(record, out _);

    /// <param name="record">A user's.</param>
    /// <param name="waiting">Null in records of the first version, which do not tell.</param>
    private static ReadOnlySpan<byte> StateOf(ReadOnlySpan<byte> record, out List<WaitingList>? waiting)
    {
        var from = new ByteReader(Body(record));
        waiting = null;
        if (record[0] == 1) return from.Rest();
        _ = (from.UInt64(), from.Int64());
        waiting = [];
        for (var left = from.Count(10); left > 0; left--) waiting.Add(new WaitingList(from.String() ?? "", from.Bool(), from.Int64()));
        return from.Rest();
    }

    private static void Remember(Dictionary<string, Followed> followed, string user, long wakeMs, IReadOnlyList<WaitingList> waiting)
    {
        if (wakeMs > 0 || waiting.Count > 0) followed[user] = new Followed(wakeMs, waiting);
        else followed.Remove(user);
    }

    /// <summary>Writes a state, or none, over what the store has, which leaves the fold.</summary>
    private void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> bytes, out ulong hash)
    {
        var user = Encoding.UTF8.GetString(key);
        _value.Clear();
        if (_parts.Store.TryRead(key, _value)) StateFold ^= HashOf(user, _value.WrittenSpan);
        hash = bytes.IsEmpty ? 0 : HashOf(user, bytes);
        if (bytes.IsEmpty) _parts.Store.Delete(key);
        else _parts.Store.Upsert(key, bytes);
    }

    private static ulong HashOf(string user, ReadOnlySpan<byte> bytes) => StableHash.Combine(StableHash.Of(user), StableHash.Of(bytes));

    /// <summary>Queues what followed users wait for, in an order that does not depend on how they came.</summary>
    private void TakeUp()
    {
        _wakes.Clear();
        _refresh.Clear();
        foreach (var (user, followed) in _followed!.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            if (followed.WakeMs > 0) _wakes.Add(user, followed.WakeMs);
            foreach (var list in followed.Waiting) _refresh.Add(user, list.Surface, list.Urgent, list.SinceMs);
        }
    }

    private void DropAll()
    {
        foreach (var resident in _untold) resident.Untold = false;
        _untold.Clear();
        _told.Clear();
        _hot.Clear();
        _wakes.Clear();
        _refresh.Clear();
        _wanted.Clear();
        _poison.Clear();
        _unsealed.Clear();
    }

    private static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> value, byte max = ChangelogVersion)
    {
        var head = new ByteReader(value);
        head.Version(max, "a record of the users' changelog");
        return value[1..];
    }
}
