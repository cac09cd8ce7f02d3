using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// One network's passes over mini-batches: finds the rows that a batch names, pools them bag by bag in plain arrays, runs the network on the
/// result, and carries gradients back. Picking and pooling inside libtorch would cost more than the network does. It owns its network's tensors and
/// buffers, and reads the tables that it is given: one for each thread. One thread.
/// </summary>
internal sealed class RankerPass
{
    private readonly RankerShape _shape;
    private readonly IRankerNetwork _network;
    private readonly DenseFields _denseFields;
    private readonly TableLookup? _linear, _vectors;
    private readonly torch.Device _device;
    private readonly float[] _start;
    private int[] _linearNumbers = [], _vectorNumbers = [];
    private float[] _sums = [], _pooled = [], _steps = [], _mask = [];
    private float[] _linearGradients = [], _vectorGradients = [];
    private torch.Tensor? _linearLeaf, _pooledLeaf, _stepsLeaf;

    /// <param name="linear">Table of first-order weights, null where the network reads none.</param>
    /// <param name="vectors">Table of vectors, null where the network reads none.</param>
    /// <param name="start">As <see cref="RankerOptions.StartLogOdds"/>.</param>
    public RankerPass(
        RankerShape shape, IRankerNetwork network, DenseFields denseFields, TableLookup? linear, TableLookup? vectors, torch.Device device, IReadOnlyList<float> start) =>
        (_shape, _network, _denseFields, _linear, _vectors, _device, _start) = (shape, network, denseFields, linear, vectors, device, [.. start]);

    private int Columns => _network.VectorColumns;

    /// <summary>Shape [B, K], as <see cref="IRankerNetwork.Logits"/> gives them, in the scope that is open. Parameters have begun a pass.</summary>
    public (torch.Tensor Logits, RankerInput Input) Forward(FieldBatch batch, bool learning, long nowMs)
    {
        if (batch.Shape != _shape) throw new ArgumentException($"the batch is of {batch.Shape}, the model of {_shape}");
        Number(batch);
        _linear?.Gather(learning, nowMs);
        _vectors?.Gather(learning, nowMs);
        Pool(batch);
        var rows = batch.Count;
        var dense = _shape.DenseColumns > 0 ? TensorMemory.Tensor(batch.Dense, [rows, _shape.DenseColumns], _device) : null;
        torch.Tensor? linear = null, vectors = null, sequence = null, mask = null;
        if (_linear is not null)
        {
            _linearLeaf = TensorMemory.Tensor(_sums.AsSpan(0, rows), [rows, 1], _device, learning);
            linear = dense is null ? _linearLeaf : _linearLeaf + dense.mm(_denseFields.Weights.Leaf);
        }
        if (_vectors is not null)
        {
            _pooledLeaf = TensorMemory.Tensor(_pooled.AsSpan(0, rows * _shape.Fields * Columns), [rows, _shape.Fields, Columns], _device, learning);
            vectors = dense is null ? _pooledLeaf : torch.cat([_pooledLeaf, dense.unsqueeze(2) * _denseFields.Vectors.Leaf], 1);
        }
        if (_network.ReadsSequence)
        {
            var (own, length) = (SequenceRows(batch), batch.LongestSequence);
            _stepsLeaf = TensorMemory.Tensor(_steps.AsSpan(0, own * length * _shape.TargetFields * Columns), [own, length, _shape.TargetFields * Columns], _device, learning);
            (sequence, mask) = (_stepsLeaf, TensorMemory.Tensor(_mask.AsSpan(0, own * length), [own, length], _device));
        }
        var input = new RankerInput(_shape, rows, linear, vectors, sequence, mask);
        var logits = _network.Logits(input, learning);
        return (_start.Length == 0 ? logits : logits + TensorMemory.Tensor(_start, [1, _start.Length], _device), input);
    }

    /// <summary>One optimiser step on every row that the batch of the last <see cref="Forward"/> read, after backward().</summary>
    public void Apply(FieldBatch batch, float regularisation, long nowMs)
    {
        if (_linear is not null)
        {
            var gradients = Cleared(ref _linearGradients, _linear.Count);
            var places = _sums.AsSpan(0, batch.Count);
            TensorMemory.ReadGradient(_linearLeaf!, places);
            var bags = _shape.Fields + (_shape.HasCrosses ? 1 : 0);
            for (var row = 0; row < batch.Count; row++)
            for (var (at, end) = (batch.FieldAt(row, 0).Start, batch.FieldAt(row, bags - 1).End); at < end; at++)
                gradients[_linearNumbers[at]] += batch.KeyWeights[at] * places[row];
            _linear.Apply(gradients, nowMs);
        }
        if (_vectors is null) return;
        var into = Cleared(ref _vectorGradients, _vectors.Count * Columns);
        TensorMemory.ReadGradient(_pooledLeaf!, _pooled.AsSpan(0, batch.Count * _shape.Fields * Columns));
        for (var row = 0; row < batch.Count; row++)
        for (var field = 0; field < _shape.Fields; field++)
            Scatter(batch, batch.FieldAt(row, field), _pooled.AsSpan((row * _shape.Fields + field) * Columns, Columns), into);
        if (_network.ReadsSequence) ScatterSteps(batch, into);
        if (regularisation > 0) VectorMath.AddScaled(into, regularisation, _vectors.Values);
        _vectors.Apply(into, nowMs);
    }

