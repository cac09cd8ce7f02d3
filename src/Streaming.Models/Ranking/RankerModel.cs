using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>Any ranker of <see cref="Rankers"/> as a model of the live path: learns from joined examples, and serves.</summary>
public sealed class RankerModel : IMultiTaskModel
{
    /// <summary>Categories, authors and tags of an item that count at most.</summary>
    private const int SideKeysMax = 8;

    private readonly FieldRanker _ranker;
    private readonly IItemCatalog _catalog;
    private readonly LiveFields _fields;
    private readonly FieldBatch _batch;
    private readonly bool _readsSequence;
    private readonly float[] _labels;
    private float[] _probabilities = [];

    /// <param name="name">One of <see cref="Rankers"/>.</param>
    /// <param name="options">Widths and step sizes.</param>
    /// <param name="historyMax">Past items that count at most, the newest.</param>
    /// <param name="denseColumns">Of the examples' batches.</param>
    /// <param name="catalog">Knows the items' side information; read whenever a batch is.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    /// <param name="goals">What a ranker of several tasks learns beside the label; others leave them. Null for none.</param>
    public RankerModel(
        string name, RankerOptions options, int historyMax, int denseColumns, IItemCatalog catalog, torch.Device? device = null, IReadOnlyList<EventKind>? goals = null)
    {
        var ranker = Rankers.Find(name);
        (Name, HistoryMax, _catalog, Goals) = (name, historyMax, catalog, ranker.IsMultiTask ? goals ?? [] : []);
        var shape = LiveFields.Shape(historyMax, denseColumns, positionsMax: 32, ranker.HasCrosses) with
        {
            Tasks = 1 + Goals.Count, TasksCode = Goals.Aggregate(0, (code, kind) => code * 16 + (int)kind),
        };
        _labels = new float[shape.Tasks];
        _ranker = new FieldRanker(name, shape, options, ranker.Recipe, device);
        _fields = new LiveFields(catalog, historyMax, SideKeysMax);
        _batch = new FieldBatch(shape);
        _readsSequence = ranker.Recipe.Network(shape, options).ReadsSequence;
    }

    public string Name { get; }

    public DeepWeights Weights => _ranker.Weights;

    /// <summary>Past items that count at most.</summary>
    public int HistoryMax { get; }

    public IReadOnlyList<EventKind> Goals { get; }

    /// <inheritdoc/>
    public bool Learns(Example example) => !example.IsFollowUp || (example.GoalsKnown & Core.Events.Goals.MaskOf(Goals)) != 0;

    /// <summary>h: columns of the network's last hidden layer; 0 where it tells none.</summary>
    public int HiddenColumns => _ranker.HiddenColumns;

    /// <summary>The first task's.</summary>
    public void Predict(ExampleBatch batch, Span<float> into) => Predict(batch, into, default);

    /// <inheritdoc cref="Predict(ExampleBatch, Span{float})"/>
    /// <param name="hidden">Shape [B, <see cref="HiddenColumns"/>] for the last hidden layer, the personalised vector of a re-ranker; or nothing.</param>
    public void Predict(ExampleBatch batch, Span<float> into, Span<float> hidden)
    {
        if (into.Length != batch.Count) throw new ArgumentException($"{batch.Count} rows, and a place for {into.Length}");
        if (Goals.Count == 0)
        {
            _ranker.Predict(Rows(batch), into, hidden);
            return;
        }
        var tasks = _labels.Length;
        if (_probabilities.Length < batch.Count * tasks) _probabilities = new float[batch.Count * tasks];
        PredictGoals(batch, _probabilities.AsSpan(0, batch.Count * tasks), hidden);
        for (var row = 0; row < batch.Count; row++) into[row] = _probabilities[row * tasks];
    }

    public void PredictGoals(ExampleBatch batch, Span<float> into) => PredictGoals(batch, into, default);

    private void PredictGoals(ExampleBatch batch, Span<float> into, Span<float> hidden) => _ranker.Predict(Rows(batch), into, hidden);

    public float Learn(ExampleBatch batch) => _ranker.Learn(Rows(batch));

