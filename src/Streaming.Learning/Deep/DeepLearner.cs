using Streaming.Core.Settings;
using Streaming.Learning.Metrics;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;

namespace Streaming.Learning.Deep;

/// <summary>What is due after a mini-batch: decided by whoever drives the learner, by the clock or by counts.</summary>
[Flags]
public enum Due : byte
{
    Nothing = 0,

    /// <summary>A new version.</summary>
    Version = 1,

    /// <summary>The dense weights with it.</summary>
    Dense = 2,

    /// <summary>A snapshot for new replicas once it is promoted.</summary>
    Snapshot = 4,

    /// <summary>A state to go back to, once it is promoted.</summary>
    State = 8,

    All = 15,
}

/// <summary>What came of one mini-batch.</summary>
/// <param name="Cut">Whether the version that was due has been cut; it has not while another one is being judged.</param>
/// <param name="Publish">Versions for the replicas, in this order.</param>
/// <param name="Verdict">What the canary said, if it did.</param>
public readonly record struct StepOutcome(bool Cut, IReadOnlyList<ModelUpdate> Publish, LedgerEntry? Verdict);

/// <summary>
/// Learns one deep model in mini-batches and decides which of its versions replicas may have: predict first, score, learn; every so often the
/// changes since the last version are cut off as a candidate; the candidate, frozen, is scored on the next examples beside the version that
/// serves; then it is promoted, which is when it is published, or the learner goes back. A pure function of the batches and of what
/// was due after each: the same calls give the same weights, versions and verdicts. One thread.
/// </summary>
/// <remarks>
/// It holds three sets of weights: those that learn, the candidate's and the serving ones; the latter two follow by the very bytes that are
/// published, so what was judged is what is served. Only promoted versions ever leave it, so everything on the <c>models</c> topic is
/// good, and a model is as fresh as the publishing interval plus the time that <c>Deep:CanaryExamples</c> take to arrive. Going back
/// means: the last state whose version was promoted, optimizer and all, with the serving values put over its own. What was learned
/// since the serving version is gone; learning goes on with the next batch, and versions go on counting.
/// </remarks>
public sealed partial class DeepLearner : IDisposable
{
    private readonly DeepSettings _settings;
    private readonly LearningSettings _learning;
    private readonly DeepScores _scores;
    private readonly int _chunkBytesMax;
    private readonly IDeepModel _candidate;
    private readonly IDeepModel _serving;

    private float[] _predictions = [];
    private float[] _candidatePredictions = [];
    private float[] _servingPredictions = [];
    private PrequentialMetrics _metrics;
    private GoalMetrics? _goals;
    private byte[] _goodState;
    private Trial? _trial;
    private double _excess;

    /// <summary>A version on trial: what is published if it passes.</summary>
    private sealed record Trial(ModelUpdate Update, Due Due, byte[]? State, Canary Canary);

    /// <param name="create">Makes the model; every call gives an equal one.</param>
    /// <param name="scores">What its predictions are.</param>
    /// <param name="settings">Batches, canary.</param>
    /// <param name="learning">Bounds of the figures.</param>
    /// <param name="epoch">See <see cref="UpdateHead.Epoch"/>.</param>
    /// <param name="recordBytesMax">The log's bound on a record.</param>
    public DeepLearner(
        Func<IDeepModel> create, DeepScores scores, DeepSettings settings, LearningSettings learning, long epoch, int recordBytesMax)
    {
        (_scores, _settings, _learning) = (scores, settings, learning);
        (Model, _candidate, _serving) = (create(), create(), create());
        Epoch = epoch;
        _chunkBytesMax = recordBytesMax - ModelRecordCodec.HeadBytesMax;
        _metrics = new PrequentialMetrics(Model.Name, learning, scores == DeepScores.Probabilities);
        _goals = GoalMetrics.Of(Model, learning);
        _goodState = StateOf(Model);
        TrackChanges();
    }

    public string Name => Model.Name;

    /// <summary>What learns.</summary>
    public IDeepModel Model { get; }

