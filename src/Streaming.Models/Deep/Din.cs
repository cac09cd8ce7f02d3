using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Optimizers;
using TorchSharp;

namespace Streaming.Models.Deep;

/// <summary>
/// Deep interest network: p = sigmoid(MLP([u; t; sum_j a(h_j, t) h_j over the session; the same over older items; surface; hour; x])), with
/// x dense figures of user and item (the paper feeds profile and context features beside the behaviours, its section 3.1), h_j the user's past items, t the
/// target and a the <see cref="ActivationUnit"/>; <see cref="Dice"/> between the layers (Zhou et al., "Deep Interest Network for Click-Through Rate Prediction",
/// KDD 2018, equation 3). Features: sparse user, item, side information, surface and hour, dense, sequence.
/// Known number: AUC .7348 on MovieLens-20M and .8871 on Amazon Electronics (its table 3, with Dice), where its base model without attention makes
/// .7300 and .8624.
/// </summary>
public sealed class Din : IDeepModel
{
    /// <summary>2 added the number of dense columns; a file of version 1 has none.</summary>
    private const byte FormatVersion = 2;
    private static readonly ulong SurfaceSalt = StableHash.Of("din:surface");
    private static readonly ulong HourSalt = StableHash.Of("din:hour");

    private readonly DinOptions _options;
    private readonly torch.Device _device;
    private readonly EmbeddingTableOptions[] _tableOptions;
    private readonly EmbeddingTable[] _tables;
    private readonly ItemLookup _items;
    private readonly TableLookup _users;
    private readonly TableLookup _contexts;
    private readonly ActivationUnit _unit;
    private readonly Mlp _mlp;
    private readonly PositionBias _positions;
    private readonly DenseParameter[] _parameters;
    private readonly DenseAdam _optimizer;

    // What a batch becomes: numbers of rows, and weights of the past items. Kept, and grown.
    private long[] _targets = [], _past = [], _user = [], _surface = [], _hour = [];
    private float[] _inSession = [], _gathered = [];
    private int _length;

    /// <param name="options">Shape and step sizes.</param>
    /// <param name="catalog">Knows the items' side information; read whenever a batch is.</param>
    /// <param name="device">Where it computes; null for the CPU.</param>
    public Din(DinOptions options, IItemCatalog catalog, torch.Device? device = null)
    {
        options.Check();
        (_options, _device, Catalog) = (options, device ?? torch.CPU, catalog);
        var rows = new RowAdam(options.TableRate);
        var wide = new EmbeddingTableOptions(
            options.Dim, rows.StateSize(options.Dim), options.AdmitCount, RowsMax: options.RowsMax, InitScale: options.InitScale,
            Seed: StableHash.Combine(options.Seed, 1));
        // There are few surfaces, hours, tags, categories: they need no admission.
        var narrow = wide with { AdmitCount = 1, Seed = StableHash.Combine(options.Seed, 2) };
        _tableOptions = [wide, narrow, wide with { Seed = StableHash.Combine(options.Seed, 3) }, narrow with { Seed = StableHash.Combine(options.Seed, 4) }];
        _tables = [.. _tableOptions.Select(o => new EmbeddingTable(o))];
        _items = new ItemLookup(_tables[0], _tables[1], rows, catalog, options.SideKeysMax);
        (_users, _contexts) = (new TableLookup(_tables[2], rows), new TableLookup(_tables[3], rows));
        _unit = new ActivationUnit("unit", 2 * options.Dim, options.UnitColumns, options.Seed);
        _mlp = new Mlp("mlp", Columns(options), options.HiddenColumns, 1, (name, columns) => new Dice(name, columns), options.Seed);
        _positions = new PositionBias(options.PositionsMax);
        _parameters = [.. _unit.Parameters, .. _mlp.Parameters, _positions.Weights];
        _optimizer = new DenseAdam(_parameters, options.Rate);
        Weights = new DeepWeights(
            [("item", _tables[0]), ("side", _tables[1]), ("user", _tables[2]), ("context", _tables[3])],
            [.. _parameters, .. _mlp.Buffers, _positions.Buffer]);
    }

    public string Name => "din";

    public DeepWeights Weights { get; }

    /// <summary>Past items that count at most.</summary>
    public int HistoryMax => _options.HistoryMax;