    private void ScatterSteps(FieldBatch batch, Span<float> into)
    {
        var (own, length, wide) = (SequenceRows(batch), batch.LongestSequence, _shape.TargetFields * Columns);
        TensorMemory.ReadGradient(_stepsLeaf!, _steps.AsSpan(0, own * length * wide));
        for (var row = 0; row < own; row++)
        for (var step = 0; step < batch.Steps(row); step++)
        for (var field = 0; field < _shape.TargetFields; field++)
            Scatter(batch, batch.StepAt(row, step, field), _steps.AsSpan((row * length + step) * wide + field * Columns, Columns), into);
    }

    private static int SequenceRows(FieldBatch batch) => batch.SharesSequence ? 1 : batch.Count;

    private static Span<float> Cleared(ref float[] buffer, int length)
    {
        if (buffer.Length < length) buffer = new float[Math.Max(length, 2 * buffer.Length)];
        var span = buffer.AsSpan(0, length);
        span.Clear();
        return span;
    }

    /// <summary>Numbers the keys as the lookups do: fields in both tables, crosses in that of first-order weights, steps in that of vectors.</summary>
    private void Number(FieldBatch batch)
    {
        if (_linearNumbers.Length < batch.Keys.Length) (_linearNumbers, _vectorNumbers) = (new int[batch.Keys.Length * 2], new int[batch.Keys.Length * 2]);
        _linear?.Begin();
        _vectors?.Begin();
        for (var row = 0; row < batch.Count; row++)
        {
            var (start, end) = (batch.FieldAt(row, 0).Start, batch.FieldAt(row, _shape.Fields - 1).End);
            for (var at = start; at < end; at++)
            {
                if (_linear is not null) _linearNumbers[at] = _linear.Add(batch.Keys[at]);
                if (_vectors is not null) _vectorNumbers[at] = _vectors.Add(batch.Keys[at]);
            }
            if (_shape.HasCrosses && _linear is not null)
                for (var (at, to) = batch.FieldAt(row, _shape.Fields); at < to; at++) _linearNumbers[at] = _linear.Add(batch.Keys[at]);
            if (!_network.ReadsSequence || (batch.SharesSequence && row > 0)) continue;
            for (var step = 0; step < batch.Steps(row); step++)
            for (var field = 0; field < _shape.TargetFields; field++)
                for (var (at, to) = batch.StepAt(row, step, field); at < to; at++) _vectorNumbers[at] = _vectors!.Add(batch.Keys[at]);
        }
    }

    private void Pool(FieldBatch batch)
    {
        var rows = batch.Count;
        if (_linear is not null)
        {
            var sums = Cleared(ref _sums, rows);
            var bags = _shape.Fields + (_shape.HasCrosses ? 1 : 0);
            for (var row = 0; row < rows; row++)
            for (var (at, end) = (batch.FieldAt(row, 0).Start, batch.FieldAt(row, bags - 1).End); at < end; at++)
                sums[row] += batch.KeyWeights[at] * _linear.Values[_linearNumbers[at]];
        }
        if (_vectors is null) return;
        var pooled = Cleared(ref _pooled, rows * _shape.Fields * Columns);
        for (var row = 0; row < rows; row++)
        for (var field = 0; field < _shape.Fields; field++)
            Gather(batch, batch.FieldAt(row, field), pooled.Slice((row * _shape.Fields + field) * Columns, Columns));
        if (!_network.ReadsSequence) return;
        var (own, length, wide) = (SequenceRows(batch), batch.LongestSequence, _shape.TargetFields * Columns);
        var steps = Cleared(ref _steps, own * length * wide);
        var mask = Cleared(ref _mask, own * length);
        for (var row = 0; row < own; row++)
        for (var step = 0; step < batch.Steps(row); step++)
        {
            mask[row * length + step] = 1f;
            for (var field = 0; field < _shape.TargetFields; field++)
                Gather(batch, batch.StepAt(row, step, field), steps.Slice((row * length + step) * wide + field * Columns, Columns));
        }
    }

    private void Gather(FieldBatch batch, (int Start, int End) bag, Span<float> into)
    {
        for (var at = bag.Start; at < bag.End; at++)
            VectorMath.AddScaled(into, batch.KeyWeights[at], _vectors!.Values.Slice(_vectorNumbers[at] * Columns, Columns));
    }

    private void Scatter(FieldBatch batch, (int Start, int End) bag, ReadOnlySpan<float> gradient, Span<float> into)
    {
        for (var at = bag.Start; at < bag.End; at++)
            VectorMath.AddScaled(into.Slice(_vectorNumbers[at] * Columns, Columns), batch.KeyWeights[at], gradient);
    }
}

/// <summary>What makes fields of real values: a first-order weight and a vector of each, both scaled by the value (as in FM, Rendle 2010).</summary>
internal sealed class DenseFields
{
    public DenseFields(RankerShape shape, IRankerNetwork network, RankerOptions options)
    {
        var (rows, columns) = (shape.DenseColumns, network.VectorColumns);
        Weights = new DenseParameter("dense.weights", new float[rows], rows, 1);
        Vectors = new DenseParameter("dense.vectors", DenseParameter.Uniform("dense.vectors", options.Seed, rows * columns, options.InitScale), rows, columns);
        Parameters = rows == 0 ? [] : [.. network.ReadsLinear ? [Weights] : (DenseParameter[])[], .. columns > 0 ? [Vectors] : (DenseParameter[])[]];
    }

    /// <summary>Shape [D, 1].</summary>
    public DenseParameter Weights { get; }

    /// <summary>Shape [D, v].</summary>
    public DenseParameter Vectors { get; }

    /// <summary>Those that are read.</summary>
    public IReadOnlyList<DenseParameter> Parameters { get; }
}
