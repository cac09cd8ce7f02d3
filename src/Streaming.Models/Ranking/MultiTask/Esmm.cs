using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking.MultiTask;

/// <summary>
/// Entire-space multi-task model: p_1 = sigmoid(a_1) is the click's probability, and p_k = p_1 sigmoid(a_k) that of a click with the k-th conversion, each a_k an MLP
/// of its own on shared vectors; the losses are those of p, over all impressions (Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating
/// Post-Click Conversion Rate", SIGIR 2018, equations 1 to 3, which have one conversion). Task 1 must be what the others presuppose. Known number: none on a set that we
/// have; the paper's are on Ali-CCP. Features: sparse, dense.
/// </summary>
public sealed class Esmm : IRankerNetwork
{
    // A product of probabilities may round to 0 or 1, whose logarithm a loss cannot have.
    private const double Epsilon = 1e-6;

    private readonly Mlp[] _towers;

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths.</param>
    public Esmm(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        _towers = [.. Enumerable.Range(0, shape.Tasks).Select(k => new Mlp($"tower.{k}", shape.Vectors * options.Dim, options.Hidden, 1, (_, _) => new Relu(), options.Seed))];
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => _towers.SelectMany(t => t.Parameters);

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var flat = x.Flat;
        return torch.cat([.. _towers.Select(t => t.Forward(flat, learning))], 1);
    }

    /// <summary>A position is clicked more or less; what comes of a click does not hang on it.</summary>
    public torch.Tensor AtPosition(torch.Tensor logits, torch.Tensor added)
    {
        var click = logits.narrow(1, 0, 1) + added;
        return logits.shape[1] == 1 ? click : torch.cat([click, logits.narrow(1, 1, logits.shape[1] - 1)], 1);
    }

    public float[] LogOddsOf(IReadOnlyList<double> rates) => [.. rates.Select((r, k) => k == 0 ? r : Math.Min(r / rates[0], 1 - Epsilon)).Select(r => (float)Math.Log(r / (1 - r)))];

    public torch.Tensor Probabilities(torch.Tensor logits)
    {
        var own = logits.sigmoid();
        var click = own.narrow(1, 0, 1);
        return own.shape[1] == 1 ? click : torch.cat([click, click * own.narrow(1, 1, own.shape[1] - 1)], 1);
    }

    public torch.Tensor Losses(torch.Tensor logits, torch.Tensor labels)
    {
        var p = Probabilities(logits).clamp(Epsilon, 1 - Epsilon);
        return -(labels * p.log() + (1 - labels) * (1 - p).log());
    }
}