    private FieldBatch Rows(ExampleBatch batch)
    {
        _batch.Clear();
        for (var row = 0; row < batch.Count; row++)
        {
            _fields.BeginUser(batch.Users[row], batch.History(row), batch.InSession[row], batch.Surfaces[row], batch.ShownMs[row]);
            _fields.AddItem(
                _batch, batch.Items[row], _readsSequence, batch.DenseRow(row), LabelsOf(batch, row), batch.ShownMs[row], batch.Positions[row], batch.Weights[row]);
        }
        return _batch;
    }

    /// <inheritdoc/>
    /// <remarks>Each is labelled by one record of an impression, unless a late action corrects it.</remarks>
    public ReadOnlySpan<float> LabelsOf(ExampleBatch batch, int row)
    {
        var source = batch.Source(row);
        _labels[0] = source is { IsFollowUp: true } ? float.NaN : batch.Labels[row];
        for (var k = 0; k < Goals.Count; k++)
        {
            var bit = Core.Events.Goals.Bit(Goals[k]);
            _labels[k + 1] = source is null || (source.GoalsKnown & bit) == 0 ? float.NaN : (source.GoalsMet & bit) != 0 ? 1f : 0f;
        }
        return _labels;
    }

    /// <summary>What scores candidates of one user after another on a thread of its own.</summary>
    public CandidateRows NewCandidates() => new(_ranker.NewScorer(), new LiveFields(_catalog, HistoryMax, SideKeysMax), _ranker.Shape, _readsSequence);

    public void Save(Stream into) => _ranker.Save(into);

    public void Load(Stream from) => _ranker.Load(from);

    public void Dispose()
    {
        // Nothing native outlives a pass.
    }
}

/// <summary>Candidates of one user after another, scored by a <see cref="RankerModel"/>. One thread.</summary>
public sealed class CandidateRows : IDisposable
{
    private readonly RankerScorer _scorer;
    private readonly LiveFields _fields;
    private readonly FieldBatch _batch;
    private readonly bool _readsSequence;

    internal CandidateRows(RankerScorer scorer, LiveFields fields, RankerShape shape, bool readsSequence) =>
        (_scorer, _fields, _batch, _readsSequence) = (scorer, fields, new FieldBatch(shape), readsSequence);

    /// <summary>Takes over the dense weights as they now stand; rows of tables are always read from the model itself.</summary>
    public void Refresh() => _scorer.Refresh();

    /// <summary>K.</summary>
    public int Tasks => _batch.Shape.Tasks;

    /// <inheritdoc cref="DinScorer.Score"/>
    /// <remarks>Scores are of shape [items, K] row-major: the probabilities of all tasks.</remarks>
    public void Score(
        ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long nowMs, ReadOnlySpan<ulong> items, ReadOnlySpan<float> dense,
        Span<float> scores) => Score(user, history, inSession, surface, nowMs, items, dense, scores, default);

    /// <inheritdoc cref="Score(ulong, ReadOnlySpan{ulong}, int, ulong, long, ReadOnlySpan{ulong}, ReadOnlySpan{float}, Span{float})"/>
    /// <param name="hidden">Shape [items, <see cref="RankerModel.HiddenColumns"/>] for the last hidden layer, or nothing.</param>
    internal void Score(
        ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long nowMs, ReadOnlySpan<ulong> items, ReadOnlySpan<float> dense,
        Span<float> scores, Span<float> hidden)
    {
        var columns = _batch.Shape.DenseColumns;
        if (dense.Length != items.Length * columns) throw new ArgumentException($"{dense.Length} dense values for {items.Length} items of {columns}");
        if (scores.Length != items.Length * Tasks) throw new ArgumentException($"{items.Length} items of {Tasks} tasks, and a place for {scores.Length}");
        _batch.Clear();
        _batch.SharesSequence = true;
        _fields.BeginUser(user, history, inSession, surface, nowMs);
        for (var i = 0; i < items.Length; i++)
            _fields.AddItem(_batch, items[i], _readsSequence && i == 0, dense.Slice(i * columns, columns));
        _scorer.Predict(_batch, scores, hidden);
    }

    public void Dispose() => _scorer.Dispose();
}
