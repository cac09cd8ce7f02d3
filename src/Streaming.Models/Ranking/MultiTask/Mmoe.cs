using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking.MultiTask;

/// <summary>
/// Multi-gate mixture of experts: y_k = sigmoid(tower_k(sum_i g_k(z)_i f_i(z))), g_k(z) = softmax(W_k z), all experts shared (Ma et al., "Modeling Task Relationships
/// in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018, equations 6 and 7). Four experts, each with the shared bottom's widths. Known number:
/// none on a set that we have; the paper's are on census-income and on Google's own logs. Features: sparse, dense.
/// </summary>
public sealed class Mmoe : IRankerNetwork
{
    private const int ExpertCount = 4;

    private readonly Expert[] _experts;
    private readonly Linear[] _gates;
    private readonly Towers _towers;

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths.</param>
    public Mmoe(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        var columns = shape.Vectors * options.Dim;
        _experts = [.. Enumerable.Range(0, ExpertCount).Select(i => new Expert($"expert.{i}", columns, options))];
        _gates = [.. Enumerable.Range(0, shape.Tasks).Select(k => new Linear($"gate.{k}", columns, ExpertCount, options.Seed))];
        _towers = new Towers(shape.Tasks, options);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => [.. _experts.SelectMany(e => e.Parameters), .. _gates.SelectMany(g => g.Parameters), .. _towers.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var flat = x.Flat;
        var outputs = _experts.Select(e => e.Forward(flat, learning)).ToList();
        return _towers.Forward(k => Expert.Mix(outputs, _gates[k].Forward(flat, learning)), learning);
    }
}
