using System.Buffers.Binary;
using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// The changelog: after every round the state of each user that it changed, so that a shard can be built again where the store is lost, or on
/// another node. Keys are the users' ids; those of the shard's own records start with NUL, as no user's does. One of these tells which input
/// position the states belong to: all of a round's records are in one transaction.
/// </summary>
public sealed partial class UserShard
{
    private const byte ChangelogVersion = 1;
    private static readonly byte[] ForgottenPrefix = "\0forgotten:"u8.ToArray();

    private readonly List<Resident> _untold = [];
    private long _toldOffset = -1;

    private byte[] OwnKey => Encoding.UTF8.GetBytes($"\0shard:{Partition}");

    private void TellChanges()
    {
        // Behind what an earlier run has told, states would go back in time; who changed until then is told of once it is reached.
        if (_nextOffset < _parts.ChangelogOffset || (_untold.Count == 0 && _toldOffset == _nextOffset)) return;
        foreach (var resident in _untold)
        {
            resident.Untold = false;
            _value.Clear();
            _value.Byte(ChangelogVersion);
            UserStateCodec.Write(resident.State, _value);
            _parts.Sink.Changed(KeyOf(resident.State.User), _value.WrittenSpan);
        }
        _untold.Clear();
        _toldOffset = _nextOffset;
        _value.Clear();
        _value.Byte(ChangelogVersion);
        _value.Int64(_nextOffset);
        _value.Int64(_clockMs);
        WriteCounts();
        _parts.Sink.Changed(OwnKey, _value.WrittenSpan);
    }

    /// <summary>A deletion leaves the hash of the id and the time behind, as in the shard's own state, and nothing of the user.</summary>
    private void TellForgotten(string user, long timeMs)
    {
        _untold.RemoveAll(resident => resident.State.User == user);
        _parts.Sink.Changed(KeyOf(user), default);
        var key = new byte[ForgottenPrefix.Length + sizeof(ulong)];
        ForgottenPrefix.CopyTo(key, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(key.AsSpan(ForgottenPrefix.Length), StableHash.Of(user));
        _value.Clear();
        _value.Byte(ChangelogVersion);
        _value.Int64(timeMs);
        _parts.Sink.Changed(key, _value.WrittenSpan);
    }

    /// <summary>
    /// Takes the state from a changelog, read from its start to the end of the last transaction. Only on a shard that has no state. Wake-ups
    /// follow from the states; lists are asked for anew.
    /// </summary>
    /// <exception cref="FormatException">A record is torn, or from a newer build.</exception>
    public void Restore(IEnumerable<LogBatch> changelog)
    {
        if (_nextOffset > 0 || _hot.Count > 0) throw new InvalidOperationException($"shard {Partition} has a state already");
        var users = new HashSet<string>(StringComparer.Ordinal);
        foreach (var batch in changelog)
            for (var i = 0; i < batch.Count; i++) Take(batch.Key(i).Span, batch.Value(i).Span, users);
        foreach (var user in users.OrderBy(u => u, StringComparer.Ordinal))
        {
            if (Load(user) is not { } state) continue;
            StateFold ^= StableHash.Combine(StableHash.Of(user), StableHash.Of(_value.WrittenSpan));
            if (state.WakeMs > 0) _wakes.Add(user, state.WakeMs);
            foreach (var surface in state.Lists.Select(list => list.Surface).Distinct()) _refresh.Add(user, surface, urgent: false, 0);
        }
        _toldOffset = _nextOffset;
        Flush();
    }

    private void Take(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, HashSet<string> users)
    {
        if (key.Length == 0 || key[0] != 0)
        {
            if (value.IsEmpty) _parts.Store.Delete(key);
            else _parts.Store.Upsert(key, Body(value));
            users.Add(Encoding.UTF8.GetString(key));
            return;
        }
        if (value.IsEmpty) return;
        var from = new ByteReader(Body(value));
        if (key.StartsWith(ForgottenPrefix)) _forgotten.Add(BinaryPrimitives.ReadUInt64LittleEndian(key[ForgottenPrefix.Length..]), from.Int64());
        else if (key.SequenceEqual(OwnKey))
        {
            _nextOffset = from.Int64();
            _clockMs = from.Int64();
            _counts = ReadCounts(ref from);
        }
    }

    private static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> value)
    {
        var head = new ByteReader(value);
        head.Version(ChangelogVersion, "a record of the users' changelog");
        return value[1..];
    }
}
