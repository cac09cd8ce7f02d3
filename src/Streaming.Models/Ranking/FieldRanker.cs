using Streaming.Core.Ids;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Optimizers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>How a ranker is made and learned.</summary>
/// <param name="Network">Makes the network of a shape; equal options give an equal one.</param>
/// <param name="Linear">Optimiser of first-order weights, from its step size.</param>
/// <param name="Vectors">Optimiser of vectors, from its step size.</param>
/// <param name="Dense">Optimiser of dense weights, from its step size.</param>
public sealed record RankerRecipe(
    Func<RankerShape, RankerOptions, IRankerNetwork> Network, Func<float, IRowOptimizer> Linear, Func<float, IRowOptimizer> Vectors,
    Func<IReadOnlyList<DenseParameter>, float, IDenseOptimizer> Dense)
{
    /// <summary>Adam throughout.</summary>
    public static RankerRecipe Adam(Func<RankerShape, RankerOptions, IRankerNetwork> network) =>
        new(network, rate => new RowAdam(rate), rate => new RowAdam(rate), (parameters, rate) => new DenseAdam(parameters, rate));
}

/// <summary>
/// A ranker on rows of fields: a <see cref="IRankerNetwork"/> with collisionless tables of first-order weights and vectors, learned in mini-batches. What it
/// has learned is in <see cref="Weights"/>. One thread.
/// </summary>
public sealed class FieldRanker
{
    private const byte FormatVersion = 1;

    private readonly string _name;
    private readonly RankerOptions _options;
    private readonly RankerRecipe _recipe;
    private readonly torch.Device _device;
    private readonly EmbeddingTableOptions? _linearOptions, _vectorOptions;
    private readonly EmbeddingTable? _linear, _vectors;
    private readonly Replica _own;
    private readonly PositionBias _positions;
    private readonly DenseParameter[] _parameters;
    private readonly IDenseOptimizer _optimizer;

    /// <summary>A network and what belongs to it.</summary>
    private sealed record Replica(IRankerNetwork Network, DenseFields DenseFields, RankerPass Pass)
    {
        public DenseParameter[] Parameters => [.. Network.Parameters, .. DenseFields.Parameters];
    }

    /// <param name="name">In files and messages.</param>
    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths and step sizes.</param>
    /// <param name="recipe">Network and optimisers.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public FieldRanker(string name, RankerShape shape, RankerOptions options, RankerRecipe recipe, torch.Device? device = null)
    {
        shape.Check();
        options.Check();
        if (options.StartLogOdds.Count > 0 && options.StartLogOdds.Count != shape.Tasks) throw new ArgumentException($"{options.StartLogOdds.Count} first log-odds and {shape.Tasks} tasks");
        (_name, Shape, _options, _recipe, _device) = (name, shape, options, recipe, device ?? torch.CPU);
        var network = recipe.Network(shape, options);
        var (linear, vectors) = (recipe.Linear(options.TableRate), recipe.Vectors(options.TableRate));
        var table = new EmbeddingTableOptions(
            1, linear.StateSize(1), options.AdmitCount, RowsMax: options.RowsMax, InitScale: 0f, Seed: StableHash.Combine(options.Seed, 1));
        if (network.ReadsLinear) _linear = new EmbeddingTable(_linearOptions = table);
        var columns = network.VectorColumns;
        if (columns > 0)
            _vectors = new EmbeddingTable(_vectorOptions = table with
            {
                Dim = columns, StateSize = vectors.StateSize(columns), InitScale = options.InitScale, Seed = StableHash.Combine(options.Seed, 2),
            });
        _own = ReplicaOf(network, linear, vectors, _device);
        _positions = new PositionBias(shape.PositionsMax);
        _parameters = [.. _own.Parameters, .. shape.PositionsMax > 0 ? [_positions.Weights] : (DenseParameter[])[]];
        _optimizer = recipe.Dense(_parameters, options.Rate);
        Weights = new DeepWeights(
            [.. _linear is null ? [] : ((string, EmbeddingTable)[])[("linear", _linear)], .. _vectors is null ? [] : ((string, EmbeddingTable)[])[("vectors", _vectors)]],
            [.. _parameters, .. network.Buffers, .. shape.PositionsMax > 0 ? [_positions.Buffer] : (DenseBuffer[])[]]);
    }

    public RankerShape Shape { get; }

    /// <summary>What it has learned.</summary>
    public DeepWeights Weights { get; }

    /// <summary>h: columns of the network's last hidden layer; 0 where it tells none.</summary>
    public int HiddenColumns => _own.Network.HiddenColumns;

