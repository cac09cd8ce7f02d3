using System.Diagnostics;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Threads;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// The shell around the users of one partition: loads, times, applies, restarts, passivates. It decides nothing about a user;
/// <see cref="UserMachine"/> does. Not thread-safe: whoever hosts it gives it one thread of control (an in-process shard thread,
/// or an Akka entity).
/// </summary>
public sealed partial class UserShard
{
    private readonly ShardParts _parts;
    private readonly HotUsers _hot = new();
    private readonly WakeQueue _wakes = new();
    private readonly RefreshQueue _refresh = new();
    private readonly List<WantedList> _wanted = [];
    private readonly ForgottenUsers _forgotten;
    private readonly HashSet<long> _poison = [];
    private readonly Effects _effects;
    private readonly ByteWriter _value = new(4096);
    private readonly LongRecord _meta;
    private byte[] _key = new byte[256];
    private long _clockMs;
    private long _receivedMs;
    private long _nextOffset;
    private long _flushedOffset;
    private long _flushedClockMs;
    private UserHostCounts _counts;
    private ChangedWeights _weights = ChangedWeights.None;
    private ChangedWeights _flushedWeights = ChangedWeights.None;

    public UserShard(ShardParts parts)
    {
        _parts = parts;
        _effects = new Effects(this);
        _forgotten = new ForgottenUsers(parts.Settings.ForgottenUsersMax);
        _meta = new LongRecord(parts.Store, $"\0shard:{parts.Partition}");
        _writer = StableHash.Of(parts.Writer);
        LoadMeta();
    }

    public int Partition => _parts.Partition;

    /// <summary>The next record to apply: where reading goes on after a restart.</summary>
    public long NextOffset => _nextOffset;

    /// <summary>
    /// XOR over all users, in memory and in the store, of the hash of each one's stored bytes; up to date after
    /// <see cref="Flush"/>. Two shards with the same users in the same state have the same value, whatever was in memory when.
    /// </summary>
    public ulong StateFold { get; private set; }

    /// <summary>Event time of the partition, Unix ms: the largest record time so far.</summary>
    public long ClockMs => _clockMs;

    public UserHostCounts Counts => _counts with { Resident = _hot.Count };

