using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>max(0, x) + a min(0, x) with one a per column (He et al. 2015), at first 0.25, as PyTorch's.</summary>
public sealed class PRelu(string name, int columns) : ILayer
{
    /// <summary>Shape [columns].</summary>
    public DenseParameter Slope { get; } = new($"{name}.slope", DenseParameter.Constant(columns, 0.25f), columns);

    public IEnumerable<DenseParameter> Parameters => [Slope];

    public IEnumerable<DenseBuffer> Buffers => [];

    public torch.Tensor Forward(torch.Tensor x, bool learning) => torch.nn.functional.prelu(x, Slope.Leaf);
}

/// <summary>
/// The data-adaptive activation of DIN (Zhou et al. 2018, section 5.3): f(s) = p s + (1 - p) a s, p = sigmoid((s - E[s]) / sqrt(Var[s] + eps)),
/// with one a per column, at first 0. E and Var are the mini-batch's when learning, and running means of them when predicting.
/// </summary>
/// <remarks>
/// As PyTorch's BatchNorm1d without affine: gradients flow through E and Var, the batch's Var divides by n and the running one by n - 1.
/// A batch of one row, which has no variance, uses the running statistics and leaves them.
/// </remarks>
public sealed class Dice : ILayer
{
    /// <summary>The paper's.</summary>
    public const float Epsilon = 1e-8f;

    /// <summary>Weight of a new batch in the running statistics, as PyTorch's.</summary>
    public const float Momentum = 0.1f;

    private readonly float[] _scale, _shift, _mean, _variance;

    public Dice(string name, int columns)
    {
        Alpha = new DenseParameter($"{name}.alpha", new float[columns], columns);
        RunningMean = new DenseBuffer($"{name}.mean", new float[columns]);
        RunningVariance = new DenseBuffer($"{name}.variance", DenseParameter.Constant(columns, 1f));
        (_scale, _shift, _mean, _variance) = (new float[columns], new float[columns], new float[columns], new float[columns]);
    }

    /// <summary>Shape [columns].</summary>
    public DenseParameter Alpha { get; }

    /// <summary>Shape [columns].</summary>
    public DenseBuffer RunningMean { get; }

    /// <summary>Shape [columns].</summary>
    public DenseBuffer RunningVariance { get; }

    public IEnumerable<DenseParameter> Parameters => [Alpha];

    public IEnumerable<DenseBuffer> Buffers => [RunningMean, RunningVariance];

    public torch.Tensor Forward(torch.Tensor x, bool learning)
    {
        var rows = x.shape[0];
        var p = (learning && rows > 1 ? ByBatch(x, rows) : ByRunning(x)).sigmoid();
        return x * (p * (1 - Alpha.Leaf) + Alpha.Leaf);
    }

    private torch.Tensor ByBatch(torch.Tensor x, long rows)
    {
        var mean = x.mean([0]);
        var centred = x - mean;
        var variance = (centred * centred).mean([0]);
        TensorMemory.Read(mean.detach(), _mean);
        TensorMemory.Read(variance.detach(), _variance);
        var unbiased = (float)rows / (rows - 1);
        for (var i = 0; i < _mean.Length; i++)
        {
            RunningMean.Values[i] += Momentum * (_mean[i] - RunningMean.Values[i]);
            RunningVariance.Values[i] += Momentum * (_variance[i] * unbiased - RunningVariance.Values[i]);
        }
        return centred * (variance + Epsilon).rsqrt();
    }

    private torch.Tensor ByRunning(torch.Tensor x)
    {
        Affine(_scale, _shift);
        return x * TensorMemory.Tensor(_scale, [_scale.Length], x.device) + TensorMemory.Tensor(_shift, [_shift.Length], x.device);
    }

    /// <summary>The running statistics as p = sigmoid(scale s + shift), shape [columns] each.</summary>
    public void Affine(Span<float> scale, Span<float> shift)
    {
        for (var i = 0; i < scale.Length; i++)
        {
            scale[i] = 1f / MathF.Sqrt(RunningVariance.Values[i] + Epsilon);
            shift[i] = -RunningMean.Values[i] * scale[i];
        }
    }
}