    private Replica ReplicaOf(IRankerNetwork network, IRowOptimizer linear, IRowOptimizer vectors, torch.Device device)
    {
        var dense = new DenseFields(Shape, network, _options);
        var pass = new RankerPass(
            Shape, network, dense, _linear is null ? null : new TableLookup(_linear, linear), _vectors is null ? null : new TableLookup(_vectors, vectors), device,
            _options.StartLogOdds);
        return new Replica(network, dense, pass);
    }

    /// <summary>Fills in the probabilities; changes nothing.</summary>
    /// <param name="into">Shape [B, K] row-major.</param>
    /// <param name="hidden">Shape [B, <see cref="HiddenColumns"/>] for the network's last hidden layer, or nothing.</param>
    public void Predict(FieldBatch batch, Span<float> into, Span<float> hidden = default)
    {
        if (into.Length != batch.Count * Shape.Tasks) throw new ArgumentException($"{batch.Count} rows of {Shape.Tasks} tasks, and a place for {into.Length}");
        if (batch.Count == 0) return;
        using var scope = torch.NewDisposeScope();
        using var quiet = torch.no_grad();
        foreach (var parameter in _own.Parameters) parameter.Begin(_device, learning: false);
        var (logits, input) = _own.Pass.Forward(batch, learning: false, 0);
        TensorMemory.Read(_own.Network.Probabilities(_own.Network.AtPosition(logits, TensorMemory.Tensor([_positions.Mean], [1, 1], _device))), into);
        if (hidden.Length > 0) TensorMemory.Read(input.Hidden!, hidden);
    }

    /// <summary>One optimiser step. Returns the mean loss before it.</summary>
    public float Learn(FieldBatch batch)
    {
        if (batch.Count == 0) return 0f;
        var nowMs = batch.NewestMs;
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in _parameters) parameter.Begin(_device, learning: true);
        var (logits, input) = _own.Pass.Forward(batch, learning: true, nowMs);
        if (Shape.PositionsMax > 0) logits = _own.Network.AtPosition(logits, _positions.Learned(batch.Positions, _device).unsqueeze(1));
        var (labels, weights) = Labels(batch);
        var loss = (_own.Network.Losses(logits, labels) * weights).sum(1).mean();
        (input.ExtraLoss is { } extra ? loss + extra : loss).backward();
        _optimizer.Step();
        _own.Pass.Apply(batch, _options.Regularisation, nowMs);
        return loss.item<float>();
    }

    /// <summary>Labels of shape [B, K] and their weights, of a shape that broadcasts to it: 0 where the label is not known.</summary>
    private (torch.Tensor Labels, torch.Tensor Weights) Labels(FieldBatch batch)
    {
        var (rows, tasks) = (batch.Count, Shape.Tasks);
        if (tasks == 1) return (TensorMemory.Tensor(batch.Labels, [rows, 1], _device), TensorMemory.Tensor(batch.RowWeights, [rows, 1], _device));
        var (labels, weights) = (batch.Labels.ToArray(), new float[rows * tasks]);
        for (var at = 0; at < labels.Length; at++)
        {
            if (float.IsNaN(labels[at])) labels[at] = 0f;
            else weights[at] = batch.RowWeights[at / tasks];
        }
        return (TensorMemory.Tensor(labels, [rows, tasks], _device), TensorMemory.Tensor(weights, [rows, tasks], _device));
    }

    /// <summary>Another network on the same tables, for a thread that only predicts, on the CPU.</summary>
    public RankerScorer NewScorer()
    {
        var replica = ReplicaOf(_recipe.Network(Shape, _options), _recipe.Linear(_options.TableRate), _recipe.Vectors(_options.TableRate), torch.CPU);
        return new RankerScorer(replica.Network, replica.Pass, replica.Parameters, _own.Parameters, [.. _own.Network.Buffers], () => _positions.Mean);
    }

    private IReadOnlyList<(string, int)> Sizes =>
    [
        ("fields", Shape.Fields), ("target fields", Shape.TargetFields), ("dense columns", Shape.DenseColumns), ("positions", Shape.PositionsMax),
        ("tasks", Shape.Tasks), ("vector columns", _own.Network.VectorColumns), ("dense weights", Weights.Dense.Count),
        .. Shape.Tasks > 1 ? [("tasks of code", Shape.TasksCode)] : ((string, int)[])[],
    ];

    public void Save(Stream into) => DeepCheckpoint.Save(into, FormatVersion, Sizes, Weights, _optimizer);

    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; the model is unchanged.</exception>
    public void Load(Stream from) => DeepCheckpoint.Load(
        from, FormatVersion, _name, _ => Sizes, Weights, _optimizer,
        i => new EmbeddingTable(Weights.Tables[i].Name == "linear" ? _linearOptions! : _vectorOptions!));
}