    /// <summary>The promoted weights: equal to those of every replica that is up to date.</summary>
    public IDeepModel Serving => _serving;

    public long Epoch { get; private set; }

    /// <summary>Mini-batches learned.</summary>
    public long Steps { get; private set; }

    /// <summary>The version that serves; 0 before the first promotion.</summary>
    public long Promoted { get; private set; }

    /// <summary>Examples learned, corrections included.</summary>
    public long Examples { get; private set; }

    /// <summary>Versions that the learner went back from.</summary>
    public long Rollbacks { get; private set; }

    /// <summary>Versions promoted.</summary>
    public long Promotions { get; private set; }

    /// <summary>Predictions that were no numbers, and so are not in the figures.</summary>
    public long NotFinite { get; private set; }

    /// <summary>Mean loss of the last batch before it was learned.</summary>
    public float LastLoss { get; private set; } = float.NaN;

    /// <summary>Event time of the newest example learned, Unix ms.</summary>
    public long NewestMs { get; private set; }

    /// <summary>Whether a version is on trial.</summary>
    public bool IsJudging => _trial is not null;

    /// <summary>Prequential figures of what learns.</summary>
    public PrequentialFigures Figures() => _goals is null ? _metrics.Figures() : _metrics.Figures() with { Goals = _goals.Figures() };

    /// <summary>Figures over the last predictions: cheap enough to publish every second.</summary>
    public WindowFigures Window() => _goals is null ? _metrics.Window() : _metrics.Window() with { Goals = _goals.Windows() };

    /// <summary>Predicts, scores and learns a batch of at least one row, and does what is due.</summary>
    /// <param name="nowMs">For the ledger.</param>
    public StepOutcome Step(LearningBatch batch, Due due, long nowMs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(batch.Count);
        Score(batch);
        LastLoss = Model.Learn(batch.Rows);
        Steps++;
        Examples += batch.Count;
        NewestMs = Math.Max(NewestMs, batch.NewestMs);
        if (!float.IsFinite(LastLoss)) return new StepOutcome(false, [], GoBack("the loss is not finite", nowMs));
        LedgerEntry? verdict = null;
        var publish = new List<ModelUpdate>();
        if (_trial is { Canary.IsDone: true } trial)
        {
            if (trial.Canary.Objection(ref _excess) is { } objection) return new StepOutcome(false, publish, GoBack(objection, nowMs));
            verdict = Promote(trial, "passed", publish, nowMs);
        }
        if ((due & Due.Version) == 0 || _trial is not null) return new StepOutcome(false, publish, verdict);
        if (!TryCut(due)) return new StepOutcome(true, publish, GoBack("a weight is not finite", nowMs));
        if (_settings.CanaryExamples == 0) verdict = Promote(_trial!, "published unseen", publish, nowMs);
        return new StepOutcome(true, publish, verdict);
    }

    /// <summary>All of the serving weights, as a version for replicas that have none.</summary>
    public ModelUpdate Snapshot() =>
        new(Head(UpdateKind.Snapshot, 0, Promoted), WeightsCodec.All(_serving.Weights, _chunkBytesMax));

    /// <summary>Removes deleted users from what learns; a version that is promoted carries it on.</summary>
    /// <param name="users">Keys, in an order that is the same every time.</param>
    public void Forget(IEnumerable<ulong> users)
    {
        foreach (var user in users)
        {
            foreach (var table in Model.Weights.UserTables) table.Forget(user);
            Model.Forget(user);
        }
    }

    /// <summary>Whether any copy of the weights has a row for the user: what learns, what is on trial, what serves.</summary>
    public bool HasRow(ulong user) => new[] { Model, _candidate, _serving }.SelectMany(model => model.Weights.UserTables).Any(table => table.TryGet(user, out _));

    public void Dispose()
    {
        Model.Dispose();
        _candidate.Dispose();
        _serving.Dispose();
    }

