using Streaming.Models.Embeddings;

namespace Streaming.Models.Layers;

/// <summary>
/// The forward pass of small networks for one row, in plain arrays: what serving wants, where a tensor library's cost per call would be the larger
/// part, and where libtorch need not be there at all. It allocates nothing, and a row's result does not depend on its neighbours.
/// </summary>
public static class PlainForward
{
    /// <summary>Columns of the widest layer: the size of the working memory, twice.</summary>
    public static int WidthMax(Mlp network)
    {
        var width = 1;
        for (var i = 0; i < network.Layers.Count; i++)
            if (network.Layers[i] is Linear linear) width = Math.Max(width, linear.Bias.Length);
        return width;
    }

    /// <summary>tanh of each number.</summary>
    public static void Tanh(Span<float> x)
    {
        foreach (ref var value in x) value = MathF.Tanh(value);
    }

    /// <summary>max(0, x) of each number.</summary>
    public static void Relu(Span<float> x)
    {
        foreach (ref var value in x) value = Math.Max(0, value);
    }

    /// <summary>x times the chance that a standard normal is below x, of each number: gelu without the approximation by tanh.</summary>
    public static void Gelu(Span<float> x)
    {
        foreach (ref var value in x) value = (float)(0.5 * value * (1 + Erf(value / Math.Sqrt(2))));
    }

    /// <summary>Within 1.5e-7 (Abramowitz and Stegun 1964, "Handbook of Mathematical Functions", 7.1.26).</summary>
    private static double Erf(double x)
    {
        var t = 1 / (1 + 0.3275911 * Math.Abs(x));
        var rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-x * x);
        return Math.CopySign(1 - rest, x);
    }

    /// <summary>e^x over their sum, of all numbers.</summary>
    public static void Softmax(Span<float> x)
    {
        var (largest, sum) = (float.NegativeInfinity, 0f);
        foreach (var value in x) largest = Math.Max(largest, value);
        foreach (ref var value in x) sum += value = MathF.Exp(value - largest);
        foreach (ref var value in x) value /= sum;
    }

    /// <summary>As torch.nn.functional.normalize: divided by its length, or by 1e-12 if that is larger.</summary>
    public static void Normalise(Span<float> x)
    {
        var length = Math.Max(1e-12f, VectorMath.Norm(x));
        foreach (ref var value in x) value /= length;
    }

    /// <param name="network">Of <see cref="Linear"/>, <see cref="Layers.Relu"/> and <see cref="Layers.Tanh"/> layers.</param>
    /// <param name="x">Shape [in].</param>
    /// <param name="into">Shape [out].</param>
    /// <param name="working">Twice <see cref="WidthMax"/>.</param>
    /// <exception cref="NotSupportedException">The network has another kind of layer.</exception>
    public static void Run(Mlp network, ReadOnlySpan<float> x, Span<float> into, Span<float> working)
    {
        var half = working.Length / 2;
        var useFirst = true;
        Span<float> last = default;
        for (var i = 0; i < network.Layers.Count; i++)
        {
            switch (network.Layers[i])
            {
                case Linear linear:
                    var to = (useFirst ? working[..half] : working[half..])[..linear.Bias.Length];
                    Run(linear, i == 0 ? x : last, to);
                    last = to;
                    useFirst = !useFirst;
                    break;
                case Layers.Relu:
                    Relu(last);
                    break;
                case Layers.Tanh:
                    Tanh(last);
                    break;
                default:
                    throw new NotSupportedException($"{network.Layers[i].GetType().Name} has no plain forward pass");
            }
        }
        last.CopyTo(into);
    }

    /// <summary>x W^T + b.</summary>
    /// <param name="linear">Its values as they now stand.</param>
    /// <param name="x">Shape [in].</param>
    /// <param name="into">Shape [out].</param>
    public static void Run(Linear linear, ReadOnlySpan<float> x, Span<float> into)
    {
        var (weights, bias) = (linear.Weight.Values, linear.Bias.Values);
        for (var row = 0; row < into.Length; row++) into[row] = bias[row] + VectorMath.Dot(weights.AsSpan(row * x.Length, x.Length), x);
    }
}
