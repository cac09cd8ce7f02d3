using System.Text;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Evaluation.Replay;

/// <summary>
/// The live path without its machinery: no log, no serialisation, no actors or threads, no store, no lists and no cache; only
/// the users' state machines in a dictionary, and the learners. It shares with the live path what decides a figure (the machine, the
/// learners, which partition a user is in, the order of wake-ups and of learning) and none of what must not, so that equal figures
/// mean that the machinery adds and loses nothing. Not thread-safe. A machine that throws is a bug here, and ends the run.
/// </summary>
public sealed class OfflinePath : IUserEffects
{
    private readonly StreamingSettings _settings;
    private readonly UserMachine _machine;
    private readonly Partition[] _partitions;
    private readonly LearningOrder _order = new();
    private readonly Dictionary<string, UserState> _users = [];
    private readonly List<ExampleRecord> _released = [];
    private long _clockMs;
    private long _dueMs;
    private bool _forget;

    /// <summary>What one partition of <c>events</c> knows beyond its users.</summary>
    private sealed class Partition(int number, int forgottenMax)
    {
        public readonly int Number = number;
        public readonly WakeQueue Wakes = new();
        public readonly ForgottenUsers Forgotten = new(forgottenMax);
        public readonly List<ExampleRecord> Records = [];
        public long ClockMs;
        public long Sequence;
    }

    /// <param name="settings">As the live path's: partitions, windows, learners, seed.</param>
    /// <param name="models">What the users' machines ask, given the learners; null for the learners themselves.</param>
    public OfflinePath(StreamingSettings settings, Func<LearnerSet, IUserModels>? models = null)
    {
        _settings = settings;
        Learners = new LearnerSet(settings);
        Trainer = Learners.NewTrainer();
        _machine = new UserMachine(settings.Users, models?.Invoke(Learners) ?? Learners.UserModels, settings.Node.Seed);
        _partitions = [.. Enumerable.Range(0, settings.Log.Partitions).Select(p => new Partition(p, settings.Users.ForgottenUsersMax))];
    }

    public LearnerSet Learners { get; }
    public Trainer Trainer { get; }

    /// <summary>Told of every record when it has been learned.</summary>
    public Action<ExampleRecord>? Learned { get; init; }

    /// <summary>Events that changed a user.</summary>
    public long Applied { get; private set; }

    /// <summary>Records set aside: no events, or such as cannot be applied.</summary>
    public long SetAside { get; private set; }

    /// <summary>A user's state, or null.</summary>
    public UserState? Find(string user) => _users.GetValueOrDefault(user);

    /// <summary>Applies a change of the catalogue; in a round these come before the events.</summary>
    public void Apply(ItemChange change) => Learners.Catalog.Apply(change);

    /// <summary>Applies one record of <c>events</c>. What it releases is learned at the end of the round.</summary>
    /// <param name="e">The event; null for a record that holds none, which still moves its partition's time on.</param>
    /// <param name="recordMs">The record's time.</param>
    public void Apply(UserEvent? e, long recordMs)
    {
        _clockMs = Math.Max(_clockMs, recordMs);
        var partition = _partitions[Murmur2.PartitionOf(Encoding.UTF8.GetBytes(e?.User ?? ""), _partitions.Length)];
        var source = Begin(partition, recordMs);
        if (e is null || _machine.IsTooEarly(e, recordMs)) SetAside++;
        else if (!partition.Forgotten.Covers(e.User, e.TimeMs)) Handle(partition, e, source);
    }

    /// <summary>Ends a round: learns what its events have released.</summary>
    public void Learn()
    {
        foreach (var partition in _partitions)
        {
            if (partition.Records.Count == 0) continue;
            _order.Add(partition.Number, partition.Records);
            partition.Records.Clear();
        }
        _order.Take(record =>
        {
            Trainer.On(record);
            Learned?.Invoke(record);
        });
    }

    /// <summary>Moves every partition's event time on without an event, and ends the windows that are over.</summary>
    public void Tick(long timeMs)
    {
        foreach (var partition in _partitions) Begin(partition, timeMs);
        Learn();
    }

    /// <summary>Moves event time past every attribution window: the end of a replay.</summary>
    public void Finish() => Tick(_clockMs + _settings.Users.AttributionWindowMs + 1);

    private LogPosition Begin(Partition partition, long recordMs)
    {
        var source = new LogPosition(partition.Number, partition.Sequence++);
        if (recordMs <= partition.ClockMs) return source;
        partition.ClockMs = recordMs;
        while (partition.Wakes.TryTake(recordMs, out var user, out _))
        {
            if (!_users.TryGetValue(user, out var state)) continue;
            _dueMs = long.MaxValue;
            _machine.OnTime(state, recordMs, source, this);
            Release(partition, user);
        }
        return source;
    }

    private void Handle(Partition partition, UserEvent e, LogPosition source)
    {
        if (!_users.TryGetValue(e.User, out var state))
            _users[e.User] = state = new UserState(e.User, _settings.Learning.EmbeddingDim);
        (_dueMs, _forget) = (long.MaxValue, false);
        var result = _machine.Handle(state, e, source, this);
        if (result == HandleResult.Rejected) SetAside++;
        if (result == HandleResult.Applied) Applied++;
        if (_forget)
        {
            _users.Remove(e.User);
            partition.Forgotten.Add(e.User, e.TimeMs);
            return;
        }
        Release(partition, e.User);
        if (state.Events == 0) _users.Remove(e.User);
    }

    private void Release(Partition partition, string user)
    {
        partition.Records.AddRange(_released);
        _released.Clear();
        if (_dueMs < long.MaxValue) partition.Wakes.Add(user, _dueMs);
    }

    void IUserEffects.Emit(Example example) => _released.Add(new ExampleRecord(example, null));
    void IUserEffects.Emit(Interaction interaction) => _released.Add(new ExampleRecord(null, interaction));
    void IUserEffects.Wake(long dueMs) => _dueMs = Math.Min(_dueMs, dueMs);
    void IUserEffects.Forget() => _forget = true;

    void IUserEffects.Refresh(string surface, bool urgent)
    {
        // There are no lists.
    }

    void IUserEffects.Reject(string reason)
    {
        // Counted by its result.
    }
}
