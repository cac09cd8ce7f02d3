using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// Neural matrix factorisation: y(u, i) = sigmoid(h . [p_u * q_i, z] + b), where z is the last hidden layer of an MLP on rows of its own,
/// as in <see cref="NcfMlp"/> (He et al. 2017, "Neural Collaborative Filtering", equation 12), trained from scratch. The part of h
/// that reads p_u * q_i starts at 1, as <see cref="Gmf"/>'s. Features: sparse user, sparse item.
/// Known number: ML-1M, leave-one-out with the NCF negatives, HR@10 .701, NDCG@10 .425 without pre-training (original code's README).
/// </summary>
public sealed class NeuMf : IPairNetwork
{
    private readonly Mlp _layers;
    private readonly Linear _output;

    /// <param name="users">Rows of the users' tables.</param>
    /// <param name="items">Rows of the items' tables.</param>
    /// <param name="dim">Columns of the factorisation's tables.</param>
    /// <param name="mlpDim">Columns of the MLP's tables.</param>
    /// <param name="hidden">Columns of the hidden layers, at least one.</param>
    /// <param name="seed">Of the first values.</param>
    public NeuMf(int users, int items, int dim, int mlpDim, IReadOnlyList<int> hidden, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfZero(hidden.Count);
        UserTables = [PairNetwork.Table("gmf.user", users, dim, seed, 0.1), PairNetwork.Table("mlp.user", users, mlpDim, seed, 0.1)];
        ItemTables = [PairNetwork.Table("gmf.item", items, dim, seed, 0.1), PairNetwork.Table("mlp.item", items, mlpDim, seed, 0.1)];
        _layers = new Mlp("mlp", 2 * mlpDim, [.. hidden.SkipLast(1)], hidden[^1], (_, _) => new Relu(), seed);
        _output = new Linear("output", dim + hidden[^1], 1, seed);
        _output.Weight.Values.AsSpan(0, dim).Fill(1);
        Dense = [.. _layers.Parameters, .. _output.Parameters];
    }

    public IReadOnlyList<DenseParameter> UserTables { get; }

    public IReadOnlyList<DenseParameter> ItemTables { get; }

    public IReadOnlyList<DenseParameter> Dense { get; }

    public torch.Tensor Logits(torch.Tensor[] users, torch.Tensor[] items)
    {
        var z = torch.nn.functional.relu(_layers.Forward(torch.cat([users[1], items[1]], 1), true));
        return _output.Forward(torch.cat([users[0] * items[0], z], 1), true).squeeze(1);
    }
}
