using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking.MultiTask;

/// <summary>
/// Shared bottom: y_k = sigmoid(tower_k(f(z))), one network f for all tasks and a tower for each (Caruana, "Multitask Learning", Machine Learning 28, 1997; the
/// baseline of Ma et al. 2018, figure 1a, and of Tang et al. 2020). With K = 1 it is a plain MLP, the single-task model. Known number: none of its own; both papers
/// have it below MMoE. Features: sparse, dense.
/// </summary>
public sealed class SharedBottom : IRankerNetwork
{
    private readonly Expert _bottom;
    private readonly Towers _towers;

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths.</param>
    public SharedBottom(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        _bottom = new Expert("bottom", shape.Vectors * options.Dim, options);
        _towers = new Towers(shape.Tasks, options);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => [.. _bottom.Parameters, .. _towers.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var shared = _bottom.Forward(x.Flat, learning);
        return _towers.Forward(_ => shared, learning);
    }
}