    internal DinOptions Options => _options;

    internal IItemCatalog Catalog { get; }

    /// <summary>What a prediction adds for its unknown position.</summary>
    internal float PositionMean => _positions.Mean;

    internal ActivationUnit Unit => _unit;

    internal Mlp Network => _mlp;

    /// <summary>What the MLP reads: user, target, session, older items, surface, hour, dense values.</summary>
    internal static int Columns(DinOptions options) => (options.UserRows ? 9 : 8) * options.Dim + options.DenseColumns;

    internal static ulong SurfaceKey(ulong surface) => surface == 0 ? 0 : StableHash.Combine(SurfaceSalt, surface);

    /// <summary>Hour of the day, UTC.</summary>
    internal static ulong HourKey(long shownMs) => StableHash.Combine(HourSalt, (ulong)((shownMs / 3_600_000 % 24 + 24) % 24));

    public void Predict(ExampleBatch batch, Span<float> into)
    {
        if (into.Length != batch.Count) throw new ArgumentException($"{batch.Count} rows, and a place for {into.Length}");
        if (batch.Count == 0) return;
        using var scope = torch.NewDisposeScope();
        using var quiet = torch.no_grad();
        Prepare(batch, learning: false, nowMs: 0);
        foreach (var parameter in _parameters) parameter.Begin(_device, learning: false);
        var logits = Logits(batch, Leaves(batch.Count, learning: false), learning: false) + _positions.Mean;
        TensorMemory.Read(logits.sigmoid(), into);
    }

