using System.Buffers.Binary;
using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// The changelog: after every round the state of each user that it changed, so that a shard can be built again where the store is lost, or on
/// another node. Keys are the users' ids; those of the shard's own records start with NUL, as no user's does. One of these, the last of a round,
/// tells which input position the states belong to and so seals them: all of a round's records are in one transaction, and what was written and
/// not sealed counts for nothing, wherever a log shows it.
/// </summary>
public sealed partial class UserShard
{
    private const byte ChangelogVersion = 2;

    /// <summary>Of a seal that tells of changed weights, which older builds cannot read; without any it is as they wrote it.</summary>
    private const byte WeightedSealVersion = 3;

    private static readonly byte[] ForgottenPrefix = "\0forgotten:"u8.ToArray();

    private readonly List<Resident> _untold = [];

    /// <summary>Users told of in the last round: until it is committed, nobody else knows their state.</summary>
    private readonly List<string> _told = [];

    private readonly ulong _writer;
    private long _toldOffset = -1;

    private byte[] OwnKey => Encoding.UTF8.GetBytes($"\0shard:{Partition}");

    private void TellChanges()
    {
        // Behind what an earlier run has told, states would go back in time; who changed until then is told of once it is reached.
        if (_nextOffset < _parts.ChangelogOffset || (_untold.Count == 0 && _toldOffset == _nextOffset)) return;
        var waiting = _untold.Count > 0 && _refresh.Count > 0 ? _refresh.ByUser() : null;
        _told.Clear();
        foreach (var resident in _untold)
        {
            resident.Untold = false;
            var user = resident.State.User;
            _told.Add(user);
            BeginRecord();
            List<WaitingList>? lists = null;
            waiting?.TryGetValue(user, out lists);
            _value.Count(lists?.Count ?? 0);
            foreach (var list in lists ?? [])
            {
                _value.String(list.Surface);
                _value.Bool(list.Urgent);
                _value.Int64(list.SinceMs);
            }
            UserStateCodec.Write(resident.State, _value);
            _parts.Sink.Changed(KeyOf(user), _value.WrittenSpan);
        }
        _untold.Clear();
        TellSeal(_parts.Writer);
    }

    /// <summary>The seal of a round; whose writer is "" was the last of its writer, who has handed the shard over.</summary>
    private void TellSeal(string leader)
    {
        _toldOffset = _nextOffset;
        BeginRecord(_weights.Version == 0 ? ChangelogVersion : WeightedSealVersion);
        _value.Int64(_clockMs);
        WriteCounts();
        _value.String(leader);
        if (_weights.Version > 0) _weights.Write(_value);
        _parts.Sink.Changed(OwnKey, _value.WrittenSpan);
    }

    /// <summary>What all records of a round start with: who wrote them, and the position that they are as of.</summary>
    private void BeginRecord(byte version = ChangelogVersion)
    {
        _value.Clear();
        _value.Byte(version);
        _value.UInt64(_writer);
        _value.Int64(_nextOffset);
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
}
