using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Wire;
using Streaming.Models.Deep;
using Streaming.Models.Optimizers;
using Streaming.Models.Ranking;
using TorchSharp;

namespace Streaming.Models.Reranking;

/// <summary>
/// PRM as a model of the live path: a base ranker that learns every example as it does alone, and <see cref="PrmNetwork"/> on top, which learns the lists that were shown,
/// whatever arm made them, once their outcome is known, in the order that the base would now give them. The paper's base is trained before and stands still; here both go
/// on learning, the base without the list's gradients. What it predicts of an example, and is judged by, is the base's probability: the list is only known to a list. So the head
/// is judged apart, by <see cref="HeadRecord"/>, and where it has been worse than the base's own order, that order is served.
/// </summary>
public sealed class PrmModel : IDeepModel
{
    /// <summary>In settings and arms.</summary>
    public const string ModelName = "prm";

    /// <summary>The ranker under it.</summary>
    public const string BaseName = "deepfm";

    private const byte FormatVersion = 2;
    private const int ListsMax = 4096;

    private readonly RankerModel _base;
    private readonly PrmOptions _options;
    private readonly PrmNetwork _network;
    private readonly DenseAdam _optimizer;
    private readonly torch.Device _device;
    private readonly long _waitMs;
    private readonly ExampleBatch _rows;
    private readonly ListBatch _lists;
    private readonly BaseOrder _order;
    private readonly HeadRecord _record = new();
    private OpenExamples _open;

    /// <param name="options">Of the base.</param>
    /// <param name="itemsMax">Items that are ordered anew at most, the base's best.</param>
    /// <param name="waitMs">After which a list's outcome is known, ms: the attribution window and a slack.</param>
    /// <param name="historyMax">Past items that count at most.</param>
    /// <param name="denseFeatures">Hashes by which examples hold the dense figures.</param>
    /// <param name="catalog">Knows the items' side information.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public PrmModel(RankerOptions options, int itemsMax, long waitMs, int historyMax, uint[] denseFeatures, IItemCatalog catalog, torch.Device? device = null)
    {
        _base = new RankerModel(BaseName, options, historyMax, denseFeatures.Length, catalog, device);
        _options = new PrmOptions { ItemsMax = itemsMax, AddsToBase = true, Seed = options.Seed };
        (_device, _waitMs, _rows) = (device ?? torch.CPU, waitMs, new ExampleBatch(historyMax, denseFeatures));
        _order = new BaseOrder(denseFeatures.Length, _base.HiddenColumns, itemsMax);
        _network = new PrmNetwork(_order.Columns, _options);
        _lists = new ListBatch(_order.Columns);
        _optimizer = new DenseAdam(_network.Parameters, options.Rate);
        _open = new OpenExamples(waitMs, ListsMax, itemsMax);
        Weights = new DeepWeights(_base.Weights.Tables, [.. _base.Weights.Dense, .. _network.Parameters, _record.Buffer]);
    }

    public string Name => ModelName;

    public DeepWeights Weights { get; }

    /// <summary>Past items that count at most.</summary>
    public int HistoryMax => _base.HistoryMax;

    /// <summary>Lists that wait for their outcome.</summary>
    public int OpenLists => _open.Count;

    /// <summary>Lists with an action that were learned.</summary>
    public long ListsLearned { get; private set; }

    /// <summary>How the head has done beside its base on lists that it had not learned.</summary>
    public HeadRecord Record => _record;

    public void Predict(ExampleBatch batch, Span<float> into) => _base.Predict(batch, into);

    /// <inheritdoc/>
    /// <remarks>Returns the base's loss; NaN where that of the lists is not finite.</remarks>
    public float Learn(ExampleBatch batch)
    {
        for (var row = 0; row < batch.Count; row++)
            if (batch.Source(row) is { } example) _open.Add(example);
        var listLoss = LearnLists(_open.Take());
        var loss = _base.Learn(batch);
        return float.IsFinite(listLoss) ? loss : float.NaN;
    }