    public float Learn(ExampleBatch batch)
    {
        if (batch.Count == 0) return 0f;
        var nowMs = batch.NewestMs;
        using var scope = torch.NewDisposeScope();
        Prepare(batch, learning: true, nowMs);
        foreach (var parameter in _parameters) parameter.Begin(_device, learning: true);
        var leaves = Leaves(batch.Count, learning: true);
        var logits = Logits(batch, leaves, learning: true) + _positions.Learned(batch.Positions, _device);
        var labels = TensorMemory.Tensor(batch.Labels, [batch.Count], _device);
        var weights = TensorMemory.Tensor(batch.Weights, [batch.Count], _device);
        var loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights);
        loss.backward();
        _optimizer.Step();
        var gradients = _items.ClearedGradients();
        Scatter(leaves.Targets, _targets.AsSpan(0, batch.Count), gradients);
        Scatter(leaves.History, _past.AsSpan(0, batch.Count * _length), gradients);
        _items.Apply(nowMs);
        if (_options.UserRows) _users.Apply(leaves.Users, nowMs);
        _contexts.Apply(leaves.Contexts, nowMs);
        return loss.item<float>();
    }

    /// <summary>
    /// What a batch reads from the tables, as leaves: the items' vectors place by place, shapes [B, D] and [B L, D], and the unique
    /// rows of users and context. There are so many places of items that picking them inside libtorch, and adding up their gradients there row by
    /// row, would cost more than it does in plain arrays.
    /// </summary>
    private readonly record struct RowLeaves(torch.Tensor Targets, torch.Tensor History, torch.Tensor Users, torch.Tensor Contexts);

    private RowLeaves Leaves(int rows, bool learning) => new(
        Gathered(_targets.AsSpan(0, rows), learning), Gathered(_past.AsSpan(0, rows * _length), learning), _users.Rows(_device, learning),
        _contexts.Rows(_device, learning));

    private torch.Tensor Gathered(ReadOnlySpan<long> numbers, bool learning)
    {
        var columns = _items.Columns;
        if (_gathered.Length < numbers.Length * columns) _gathered = new float[numbers.Length * columns];
        for (var i = 0; i < numbers.Length; i++)
            _items.Values.Slice((int)numbers[i] * columns, columns).CopyTo(_gathered.AsSpan(i * columns, columns));
        return TensorMemory.Tensor(_gathered.AsSpan(0, numbers.Length * columns), [numbers.Length, columns], _device, learning);
    }

    /// <summary>Adds the gradients of gathered places to those of the items that stand there.</summary>
    private void Scatter(torch.Tensor leaf, ReadOnlySpan<long> numbers, Span<float> gradients)
    {
        var columns = _items.Columns;
        var places = _gathered.AsSpan(0, numbers.Length * columns);
        TensorMemory.ReadGradient(leaf, places);
        for (var i = 0; i < numbers.Length; i++)
            VectorMath.AddScaled(gradients.Slice((int)numbers[i] * columns, columns), 1f, places.Slice(i * columns, columns));
    }

    /// <summary>Finds the rows that the batch names, and where they go.</summary>
    private void Prepare(ExampleBatch batch, bool learning, long nowMs)
    {
        if (batch.DenseColumns != _options.DenseColumns) throw new ArgumentException($"the batch has {batch.DenseColumns} dense columns, the model {_options.DenseColumns}");
        _length = 1;
        for (var row = 0; row < batch.Count; row++) _length = Math.Max(_length, Math.Min(batch.History(row).Length, _options.HistoryMax));
        Reserve(batch.Count);
        _items.Begin();
        _users.Begin();
        _contexts.Begin();
        _past.AsSpan(0, batch.Count * _length).Clear();
        _inSession.AsSpan(0, batch.Count * 2 * _length).Clear();
        for (var row = 0; row < batch.Count; row++)
        {
            _targets[row] = _items.Add(batch.Items[row]);
            if (_options.UserRows) _user[row] = _users.Add(batch.Users[row]);
            _surface[row] = _contexts.Add(SurfaceKey(batch.Surfaces[row]));
            _hour[row] = _contexts.Add(HourKey(batch.ShownMs[row]));
            var history = batch.History(row);
            for (var i = 0; i < Math.Min(history.Length, _length); i++)
            {
                _past[row * _length + i] = _items.Add(history[i]);
                // Shape [B, 2, L]: 1 where the item is in the session; then 1 where it is older.
                _inSession[(2 * row + (i < batch.InSession[row] ? 0 : 1)) * _length + i] = 1f;
            }
        }
        _items.Gather(learning, nowMs);
        _users.Gather(learning, nowMs);
        _contexts.Gather(learning, nowMs);
    }

    private void Reserve(int rows)
    {
        if (_targets.Length < rows)
            (_targets, _user, _surface, _hour) = (new long[rows], new long[rows], new long[rows], new long[rows]);
        if (_past.Length < rows * _length) (_past, _inSession) = (new long[rows * _length], new float[2 * rows * _length]);
    }

    /// <summary>Shape [B], without the position.</summary>
    private torch.Tensor Logits(ExampleBatch batch, in RowLeaves leaves, bool learning)
    {
        var rows = batch.Count;
        var columns = _items.Columns;
        torch.Tensor Pick(torch.Tensor from, long[] numbers, int count) =>
            from.index_select(0, TensorMemory.Tensor(numbers.AsSpan(0, count), [count], _device));
        var target = leaves.Targets;
        var history = leaves.History.view(rows, _length, columns);
        var which = TensorMemory.Tensor(_inSession.AsSpan(0, 2 * rows * _length), [rows, 2, _length], _device);
        var weights = _unit.Forward(history, target).unsqueeze(1) * which;
        var interests = weights.bmm(history).view(rows, 2 * columns);
        var parts = new List<torch.Tensor>
        {
            target, interests, Pick(leaves.Contexts, _surface, rows), Pick(leaves.Contexts, _hour, rows),
        };
        if (_options.UserRows) parts.Insert(0, Pick(leaves.Users, _user, rows));
        if (_options.DenseColumns > 0) parts.Add(TensorMemory.Tensor(batch.Dense, [rows, _options.DenseColumns], _device));
        return _mlp.Forward(torch.cat(parts, 1), learning).squeeze(1);
    }

    private (string, int)[] Shape =>
    [
        ("embedding columns", _options.Dim), ("user rows", _options.UserRows ? 1 : 0), ("positions", _options.PositionsMax),
        ("unit columns", _options.UnitColumns), ("hidden layers", _options.HiddenColumns.Count), ("dense columns", _options.DenseColumns),
    ];

    public void Save(Stream into) => DeepCheckpoint.Save(into, FormatVersion, Shape, Weights, _optimizer);

    public void Load(Stream from) =>
        DeepCheckpoint.Load(from, FormatVersion, "din", version => version == 1 ? Shape[..^1] : Shape, Weights, _optimizer, i => new EmbeddingTable(_tableOptions[i]));

    public void Dispose()
    {
        // Nothing native outlives a pass.
    }
}
