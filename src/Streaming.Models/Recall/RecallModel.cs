using Streaming.Core.Ids;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Optimizers;
using Streaming.Models.Retrieval;
using TorchSharp;

namespace Streaming.Models.Recall;

/// <summary>
/// Any network of <see cref="RecallModels"/> as a model of the live path: learns to tell a clicked item from what stood before it, among the items that its
/// mini-batch clicks or shows, and gives the vectors that a recall channel searches by. Items and users have rows of their own from the first
/// mini-batch that names them; the rows of a mini-batch are the network's tables in its pass. A row without a history is learned from only as a candidate.
/// </summary>
/// <remarks>
/// Predicting and giving vectors need no libtorch and may run on many threads while nobody learns. What an age or a grade is to a network offline, it is not
/// here: examples are learned as they come, of age 0, and without a grade.
/// </remarks>
public sealed partial class RecallModel : IDeepModel, IRetrievalModel
{
    private const byte FormatVersion = 1;
    private const int SweepRows = 256;

    /// <summary>The key of what stands for an item to be told: it has a row as items have.</summary>
    internal static readonly ulong MaskKey = StableHash.Of("recall:mask");

    private readonly RecallOptions _options;
    private readonly torch.Device _device;
    private readonly IRecallNetwork _network;
    private readonly RowTable[] _rowTables;
    private readonly EmbeddingTable[] _tables;
    private readonly TableLookup[] _lookups;
    private readonly RecallRows _rows;
    private readonly DenseParameter[] _parameters;
    private readonly DenseAdam _optimizer;
    private readonly RetrievalCheckpoint _checkpoint;

    /// <summary>A length that no item's vector exceeds by more than a step's worth.</summary>
    private readonly DenseBuffer _bound = new("bound", [1f]);

    private readonly KeyNumbers _items = new(), _users = new();
    private readonly List<int> _positives = [];
    private FrequencyEstimator _frequency;

    /// <param name="known">Makes the network.</param>
    /// <param name="options">Sizes and step sizes.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public RecallModel(KnownRecall known, RecallOptions options, torch.Device? device = null)
    {
        options.Check();
        (Name, _options, _device) = (known.Name, options, device ?? torch.CPU);
        _network = known.Create(options);
        _rowTables = [.. _network.Tables];
        var adam = new RowAdam(options.TableRate);
        // The first values of rows hang on their keys alone, so that a model loaded from a file goes on alike whatever its own seed.
        EmbeddingTableOptions[] tableOptions = [.. _rowTables.Select((t, i) => new EmbeddingTableOptions(
            t.Columns, t.IsKept ? 0 : adam.StateSize(t.Columns), options.AdmitCount, RowsMax: options.RowsMax, InitScale: (float)t.InitScale, Seed: (ulong)(i + 1)))];
        _tables = [.. tableOptions.Select(o => new EmbeddingTable(o))];
        _lookups = [.. _tables.Select(t => new TableLookup(t, adam))];
        _rows = new RecallRows(_tables);
        _parameters = [.. _network.Parameters.Except(_rowTables.Select(t => t.Parameter))];
        _optimizer = new DenseAdam(_parameters, options.Rate);
        _frequency = new FrequencyEstimator(options.Frequency);
        Weights = new DeepWeights([.. _rowTables.Zip(_tables, (t, table) => (t.Parameter.Name, table))], [.. _parameters, .. _network.Buffers, _bound]);
        _checkpoint = new RetrievalCheckpoint(Name, FormatVersion, Shape, Weights, _optimizer, tableOptions, options.Frequency);
    }

    public string Name { get; }

    public DeepWeights Weights { get; }

    /// <summary>How often items come, as the correction sees it.</summary>
    public FrequencyEstimator Frequency => _frequency;

    public float Learn(ExampleBatch batch)
    {
        var candidates = Choose(batch);
        if (_positives.Count == 0) return 0f;
        var nowMs = batch.NewestMs;
        _frequency.Observe(_items.Keys.Slice(1, candidates));
        using var scope = torch.NewDisposeScope();
        var rows = BeginPass(learning: true, nowMs);
        var loss = _network.Loss(Pass(batch, candidates));
        loss.backward();
        _optimizer.Step();
        for (var i = 0; i < rows.Length; i++)
            if (!_rowTables[i].IsKept) _lookups[i].Apply(rows[i], nowMs);
        foreach (var row in _positives) _network.Keep(batch.Users[row], batch.Items[row], Newest(batch, row), _rows, nowMs);
        RaiseBound();
        foreach (var table in _tables) table.Sweep(nowMs - _options.RowExpiryMs, SweepRows);
        return loss.item<float>();
    }

    /// <summary>
    /// The network's own scores, computed in tensors: what <see cref="UserVectors"/> and <see cref="ItemVector"/> must come to. Shape [P, C] row-major, P the
    /// clicked rows with a history, in order, C the distinct items of the mini-batch, the clicked ones of those rows first; changes nothing.
    /// </summary>
    /// <param name="batch">A mini-batch.</param>
    /// <param name="candidates">Keys of the C items.</param>
    public float[] TensorScores(ExampleBatch batch, out ulong[] candidates)
    {
        var count = Choose(batch);
        candidates = _items.Keys.Slice(1, count).ToArray();
        var scores = new float[_positives.Count * count];
        if (scores.Length == 0) return scores;
        using var scope = torch.NewDisposeScope();
        using var quiet = torch.no_grad();
        BeginPass(learning: false, 0);
        TensorMemory.Read(_network.Scores(Pass(batch, count)), scores);
        return scores;
    }

