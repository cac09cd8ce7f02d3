using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// What the position of a shown item adds to the log-odds, learned so that the rest of a model need not explain it. A prediction is for no
/// position: it gets the mean of what positions added lately, which keeps it calibrated.
/// </summary>
public sealed class PositionBias
{
    private readonly int _max;
    private readonly DenseBuffer _mean = new("positions.mean", new float[1]);
    private long[] _numbers = [];
    private float[] _known = [];

    /// <param name="max">Positions with a bias of their own, the last for all beyond; 0 for none.</param>
    public PositionBias(int max) => (_max, Weights) = (max, new DenseParameter("positions", new float[max + 1], max + 1));

    /// <summary>Shape [max + 1], the last for no position.</summary>
    public DenseParameter Weights { get; }

    /// <summary>The buffer of <see cref="Mean"/>.</summary>
    public DenseBuffer Buffer => _mean;

    /// <summary>What a prediction adds for its unknown position.</summary>
    public float Mean => _mean.Values[0];

    /// <summary>What the positions of a mini-batch add, shape [B], to learn from; the running mean follows.</summary>
    /// <param name="positions">Shape [B], zero-based; -1 unknown.</param>
    /// <param name="device">Where it computes.</param>
    public torch.Tensor Learned(ReadOnlySpan<int> positions, torch.Device device)
    {
        var rows = positions.Length;
        if (_numbers.Length < rows) (_numbers, _known) = (new long[rows], new float[rows]);
        var mean = 0.0;
        for (var row = 0; row < rows; row++)
        {
            var known = positions[row] >= 0 && _max > 0;
            _numbers[row] = known ? Math.Min(positions[row], _max - 1) : _max;
            _known[row] = known ? 1f : 0f;
            if (known) mean += Weights.Values[_numbers[row]];
        }
        _mean.Values[0] += Dice.Momentum * ((float)(mean / rows) - _mean.Values[0]);
        var at = TensorMemory.Tensor(_numbers.AsSpan(0, rows), [rows], device);
        return Weights.Leaf.index_select(0, at) * TensorMemory.Tensor(_known.AsSpan(0, rows), [rows], device);
    }
}