    /// <summary>One optimiser step on lists; those without an action, or of nothing else, tell nothing. Returns their mean loss before it.</summary>
    private float LearnLists(List<IReadOnlyList<Example>> lists)
    {
        _lists.Clear();
        foreach (var list in lists)
        {
            if (list.All(e => e.Label <= 0.5f) || list.All(e => e.Label > 0.5f)) continue;
            _rows.Clear();
            foreach (var example in list) _rows.Add(example);
            _order.Reserve(_rows.Count);
            _base.Predict(_rows, _order.Scores(_rows.Count), _order.Hidden(_rows.Count));
            var count = _order.Sort(_rows.Count, _rows.Dense);
            var labels = new float[count];
            for (var place = 0; place < count; place++) labels[place] = _rows.Labels[_order.At(place)] > 0.5f ? 1f : 0f;
            _lists.Add(_order.Features(count), labels);
        }
        if (_lists.Count == 0) return 0f;
        ListsLearned += _lists.Count;
        Judge();
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in _network.Parameters) parameter.Begin(_device, learning: true);
        var loss = PrmNetwork.Loss(_network.Logits(_lists, learning: true, _device), _lists, _device);
        loss.backward();
        _optimizer.Step();
        return loss.item<float>();
    }

    /// <summary>Predicts before it learns: the lists as the base orders them, which is how they were added, beside the head's order of them.</summary>
    private void Judge()
    {
        using var scope = torch.NewDisposeScope();
        using var quiet = torch.no_grad();
        foreach (var parameter in _network.Parameters) parameter.Begin(_device, learning: false);
        var (length, logits) = (_lists.Longest, new float[_lists.Count * _lists.Longest]);
        Layers.TensorMemory.Read(_network.Logits(_lists, learning: false, _device), logits);
        var labels = _lists.Labels;
        for (var list = 0; list < _lists.Count; list++)
        {
            var own = labels.Slice(list * length, _lists.Length(list)).ToArray();
            float[] asGiven = [.. Enumerable.Range(0, own.Length).Select(place => (float)-place)];
            _record.Add(PrmTask.Ndcg(asGiven, own), PrmTask.Ndcg(logits.AsSpan(list * length, own.Length).ToArray(), own));
        }
    }

    /// <inheritdoc/>
    public void Forget(ulong user) => _open.Forget(user);

    /// <summary>What scores candidates of one user after another on a thread of its own.</summary>
    public PrmCandidates NewCandidates() =>
        new(_base.NewCandidates(), new PrmNetwork(_network.Columns, _options), _network, new BaseOrder(_rows.DenseColumns, _base.HiddenColumns, _options.ItemsMax), _record);

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        foreach (var size in (ReadOnlySpan<int>)[_network.Columns, _options.ItemsMax, _network.Parameters.Count]) writer.Int32(size);
        writer.Int64(ListsLearned);
        writer.Values<float>(_record.Buffer.Values);
        foreach (var parameter in _network.Parameters) writer.Values<float>(parameter.Values);
        _optimizer.Save(writer);
        _open.Save(writer);
        writer.Finish();
        _base.Save(into);
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, ModelName);
        reader.Expect(_network.Columns, "features");
        reader.Expect(_options.ItemsMax, "items of a list");
        reader.Expect(_network.Parameters.Count, "parameters");
        var learned = reader.Int64();
        // Files of before have no record: it starts anew.
        var record = new float[_record.Buffer.Length];
        if (reader.Version > 1) reader.Values(record.AsSpan());
        var values = _network.Parameters.Select(p => new float[p.Length]).ToArray();
        foreach (var own in values) reader.Values(own.AsSpan());
        var takeOver = _optimizer.Read(reader);
        var open = OpenExamples.Load(reader, _waitMs, ListsMax, _options.ItemsMax);
        reader.Finish();
        // All or nothing: the base is whole or throws, and nothing of the rest has changed yet.
        _base.Load(from);
        takeOver();
        for (var i = 0; i < values.Length; i++) _network.Parameters[i].CopyFrom(values[i]);
        _record.Buffer.CopyFrom(record);
        (_open, ListsLearned) = (open, learned);
    }

    public void Dispose() => _base.Dispose();
}

/// <summary>
/// Candidates of one user after another, scored by a <see cref="PrmModel"/>: the base's best are ordered anew as a list, the others stay behind them in the base's order.
/// Scores are in (0, 1), and give the order. One thread.
/// </summary>
public sealed class PrmCandidates : IDisposable
{
    // So far below the last of the list that rounding does not bring it up.
    private const float Behind = 0.999f;

    private readonly CandidateRows _base;
    private readonly PrmNetwork _network, _from;
    private readonly BaseOrder _order;
    private readonly ListBatch _list;
    private readonly HeadRecord _record;
    private float[] _logits = [];
    private bool _isReady, _isServed;

    internal PrmCandidates(CandidateRows rows, PrmNetwork network, PrmNetwork from, BaseOrder order, HeadRecord record) =>
        (_base, _network, _from, _order, _list, _record) = (rows, network, from, order, new ListBatch(network.Columns), record);