    private void Score(LearningBatch batch)
    {
        var rows = batch.Rows;
        if (_predictions.Length < rows.Count)
            (_predictions, _candidatePredictions, _servingPredictions) = (new float[rows.Count], new float[rows.Count], new float[rows.Count]);
        if (_goals is null) Model.Predict(rows, _predictions.AsSpan(0, rows.Count));
        else _goals.Predict(rows, _predictions.AsSpan(0, rows.Count));
        if (_trial is not null)
        {
            _candidate.Predict(rows, _candidatePredictions.AsSpan(0, rows.Count));
            _serving.Predict(rows, _servingPredictions.AsSpan(0, rows.Count));
        }
        for (var i = 0; i < rows.Count; i++)
        {
            NotFinite += _goals?.Add(rows, i) ?? 0;
            if (!batch.IsScored(i)) continue;
            var (positive, weight) = (rows.Labels[i] > 0.5f, rows.Weights[i]);
            if (float.IsFinite(_predictions[i])) _metrics.Add(rows.Users[i], _predictions[i], positive, weight);
            else NotFinite++;
            _trial?.Canary.Add(_candidatePredictions[i], _servingPredictions[i], positive, weight);
        }
    }

    /// <summary>Cuts the changes since the last version off as a candidate; false where one of them is not finite.</summary>
    private bool TryCut(Due due)
    {
        var whole = Model.Weights.Tables.Any(t => !t.Table.IsDeltaComplete);
        var kind = whole ? UpdateKind.Snapshot : UpdateKind.Delta;
        var chunks = whole
            ? WeightsCodec.All(Model.Weights, _chunkBytesMax) : WeightsCodec.Delta(Model.Weights, (due & Due.Dense) != 0, _chunkBytesMax);
        if (whole) TrackChanges();
        if (!WeightsCodec.Check(_candidate.Weights, chunks)) return false;
        WeightsCodec.Apply(_candidate.Weights, kind, chunks);
        var state = (due & Due.State) != 0 ? StateOf(Model) : null;
        _trial = new Trial(new ModelUpdate(Head(kind, whole ? 0 : Promoted, Steps), chunks), due, state, new Canary(_scores, _settings));
        return true;
    }

    private LedgerEntry Promote(Trial trial, string reason, List<ModelUpdate> publish, long nowMs)
    {
        WeightsCodec.Apply(_serving.Weights, trial.Update.Head.Kind, trial.Update.Chunks);
        publish.Add(trial.Update);
        var entry = Entry(trial.Update.Head.Version, LedgerEntry.Promoted, reason, nowMs);
        Promoted = trial.Update.Head.Version;
        if (trial.State is not null) _goodState = trial.State;
        if ((trial.Due & Due.Snapshot) != 0) publish.Add(Snapshot());
        _trial = null;
        Promotions++;
        return entry;
    }

    private LedgerEntry GoBack(string reason, long nowMs)
    {
        var entry = Entry(_trial?.Update.Head.Version ?? Steps, LedgerEntry.RolledBack, reason, nowMs);
        Model.Load(new MemoryStream(_goodState, writable: false));
        WeightsCodec.Take(Model.Weights, _serving.Weights, NewestMs);
        WeightsCodec.Take(_candidate.Weights, _serving.Weights, NewestMs);
        TrackChanges();
        _trial = null;
        Rollbacks++;
        return entry;
    }

    private LedgerEntry Entry(long version, string verdict, string reason, long nowMs)
    {
        var scored = _trial is { Canary.Examples: > 0 } ? _trial.Canary : null;
        return new LedgerEntry(
            Name, Epoch, Steps, nowMs, version, Promoted, verdict, reason, scored?.Examples ?? 0, scored?.Candidate, scored?.Serving);
    }

    private UpdateHead Head(UpdateKind kind, long from, long version) => new(Name, kind, Epoch, from, version, NewestMs, 0, 0);

    /// <summary>Starts noting changes anew; loading may have put other tables into the model.</summary>
    private void TrackChanges()
    {
        foreach (var (_, table) in Model.Weights.Tables) table.TracksChanges = true;
    }

    private static byte[] StateOf(IDeepModel model)
    {
        using var into = new MemoryStream();
        model.Save(into);
        return into.ToArray();
    }
}