    /// <summary>Numbers the items of a mini-batch: what was clicked, what else was shown, then what stands in the histories. Returns C.</summary>
    private int Choose(ExampleBatch batch)
    {
        _positives.Clear();
        _items.Clear();
        _users.Clear();
        for (var row = 0; row < batch.Count; row++)
        {
            if (batch.Items[row] == 0 || !(batch.Labels[row] > 0.5f) || batch.History(row).Length == 0) continue;
            _positives.Add(row);
            _items.Add(batch.Items[row]);
            _users.Add(batch.Users[row]);
        }
        foreach (var item in batch.Items) _items.Add(item);
        var candidates = _items.Count - 1;
        foreach (var row in _positives)
            foreach (var item in Newest(batch, row)) _items.Add(item);
        return candidates;
    }

    private ReadOnlySpan<ulong> Newest(ExampleBatch batch, int row)
    {
        var history = batch.History(row);
        return history[..Math.Min(history.Length, _options.HistoryMax)];
    }

    /// <summary>Begins a pass of the network over the rows of the mini-batch; returns their leaves, table by table.</summary>
    private torch.Tensor[] BeginPass(bool learning, long nowMs)
    {
        foreach (var parameter in _parameters) parameter.Begin(_device, learning);
        var leaves = new torch.Tensor[_lookups.Length];
        for (var i = 0; i < leaves.Length; i++)
        {
            var (lookup, table) = (_lookups[i], _rowTables[i]);
            lookup.Begin();
            // The same keys in the same order get the same numbers in every table.
            foreach (var key in table.Of == RowsOf.Items ? _items.Keys : _users.Keys) lookup.Add(key);
            if (table.HasMask) lookup.Add(MaskKey);
            lookup.Gather(learning, nowMs);
            leaves[i] = lookup.Rows(_device, learning && !table.IsKept);
            table.Parameter.Borrow(table.View(leaves[i]));
        }
        return leaves;
    }

    private RecallPass Pass(ExampleBatch batch, int candidates)
    {
        var (rows, length) = (_positives.Count, 1);
        foreach (var row in _positives) length = Math.Max(length, Newest(batch, row).Length);
        var (items, users, targets) = (new long[rows * length], new long[rows], new long[rows]);
        var (there, session, weights, logP) = (new float[rows * length], new float[rows * length], new float[rows], new float[candidates]);
        for (var i = 0; i < rows; i++)
        {
            var row = _positives[i];
            (users[i], targets[i], weights[i]) = (_users.Add(batch.Users[row]), _items.Add(batch.Items[row]), batch.Weights[row]);
            var history = Newest(batch, row);
            for (var back = 0; back < history.Length; back++)
            {
                var at = (i + 1) * length - 1 - back;
                (items[at], there[at], session[at]) = (_items.Add(history[back]), 1, back < batch.InSession[row] ? 1 : 0);
            }
        }
        for (var j = 0; j < candidates; j++) logP[j] = MathF.Log(_frequency.Probability(_items.Keys[j + 1]));
        torch.Tensor Floats(float[] values, params long[] shape) => TensorMemory.Tensor(values, shape, _device);
        torch.Tensor Numbers(long[] values, params long[] shape) => TensorMemory.Tensor(values, shape, _device);
        var histories = new HistoryBatch(
            Numbers(items, rows, length), Numbers(new long[items.Length], rows, length), Floats(there, rows, length), Floats(session, rows, length),
            Numbers(users, rows), Floats(new float[rows], rows, 1));
        return new RecallPass(
            histories, Numbers(targets, rows), candidates, Floats(logP, 1, candidates), Floats(weights, rows), _items.Count - 1, (items, targets, users), _frequency.Steps);
    }

    /// <summary>By a quarter at a time, so that the vectors of an index, each computed when its turn came, hardly ever stand by different bounds.</summary>
    private void RaiseBound()
    {
        Span<float> vector = stackalloc float[_network.VectorDim];
        foreach (var key in _items.Keys[1..])
        {
            if (!_rows.Has(0, key)) continue;
            _network.ItemVector(key, _rows, vector);
            var norm = VectorMath.Norm(vector);
            // The cosine's vectors are of length 1 but for rounding.
            if (float.IsFinite(norm) && norm > 1.0001f * _bound.Values[0]) _bound.Values[0] = 1.25f * norm;
        }
    }

    private (string, int)[] Shape =>
    [
        ("columns", _options.Dim), ("hidden columns", _options.Hidden), ("past items", _options.HistoryMax), ("tables", _tables.Length),
    ];

    public void Save(Stream into) => _checkpoint.Save(into, _frequency);

    public void Load(Stream from) => _frequency = _checkpoint.Load(from);

    public void Dispose()
    {
        // Nothing native outlives a pass.
    }
}
