using System.Text;
using Streaming.Actors;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Ports;
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
/// Rounds are the caller's: <see cref="Apply(UserEvent, long)"/> so many records and then <see cref="Learn"/>, as a replay does, or
/// <see cref="Step"/>, where every event is a round of its own, as protocols want that predict before each.
/// </summary>
public sealed class OfflinePath : IUserEffects
{
    private readonly StreamingSettings _settings;
    private readonly bool _inOneLine;
    private readonly Partition[] _partitions;
    private readonly LearningOrder _order = new();
    private readonly Dictionary<string, UserState> _users = [];
    private readonly List<ExampleRecord> _released = [];
    private long _clockMs;
    private long _dueMs;
    private bool _forget;

    /// <summary>What one partition of <c>events</c> knows beyond its users. Its machine is its own, as what actions weigh is.</summary>
    private sealed class Partition(int number, UserMachine machine, int forgottenMax)
    {
        public readonly int Number = number;
        public readonly UserMachine Machine = machine;

        /// <summary>As <see cref="WakeQueue"/>, but for the choice of what orders ties.</summary>
        public readonly PriorityQueue<string, (long DueMs, ulong Tie)> Wakes = new();

        public readonly ForgottenUsers Forgotten = new(forgottenMax);
        public readonly List<ExampleRecord> Records = [];
        public long ClockMs;
        public long Sequence;

        /// <summary>Version of the changed weights that its ticks have said last.</summary>
        public long Weights;
    }

    /// <param name="settings">As the live path's: partitions, windows, learners, seed.</param>
    /// <param name="models">What the users' machines ask, given the learners; null for the learners themselves.</param>
    /// <param name="others">Further learners, given the learners; told of everything after them. Null for none.</param>
    /// <param name="inOneLine">
    /// False: windows that end at the same millisecond end as on a node, by partition and then by the user's hash, which a restart cannot
    /// change. True: all users are in one partition, and such windows end in the order in which they were asked for: where recorded
    /// times are whole seconds, that is the order in which the lists were shown.
    /// </param>
    public OfflinePath(
        StreamingSettings settings, Func<LearnerSet, IUserModels>? models = null, Func<LearnerSet, IReadOnlyList<IStreamLearner>>? others = null,
        bool inOneLine = false)
    {
        (_settings, _inOneLine) = (settings, inOneLine);
        Learners = new LearnerSet(settings);
        Trainer = Learners.NewTrainer(others?.Invoke(Learners), item => NewItem?.Invoke(item));
        var asked = models?.Invoke(Learners) ?? Learners.UserModels;
        _partitions =
        [
            .. Enumerable.Range(0, inOneLine ? 1 : settings.Log.Partitions)
                .Select(p => new Partition(p, new UserMachine(settings.Users, asked, settings.Node.Seed), settings.Users.ForgottenUsersMax)),
        ];
    }

    public LearnerSet Learners { get; }
    public Trainer Trainer { get; }

    /// <summary>Told of every record when it has been learned.</summary>
    public Action<ExampleRecord>? Learned { get; init; }

    /// <summary>Told of every item that only events have named, once it is in the catalogue.</summary>
    public Action<Item>? NewItem { get; init; }

    /// <summary>The user's state; an empty one, which nobody keeps, for a user whom no event has named.</summary>
    public UserState StateOf(string user) => _users.TryGetValue(user, out var state) ? state : new UserState(user, _settings.Learning.EmbeddingDim);

    /// <summary>Applies a change of the catalogue; in a round these come before the events.</summary>
    public void Apply(ItemChange change) => Learners.Catalog.Apply(change);

    /// <summary>Applies one record of <c>events</c>. What it releases is learned at the end of the round.</summary>
    /// <param name="e">The event; null for a record that holds none, which still moves its partition's time on.</param>
    /// <param name="recordMs">The record's time.</param>
    /// <param name="at">
    /// The partition where a node's log has it; null for that of its user. Ticks have no user: they move the time, and say the weights, of the partition that they lie in.
    /// </param>
    public void Apply(UserEvent? e, long recordMs, int? at = null)
    {
        _clockMs = Math.Max(_clockMs, recordMs);
        var partition = _partitions[_inOneLine ? 0 : at ?? Murmur2.PartitionOf(Encoding.UTF8.GetBytes(e?.User ?? ""), _partitions.Length)];
        var source = Begin(partition, recordMs);
        // What is no event, or cannot be applied, is set aside: the live path counts it, and no figure hangs on it.
        if (e is null || partition.Machine.IsTooEarly(e, recordMs)) return;
        if (e.Kind == EventKind.Tick) Weigh(partition, e);
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

    /// <summary>One event as a round of its own: what was due before it is learned first, what it releases at once.</summary>
    public void Step(UserEvent e)
    {
        Tick(e.TimeMs);
        Apply(e, e.TimeMs);
        Learn();
    }

    /// <summary>
    /// Moves every partition's event time on without an event; ends, and learns, the windows that are over. Who ticks before
    /// predicting predicts from exactly what was known by then.
    /// </summary>
    public void Tick(long timeMs)
    {
        foreach (var partition in _partitions) Begin(partition, timeMs);
        Learn();
    }

    /// <summary>Moves event time past every attribution window: the end of a replay.</summary>
    public void Finish() => Tick(_clockMs + _settings.Users.AttributionWindowMs + 1);

    /// <summary>The ranker's probability of each item (a key), in its place, as the feed would score it for the user now.</summary>
    public void Score(string user, string surface, long nowMs, ReadOnlySpan<ulong> items, Span<double> scores)
    {
        var scorer = Learners.UserModels.Scorer;
        scorer.BeginUser(StateOf(user), nowMs, surface);
        for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
    }

    /// <summary>For the partition's records from here on, as on a node: one that another leads is told later than the rest.</summary>
    private static void Weigh(Partition partition, UserEvent tick)
    {
        if (ChangedWeights.Of(tick) is not { } said || said.Version <= partition.Weights) return;
        partition.Machine.Weigh(said);
        partition.Weights = said.Version;
    }

    private LogPosition Begin(Partition partition, long recordMs)
    {
        var source = new LogPosition(partition.Number, partition.Sequence++);
        if (recordMs <= partition.ClockMs) return source;
        partition.ClockMs = recordMs;
        while (partition.Wakes.TryPeek(out var user, out var wake) && wake.DueMs <= recordMs)
        {
            partition.Wakes.Dequeue();
            if (!_users.TryGetValue(user, out var state)) continue;
            _dueMs = long.MaxValue;
            partition.Machine.OnTime(state, recordMs, source, this);
            Release(partition, user);
        }
        return source;
    }

    private void Handle(Partition partition, UserEvent e, LogPosition source)
    {
        if (!_users.TryGetValue(e.User, out var state))
            _users[e.User] = state = new UserState(e.User, _settings.Learning.EmbeddingDim);
        (_dueMs, _forget) = (long.MaxValue, false);
        partition.Machine.Handle(state, e, source, this);
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
        if (_dueMs < long.MaxValue) partition.Wakes.Enqueue(user, (_dueMs, _inOneLine ? (ulong)partition.Sequence : StableHash.Of(user)));
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
        // As for what is no event.
    }
}