    /// <summary>Applies the records of a batch in order; those before <see cref="NextOffset"/> are repeats.</summary>
    public void Apply(LogBatch batch)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            var offset = batch.Offset(i);
            if (offset < _nextOffset)
            {
                _counts = _counts with { Repeats = _counts.Repeats + 1 };
                continue;
            }
            _receivedMs = batch.ReceivedMs > 0 ? batch.ReceivedMs : batch.TimeMs(i);
            ApplyOne(new LogPosition(Partition, offset), batch.TimeMs(i), batch.Value(i).Span);
            _nextOffset = i + 1 < batch.Count ? batch.Offset(i + 1) : batch.NextOffset;
            if ((i & 7) == 7) BackgroundThread.StandBack();
        }
    }

    /// <summary>Weights of actions from here on; part of the shard's own state, as they decide what becomes of the records that follow.</summary>
    private void Weigh(ChangedWeights weights)
    {
        if (!weights.SaysTheSame(_weights)) _parts.Machine.Weigh(weights);
        _weights = weights;
    }

    private void Touch(Resident resident)
    {
        resident.Dirty = true;
        if (!_parts.KeepsChangelog || resident.Untold) return;
        resident.Untold = true;
        _untold.Add(resident);
    }

    /// <summary>Asks for a list as if an event had made it stale.</summary>
    public void RequestList(string user, string surface) => _refresh.Add(user, surface, urgent: true, _receivedMs);

    /// <summary>Asks for the list of a given arm with the next <see cref="Refresh"/>. It is not kept over a restart: look-ups ask again.</summary>
    public void Want(in WantedList list) => _wanted.Add(list);

    /// <summary>The user's state without making it more recently used; null when unknown.</summary>
    public UserState? Peek(string user) => _hot.TryPeek(user, out var resident) ? resident.State : Load(user);

    /// <summary>Sums a figure over the users in memory.</summary>
    public long Sum(Func<UserState, long> figure)
    {
        long sum = 0;
        foreach (var resident in _hot.All) sum += figure(resident.State);
        return sum;
    }

    /// <summary>Writes every changed user and the shard's own state, its offset included, into the store.</summary>
    public void Flush()
    {
        if (_followed is not null) TakeUp();
        foreach (var resident in _hot.All)
        {
            if (!resident.Dirty) continue;
            Save(resident);
            BackgroundThread.StandBack();
        }
        SaveMeta();
        _poison.Clear();
        (_flushedOffset, _flushedClockMs, _flushedWeights) = (_nextOffset, _clockMs, _weights);
    }

    private void ApplyOne(LogPosition source, long recordMs, ReadOnlySpan<byte> payload)
    {
        // The record's time, not the event's, moves the clock: an event that claims the far future must not end other users' windows.
        if (recordMs > _clockMs)
        {
            _clockMs = recordMs;
            WakeDue(source);
        }
        if (!EventParser.TryParse(payload, recordMs, out var e, out var reason))
        {
            SetAside(source, payload, reason);
            return;
        }
        if (e.Kind == EventKind.Tick)
        {
            _counts = _counts with { Ticks = _counts.Ticks + 1 };
            if (ChangedWeights.Of(e) is { } said && said.Version > _weights.Version) Weigh(said);
            return;
        }
        if (_parts.Machine.IsTooEarly(e, recordMs))
        {
            SetAside(source, payload, $"time {e.TimeMs} is more than {_parts.Settings.FutureSkewMsMax} ms after the record's own time {recordMs}");
            return;
        }
        if (_forgotten.Covers(e.User, e.TimeMs))
        {
            _counts = _counts with { Forgotten = _counts.Forgotten + 1 };
            _parts.Sink.Forgotten(e.User, source, e.TimeMs, isLate: true);
            return;
        }
        if (!StreamingTraces.TryFind(payload, out var context))
        {
            Handle(source, e, payload);
            return;
        }
        using var applying = StreamingTraces.Source.StartActivity("apply event", ActivityKind.Consumer, context);
        Handle(source, e, payload);
        if (applying is null) return;
        applying.SetTag("streaming.event_type", e.Type).SetTag("streaming.position", source.ToString());
        if (_traced.Count < TracedMax) _traced[e.User] = applying.Context;
    }

    private void Handle(LogPosition source, UserEvent e, ReadOnlySpan<byte> payload)
    {
        var resident = Use(e.User);
        _effects.Begin(resident);
        HandleResult result;
        try
        {
            result = _parts.Machine.Handle(resident.State, e, source, _effects);
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            _poison.Add(source.Offset);
            Restart(resident, source);
            SetAside(source, payload, $"the actor threw {problem.GetType().Name}: {problem.Message}");
            if (resident.State.Events == 0) Drop(resident);
            return;
        }
        switch (result)
        {
            case HandleResult.Applied:
                Touch(resident);
                _counts = _counts with { Applied = _counts.Applied + 1 };
                StreamingMeters.CountEvents(e.Type);
                if (e.RequestId is not null) CountArm(e);
                if (_effects.Forget) Forget(resident, source, e.TimeMs);
                else _effects.Release();
                break;
            case HandleResult.Repeat:
                _counts = _counts with { Repeats = _counts.Repeats + 1 };
                // Whoever waits for a list that has seen this record need not wait: its first sending has been seen.
                resident.State.LastApplied = source;
                Touch(resident);
                break;
            default:
                SetAside(source, payload, _effects.Reason ?? "rejected");
                break;
        }
        if (result != HandleResult.Applied && resident.State.Events == 0) Drop(resident);
    }

    /// <summary>By the arm that the request id names: the one that made the list, whatever the user's arm is by now.</summary>
    private static void CountArm(UserEvent e)
    {
        if (e.Kind is not (EventKind.Impression or EventKind.Click) || !RequestId.TryParse(e.RequestId, out var arm, out _, out _)) return;
        if (e.Kind == EventKind.Click) StreamingMeters.CountArm(ArmMoment.Click, arm);
        else StreamingMeters.CountArm(ArmMoment.Impression, arm, Math.Max(1, e.Items.Count));
    }

    private void WakeDue(LogPosition source)
    {
        while (_wakes.TryTake(_clockMs, out var user, out _))
        {
            if (!TryUse(user, out var resident)) continue;
            _effects.Begin(resident);
            try
            {
                _parts.Machine.OnTime(resident.State, _clockMs, source, _effects);
                Touch(resident);
                _effects.Release();
            }
            catch (Exception problem) when (problem is not OutOfMemoryException)
            {
                Restart(resident, source);
                SetAsideStep(source, user, $"the actor threw {problem.GetType().Name} in a time-out: {problem.Message}");
            }
        }
    }

    private void Forget(Resident resident, LogPosition source, long timeMs)
    {
        var user = resident.State.User;
        Drop(resident);
        // What waits for the user would find nobody, but stands by name in the shard's own record.
        _wakes.Remove(user);
        _refresh.Remove(user);
        StateFold ^= resident.StoredHash;
        _parts.Store.Delete(KeyOf(user));
        _forgotten.Add(user, timeMs);
        _parts.Sink.Forgotten(user, source, timeMs, isLate: false);
        if (_parts.KeepsChangelog) TellForgotten(user, timeMs);
    }

    private void SetAside(LogPosition source, ReadOnlySpan<byte> payload, string reason)
    {
        _counts = _counts with { DeadLetters = _counts.DeadLetters + 1 };
        _parts.Sink.DeadLetter(source, _clockMs, payload, reason);
    }

    /// <summary>
    /// For a step of an actor that no record is to blame for: none is poison, and none counts as set aside, but it is put on record
    /// under the user's name.
    /// </summary>
    private void SetAsideStep(LogPosition source, string user, string reason) =>
        _parts.Sink.DeadLetter(source, _clockMs, Encoding.UTF8.GetBytes(user), reason);

    private Resident Use(string user)
    {
        if (TryUse(user, out var resident)) return resident;
        resident = new Resident(new UserState(user, _parts.Dimension));
        Admit(resident);
        return resident;
    }

    private bool TryUse(string user, out Resident resident)
    {
        if (_hot.TryUse(user, out resident!)) return true;
        if (Load(user) is not { } state) return false;
        _counts = _counts with { Loaded = _counts.Loaded + 1 };
        resident = new Resident(state) { StoredHash = HashOf(user, _value.WrittenSpan) };
        Admit(resident);
        return true;
    }

    private void Admit(Resident resident)
    {
        while (_hot.Count >= _parts.HotUsersMax && _hot.Oldest is { } oldest)
        {
            if (oldest.Dirty) Save(oldest);
            Drop(oldest);
            _counts = _counts with { Passivated = _counts.Passivated + 1 };
        }
        _hot.Add(resident);
    }

    private void Drop(Resident resident) => _hot.Remove(resident);

    private UserState? Load(string user)
    {
        _value.Clear();
        return _parts.Store.TryRead(KeyOf(user), _value) ? UserStateCodec.Read(_value.WrittenSpan, _parts.Dimension, user) : null;
    }

    private void Save(Resident resident)
    {
        _value.Clear();
        UserStateCodec.Write(resident.State, _value);
        _parts.Store.Upsert(KeyOf(resident.State.User), _value.WrittenSpan);
        var hash = HashOf(resident.State.User, _value.WrittenSpan);
        StateFold ^= resident.StoredHash ^ hash;
        resident.StoredHash = hash;
        resident.Dirty = false;
    }

    private ReadOnlySpan<byte> KeyOf(string user)
    {
        var max = Encoding.UTF8.GetMaxByteCount(user.Length);
        if (_key.Length < max) _key = new byte[max];
        return _key.AsSpan(0, Encoding.UTF8.GetBytes(user, _key));
    }

    /// <summary>
    /// Holds the effects of one message back until it is handled: an actor that throws half-way has then emitted nothing.
    /// </summary>
    private sealed class Effects(UserShard shard) : IUserEffects
    {
        private readonly List<object> _records = [];
        private readonly List<(string Surface, bool Urgent)> _refresh = [];
        private Resident? _resident;
        private long _dueMs;

        public string? Reason { get; private set; }
        public bool Forget { get; private set; }

        public void Begin(Resident resident)
        {
            _resident = resident;
            _records.Clear();
            _refresh.Clear();
            _dueMs = long.MaxValue;
            Reason = null;
            Forget = false;
        }

        public void Release()
        {
            foreach (var record in _records)
            {
                if (record is Example example) shard._parts.Sink.Example(example);
                else shard._parts.Sink.Interaction((Interaction)record);
            }
            foreach (var (surface, urgent) in _refresh) shard._refresh.Add(_resident!.State.User, surface, urgent, shard._receivedMs);
            // Always: the machine keeps in the user's state which wake-up is outstanding, and asks once.
            if (_dueMs < long.MaxValue) shard._wakes.Add(_resident!.State.User, _dueMs);
        }

        void IUserEffects.Emit(Example example) => _records.Add(example);
        void IUserEffects.Emit(Interaction interaction) => _records.Add(interaction);
        void IUserEffects.Refresh(string surface, bool urgent) => _refresh.Add((surface, urgent));
        void IUserEffects.Wake(long dueMs) => _dueMs = Math.Min(_dueMs, dueMs);
        void IUserEffects.Reject(string reason) => Reason = reason;
        void IUserEffects.Forget() => Forget = true;
    }
}
