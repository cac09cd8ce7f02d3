using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// The MLP of neural collaborative filtering: z = [p_u, q_i]; z = relu(W_l z + b_l) for each hidden layer; y(u, i) = sigmoid(h . z + b)
/// (He et al. 2017, "Neural Collaborative Filtering", equation 10). Features: sparse user, sparse item.
/// Known number: ML-1M, leave-one-out with the NCF negatives, HR@10 .692, NDCG@10 .425 (original code's README).
/// </summary>
public sealed class NcfMlp : IPairNetwork
{
    private readonly Mlp _layers;

    /// <param name="users">Rows of the users' table.</param>
    /// <param name="items">Rows of the items' table.</param>
    /// <param name="dim">Columns of both.</param>
    /// <param name="hidden">Columns of the hidden layers; the paper's tower halves them.</param>
    /// <param name="seed">Of the first values.</param>
    public NcfMlp(int users, int items, int dim, IReadOnlyList<int> hidden, ulong seed)
    {
        UserTables = [PairNetwork.Table("mlp.user", users, dim, seed, 0.1)];
        ItemTables = [PairNetwork.Table("mlp.item", items, dim, seed, 0.1)];
        _layers = new Mlp("mlp", 2 * dim, hidden, 1, (_, _) => new Relu(), seed);
        Dense = [.. _layers.Parameters];
    }

    public IReadOnlyList<DenseParameter> UserTables { get; }

    public IReadOnlyList<DenseParameter> ItemTables { get; }

    public IReadOnlyList<DenseParameter> Dense { get; }

    public torch.Tensor Logits(torch.Tensor[] users, torch.Tensor[] items) =>
        _layers.Forward(torch.cat([users[0], items[0]], 1), true).squeeze(1);
}
