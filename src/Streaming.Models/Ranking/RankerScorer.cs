using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Predicts with the weights of a <see cref="FieldRanker"/> that another thread owns: rows of tables are always read from the model itself, while
/// nobody writes; dense weights are taken over by <see cref="Refresh"/>, once, into tensors that are kept. One thread.
/// </summary>
public sealed class RankerScorer : IDisposable
{
    private readonly IRankerNetwork _network;
    private readonly RankerPass _pass;
    private readonly IReadOnlyList<DenseParameter> _parameters, _from;
    private readonly IReadOnlyList<DenseBuffer> _fromBuffers;
    private readonly Func<float> _positionMean;
    private bool _isReady;

    internal RankerScorer(
        IRankerNetwork network, RankerPass pass, IReadOnlyList<DenseParameter> parameters, IReadOnlyList<DenseParameter> from, IReadOnlyList<DenseBuffer> fromBuffers,
        Func<float> positionMean) =>
        (_network, _pass, _parameters, _from, _fromBuffers, _positionMean) = (network, pass, parameters, from, fromBuffers, positionMean);

    /// <summary>Takes over the dense weights as they now stand.</summary>
    public void Refresh()
    {
        Dispose();
        for (var i = 0; i < _parameters.Count; i++)
        {
            _parameters[i].CopyFrom(_from[i].Values);
            _parameters[i].Begin(torch.CPU, learning: false);
            _parameters[i].Leaf.DetachFromDisposeScope();
        }
        var at = 0;
        foreach (var buffer in _network.Buffers) buffer.CopyFrom(_fromBuffers[at++].Values);
        _isReady = true;
    }

    /// <summary>As <see cref="FieldRanker.Predict"/>.</summary>
    public void Predict(FieldBatch batch, Span<float> into, Span<float> hidden = default)
    {
        if (!_isReady) Refresh();
        if (batch.Count == 0) return;
        using var scope = torch.NewDisposeScope();
        using var quiet = torch.inference_mode();
        var (logits, input) = _pass.Forward(batch, learning: false, 0);
        TensorMemory.Read(_network.Probabilities(_network.AtPosition(logits, TensorMemory.Tensor([_positionMean()], [1, 1], torch.CPU))), into);
        if (hidden.Length > 0) TensorMemory.Read(input.Hidden!, hidden);
    }

    public void Dispose()
    {
        if (!_isReady) return;
        foreach (var parameter in _parameters) parameter.Leaf.Dispose();
        _isReady = false;
    }
}
