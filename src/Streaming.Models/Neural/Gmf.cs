using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Neural;

/// <summary>
/// Generalised matrix factorisation: y(u, i) = sigmoid(h . (p_u * q_i) + b), * element by element (He et al. 2017, "Neural
/// Collaborative Filtering", equation 9), by the cross-entropy of interactions against sampled items (equation 7). h starts at 1: as
/// plain matrix factorisation. Features: sparse user, sparse item.
/// Known number: ML-1M, leave-one-out with the NCF negatives, HR@10 .708, NDCG@10 .429 (a careful re-run, quoted by guoyang9/NCF).
/// </summary>
public sealed class Gmf : IPairNetwork
{
    /// <param name="users">Rows of the users' table.</param>
    /// <param name="items">Rows of the items' table.</param>
    /// <param name="dim">Columns of both.</param>
    /// <param name="seed">Of the first values.</param>
    public Gmf(int users, int items, int dim, ulong seed)
    {
        UserTables = [PairNetwork.Table("gmf.user", users, dim, seed, 0.1)];
        ItemTables = [PairNetwork.Table("gmf.item", items, dim, seed, 0.1)];
        Weight = new DenseParameter("gmf.weight", DenseParameter.Constant(dim, 1), 1, dim);
        Bias = new DenseParameter("gmf.bias", DenseParameter.Constant(1, 0), 1);
    }

    public IReadOnlyList<DenseParameter> UserTables { get; }

    public IReadOnlyList<DenseParameter> ItemTables { get; }

    public IReadOnlyList<DenseParameter> Dense => [Weight, Bias];

    /// <summary>h, shape [1, dim].</summary>
    public DenseParameter Weight { get; }

    /// <summary>b, shape [1].</summary>
    public DenseParameter Bias { get; }

    public torch.Tensor Logits(torch.Tensor[] users, torch.Tensor[] items) =>
        torch.nn.functional.linear(users[0] * items[0], Weight.Leaf, Bias.Leaf).squeeze(1);
}
