using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking.MultiTask;

/// <summary>An expert: an MLP whose last layer is activated too, so that gates mix what is not negative. [B, in] to [B, last of Hidden].</summary>
internal sealed class Expert(string name, int columnsIn, RankerOptions options)
{
    private readonly Mlp _mlp = new(name, columnsIn, [.. options.Hidden.Take(options.Hidden.Count - 1)], options.Hidden[^1], (_, _) => new Relu(), options.Seed);

    public IEnumerable<DenseParameter> Parameters => _mlp.Parameters;

    public torch.Tensor Forward(torch.Tensor x, bool learning) => torch.nn.functional.relu(_mlp.Forward(x, learning));

    /// <summary>Sum of experts' outputs by a gate's softmax: shape [B, columns].</summary>
    /// <param name="outputs">Each of shape [B, columns].</param>
    /// <param name="gate">Shape [B, number of outputs], before the softmax.</param>
    public static torch.Tensor Mix(IReadOnlyList<torch.Tensor> outputs, torch.Tensor gate) =>
        gate.softmax(1).unsqueeze(1).bmm(torch.stack(outputs, 1)).squeeze(1);
}

/// <summary>A tower for each of K tasks: one hidden layer, then one log-odd.</summary>
internal sealed class Towers
{
    private readonly Mlp[] _towers;

    /// <param name="tasks">K.</param>
    /// <param name="options">Widths; a tower is as wide as the last of them.</param>
    public Towers(int tasks, RankerOptions options)
    {
        var wide = options.Hidden[^1];
        _towers = [.. Enumerable.Range(0, tasks).Select(k => new Mlp($"tower.{k}", wide, [wide], 1, (_, _) => new Relu(), options.Seed))];
    }

    public IEnumerable<DenseParameter> Parameters => _towers.SelectMany(t => t.Parameters);

    /// <summary>Shape [B, K].</summary>
    /// <param name="inputs">Of a task, each of shape [B, last of Hidden].</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    public torch.Tensor Forward(Func<int, torch.Tensor> inputs, bool learning) => torch.cat([.. _towers.Select((t, k) => t.Forward(inputs(k), learning))], 1);
}
