using Streaming.Core.Wire;
using Streaming.Models.Layers;

namespace Streaming.Models.Optimizers;

/// <summary>Moves the dense parameters of a model after backward(). Its state goes with the model's checkpoint.</summary>
public interface IDenseOptimizer
{
    /// <summary>One step along the gradients that backward() left at the parameters' leaves.</summary>
    void Step();

    void Save(CheckpointWriter into);

    /// <summary>Reads what <see cref="Save"/> wrote; the returned action puts it in place once the whole file has proved sound.</summary>
    Action Read(CheckpointReader from);
}

/// <summary>What the optimisers share: gradients read into plain arrays, and arrays of state beside the parameters.</summary>
public abstract class DenseOptimizer : IDenseOptimizer
{
    private readonly IReadOnlyList<DenseParameter> _parameters;
    private readonly float[][] _state;
    private readonly float[] _gradient;

    /// <param name="parameters">What it moves, in a fixed order.</param>
    /// <param name="statePerWeight">Floats of state for every weight.</param>
    protected DenseOptimizer(IReadOnlyList<DenseParameter> parameters, int statePerWeight)
    {
        _parameters = parameters;
        _state = [.. parameters.Select(p => new float[p.Length * statePerWeight])];
        _gradient = new float[parameters.Count == 0 ? 0 : parameters.Max(p => p.Length)];
    }

    /// <summary>Steps so far.</summary>
    public long Steps { get; private set; }

    public void Step()
    {
        Steps++;
        for (var i = 0; i < _parameters.Count; i++)
        {
            var gradient = _gradient.AsSpan(0, _parameters[i].Length);
            TensorMemory.ReadGradient(_parameters[i].Leaf, gradient);
            Move(_parameters[i].Values, gradient, _state[i]);
        }
    }

    /// <summary>One step on one parameter, <see cref="Steps"/> counting it already.</summary>
    protected abstract void Move(Span<float> weights, ReadOnlySpan<float> gradient, Span<float> state);

    public void Save(CheckpointWriter into)
    {
        into.Int64(Steps);
        foreach (var state in _state) into.Values<float>(state);
    }

    public Action Read(CheckpointReader from)
    {
        var steps = from.Int64();
        if (steps < 0) throw new InvalidDataException($"an optimiser of {steps} steps");
        var states = _state.Select(s => new float[s.Length]).ToArray();
        foreach (var state in states) from.Values(state.AsSpan());
        return () =>
        {
            Steps = steps;
            for (var i = 0; i < states.Length; i++) states[i].CopyTo(_state[i], 0);
        };
    }
}

/// <summary>Adam (Kingma and Ba 2015); eps stands where torch.optim.Adam has it: rate m' / (sqrt(v') + eps), primes for corrected.</summary>
public sealed class DenseAdam(
    IReadOnlyList<DenseParameter> parameters, float rate, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f)
    : DenseOptimizer(parameters, 2)
{
    /// <summary>Step size of the next step.</summary>
    public float Rate { get; set; } = rate;

    protected override void Move(Span<float> weights, ReadOnlySpan<float> gradient, Span<float> state)
    {
        var (step, least) = AdamMath.Corrected(Rate, beta1, beta2, epsilon, Steps);
        AdamMath.Step(weights, gradient, state[..weights.Length], state[weights.Length..], step, beta1, beta2, least);
    }
}

/// <summary>Adagrad (Duchi et al. 2011): G += g^2, w -= rate g / (sqrt(G) + eps). As torch.optim.Adagrad.</summary>
public sealed class DenseAdagrad(IReadOnlyList<DenseParameter> parameters, float rate, float initial = 0f, float epsilon = 1e-10f)
    : DenseOptimizer(parameters, 1)
{
    protected override void Move(Span<float> weights, ReadOnlySpan<float> gradient, Span<float> state)
    {
        for (var i = 0; i < weights.Length; i++)
        {
            state[i] += gradient[i] * gradient[i];
            weights[i] -= rate * gradient[i] / (MathF.Sqrt(initial + state[i]) + epsilon);
        }
    }
}
