using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// DCN-V2, stacked: y = sigmoid(MLP(x_3)), x_{l+1} = x_0 * (W_l x_l + b_l) + x_l, with * element by element (Wang et al., "DCN V2: Improved Deep &amp; Cross
/// Network", WWW 2021, equation 1). Features: sparse, dense.
/// Known number: AUC .8115, log-loss .4406 on the whole of Criteo's contest.
/// </summary>
public sealed class DcnV2 : IRankerNetwork
{
    private const int LayerCount = 3;

    private readonly Linear[] _cross;
    private readonly Mlp _mlp;

    /// <param name="fields">F.</param>
    /// <param name="options">Widths.</param>
    public DcnV2(int fields, RankerOptions options)
    {
        VectorColumns = options.Dim;
        var wide = fields * options.Dim;
        _cross = [.. Enumerable.Range(0, LayerCount).Select(l => new Linear($"cross.{l}", wide, wide, options.Seed))];
        _mlp = new Mlp("mlp", wide, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => [.. _cross.SelectMany(l => l.Parameters), .. _mlp.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var first = x.Flat;
        var at = first;
        foreach (var layer in _cross) at = first * layer.Forward(at, learning) + at;
        return _mlp.Forward(at, learning);
    }
}
