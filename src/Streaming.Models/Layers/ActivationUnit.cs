using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// The local activation unit of DIN (Zhou et al. 2018, section 4.3 and figure 2): the weight of a past item h for a target t is
/// a(h, t) = v PReLU(W [h; t; h - t; h * t] + b) + c, with * element by element. It is not normalised over the past items: their sum
/// keeps how strong the interest is.
/// </summary>
/// <remarks>
/// W [h; t; h - t; h * t] = (W1 + W3) h + (W2 - W3) t + W4 (h * t), with W1..W4 the blocks of W: so computed, the t-part is once
/// per target and the concatenation is never made.
/// </remarks>
public sealed class ActivationUnit
{
    private readonly int _columns;

    public ActivationUnit(string name, int columns, int hidden, ulong seed)
    {
        _columns = columns;
        Hidden = new Linear($"{name}.hidden", 4 * columns, hidden, seed);
        Act = new PRelu($"{name}.hidden", hidden);
        Out = new Linear($"{name}.out", hidden, 1, seed);
    }

    public Linear Hidden { get; }
    public PRelu Act { get; }
    public Linear Out { get; }

    public IEnumerable<DenseParameter> Parameters => [.. Hidden.Parameters, .. Act.Parameters, .. Out.Parameters];

    /// <summary>Weights, shape [B, L].</summary>
    /// <param name="history">Shape [B, L, D].</param>
    /// <param name="target">Shape [B, D].</param>
    public torch.Tensor Forward(torch.Tensor history, torch.Tensor target)
    {
        var (rows, length) = (history.shape[0], history.shape[1]);
        var weight = Hidden.Weight.Leaf;
        torch.Tensor Block(int i) => weight.narrow(1, i * _columns, _columns);
        var ofTarget = torch.nn.functional.linear(target, Block(1) - Block(2), Hidden.Bias.Leaf);
        var ofHistory = history.view(rows * length, _columns).mm((Block(0) + Block(2)).t());
        var product = (history * target.unsqueeze(1)).view(rows * length, _columns);
        var z = torch.addmm(ofHistory, product, Block(3).t(), 1, 1).view(rows, length, -1) + ofTarget.unsqueeze(1);
        var hidden = Act.Forward(z.view(rows * length, -1), true);
        return Out.Forward(hidden, true).view(rows, length);
    }
}
