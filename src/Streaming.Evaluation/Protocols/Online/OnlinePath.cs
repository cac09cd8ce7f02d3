using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Learning;
using Streaming.Learning.Features;
using Streaming.Learning.Statistics;
using Streaming.Users;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>
/// What a node runs between an event and the models, on one thread and without a log: the user machine joins and keeps interests,
/// the trainer predicts, scores and learns what it releases. One event is one round: user first, models frozen; then learning.
/// Attribution windows end when event time passes them, so that a protocol which calls <see cref="AdvanceTo"/> before it predicts
/// sees exactly what was known by then.
/// </summary>
internal sealed class OnlinePath : IUserEffects
{
    private readonly StreamingSettings _settings;
    private readonly UserMachine _machine;
    private readonly Dictionary<string, UserState> _users = [];
    private readonly PriorityQueue<string, (long DueMs, long Order)> _wakes = new();
    private readonly List<ExampleRecord> _released = [];
    private readonly FtrlModel _ranker;
    private long _offset;
    private UserState? _current;

    /// <param name="settings">Validated.</param>
    /// <param name="items">The catalogue as it stands before the first event.</param>
    /// <param name="others">Further learners, told after the models; made from the catalogue and the items' vectors.</param>
    public OnlinePath(
        StreamingSettings settings, IEnumerable<ItemChange> items, Func<IItemCatalog, MatrixFactorisation, IReadOnlyList<IStreamLearner>>? others = null)
    {
        _settings = settings;
        foreach (var change in items) Catalog.Apply(change);
        _ranker = new FtrlModel(settings.Learning, settings.Users.NegativeSampleRate);
        var factors = new MatrixFactorisation(settings.Learning, settings.Node.Seed);
        var statistics = new ItemStatistics(settings.Learning, Catalog);
        Models = new UserModels(new FeatureExtractor(settings, Catalog, statistics, factors, _ranker));
        Trainer = new Trainer(
            settings.Learning, _ranker, factors, statistics, others?.Invoke(Catalog, factors) ?? [], AddStub);
        _machine = new UserMachine(settings.Users, Models, settings.Node.Seed);
    }

    public ItemCatalog Catalog { get; } = new();
    public UserModels Models { get; }
    public Trainer Trainer { get; }

    /// <summary>Told of items that are known from events alone, when they are first met.</summary>
    public Action<Item>? OnStub { get; init; }

    /// <summary>The user as of the last event handled; a new one where there was none.</summary>
    public UserState UserOf(string user) =>
        _users.TryGetValue(user, out var state) ? state : _users[user] = new UserState(user, _settings.Learning.EmbeddingDim);

    /// <summary>Ends, and learns, the windows that are over by <paramref name="nowMs"/>.</summary>
    public void AdvanceTo(long nowMs)
    {
        while (_wakes.TryPeek(out var user, out var due) && due.DueMs <= nowMs)
        {
            _wakes.Dequeue();
            _current = UserOf(user);
            _machine.OnTime(_current, due.DueMs, new LogPosition(0, ++_offset), this);
            Learn();
        }
    }

    /// <summary>Applies one event; false when the machine had it before or refused it.</summary>
    public bool Handle(UserEvent e)
    {
        AdvanceTo(e.TimeMs);
        _current = UserOf(e.User);
        var result = _machine.Handle(_current, e, new LogPosition(0, ++_offset), this);
        Learn();
        return result == HandleResult.Applied;
    }

    /// <summary>The ranker's probability for each item, as the feed would score it now.</summary>
    public void Score(string user, string surface, long nowMs, ReadOnlySpan<ulong> items, Span<double> scores)
    {
        var scorer = Models.Scorer;
        scorer.BeginUser(UserOf(user), nowMs, surface);
        for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
    }

    private void AddStub(string id, long timeMs)
    {
        if (Catalog.AddStub(id, timeMs) && Catalog.TryGet(StableHash.Of(id), out var item)) OnStub?.Invoke(item);
    }

    private void Learn()
    {
        foreach (var record in _released)
        {
            if (record.Example is { } example) Trainer.OnExample(example);
            else Trainer.OnInteraction(record.Interaction!);
        }
        _released.Clear();
    }

    void IUserEffects.Emit(Example example) => _released.Add(new ExampleRecord(example, null));

    void IUserEffects.Emit(Interaction interaction) => _released.Add(new ExampleRecord(null, interaction));

    void IUserEffects.Refresh(string surface, bool urgent)
    {
        // Nobody keeps lists here: a protocol asks for scores when it needs them.
    }

    void IUserEffects.Wake(long dueMs) => _wakes.Enqueue(_current!.User, (dueMs, _offset));

    void IUserEffects.Reject(string reason)
    {
        // The readers' tests hold that no event of a data set is refused.
    }

    void IUserEffects.Forget() => _users.Remove(_current!.User);
}