    /// <summary>Takes over the dense weights as they now stand.</summary>
    public void Refresh()
    {
        _base.Refresh();
        DisposeOwn();
        _isServed = !_record.IsWorse;
        for (var i = 0; i < _network.Parameters.Count; i++)
        {
            _network.Parameters[i].CopyFrom(_from.Parameters[i].Values);
            _network.Parameters[i].Hold(torch.CPU);
        }
        _isReady = true;
    }

    /// <inheritdoc cref="DinScorer.Score"/>
    public void Score(
        ulong user, ReadOnlySpan<ulong> history, int inSession, ulong surface, long nowMs, ReadOnlySpan<ulong> items, ReadOnlySpan<float> dense, Span<float> scores)
    {
        if (items.Length == 0) return;
        if (!_isReady) Refresh();
        _order.Reserve(items.Length);
        var before = _order.Scores(items.Length);
        _base.Score(user, history, inSession, surface, nowMs, items, dense, before, _order.Hidden(items.Length));
        before.CopyTo(scores);
        if (!_isServed) return;
        var count = _order.Sort(items.Length, dense);
        _list.Clear();
        _list.Add(_order.Features(count));
        if (_logits.Length < count) _logits = new float[count];
        using (torch.NewDisposeScope())
        using (torch.inference_mode())
            Layers.TensorMemory.Read(_network.Logits(_list, learning: false, torch.CPU), _logits.AsSpan(0, count));
        // A head that has diverged must not take the order with it.
        foreach (var logit in _logits.AsSpan(0, count))
            if (!float.IsFinite(logit)) return;
        var least = 1f;
        for (var place = 0; place < count; place++)
        {
            var score = 1f / (1f + MathF.Exp(-_logits[place]));
            scores[_order.At(place)] = score;
            least = Math.Min(least, score);
        }
        var best = count < items.Length ? scores[_order.At(count)] : 1f;
        for (var place = count; place < items.Length; place++) scores[_order.At(place)] *= Behind * least / best;
    }

    public void Dispose()
    {
        _base.Dispose();
        DisposeOwn();
    }

    private void DisposeOwn()
    {
        if (!_isReady) return;
        foreach (var parameter in _network.Parameters) parameter.Leaf.Dispose();
        _isReady = false;
    }
}

/// <summary>A list in its base ranker's order, with what PRM reads of each item: dense figures, the base's last hidden layer, its log-odds. Kept, and grown.</summary>
/// <param name="dense">D.</param>
/// <param name="hidden">h.</param>
/// <param name="itemsMax">Items of the list at most.</param>
internal sealed class BaseOrder(int dense, int hidden, int itemsMax)
{
    private const float LogOddsMax = 15f;

    private float[] _scores = [], _hidden = [], _features = [], _keys = [];
    private int[] _order = [];

    /// <summary>C.</summary>
    public int Columns => dense + hidden + 1;

    /// <summary>Makes room for so many candidates.</summary>
    public void Reserve(int count)
    {
        if (_scores.Length >= count) return;
        (_scores, _keys, _order, _hidden) = (new float[count], new float[count], new int[count], new float[count * hidden]);
        _features = new float[Math.Min(count, itemsMax) * Columns];
    }

    /// <summary>Where the base puts its probabilities, shape [count].</summary>
    public Span<float> Scores(int count) => _scores.AsSpan(0, count);

    /// <summary>Where the base puts its last hidden layer, shape [count, h].</summary>
    public Span<float> Hidden(int count) => _hidden.AsSpan(0, count * hidden);

    /// <summary>Orders all, and gathers the features of the first; returns how many these are.</summary>
    /// <param name="count">Candidates.</param>
    /// <param name="figures">Shape [count, D].</param>
    public int Sort(int count, ReadOnlySpan<float> figures)
    {
        for (var i = 0; i < count; i++) (_keys[i], _order[i]) = (-_scores[i], i);
        Array.Sort(_keys, _order, 0, count);
        var kept = Math.Min(count, itemsMax);
        for (var place = 0; place < kept; place++)
        {
            var at = _order[place];
            var row = _features.AsSpan(place * Columns, Columns);
            figures.Slice(at * dense, dense).CopyTo(row);
            _hidden.AsSpan(at * hidden, hidden).CopyTo(row[dense..]);
            row[^1] = Math.Clamp(MathF.Log(_scores[at] / (1 - _scores[at])), -LogOddsMax, LogOddsMax);
        }
        return kept;
    }

    /// <summary>The candidate at a place.</summary>
    public int At(int place) => _order[place];

    /// <summary>Shape [count, C].</summary>
    public ReadOnlySpan<float> Features(int count) => _features.AsSpan(0, count * Columns);
}
