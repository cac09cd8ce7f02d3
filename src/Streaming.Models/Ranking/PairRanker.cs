using Streaming.Models.Layers;
using Streaming.Models.Neural;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// A network of a user and an item (<see cref="Gmf"/>, <see cref="NcfMlp"/>, <see cref="NeuMf"/>: He et al., "Neural Collaborative Filtering", WWW 2017, where the
/// equations stand) as a ranker on rows of fields: of a row it reads the target item's vector and the user's, which are what the network's tables would hold, side by
/// side where it has several. The rest of the row it leaves. In the live path it learns from what was shown, where offline the items it counts as 0 are drawn. A user
/// who has no row yet is as the zero vector: only the bias speaks. Features: sparse.
/// Known number: the networks' own, with drawn negatives; none with what was shown.
/// </summary>
public sealed class PairRanker : IRankerNetwork
{
    private const int ItemField = 0;

    private readonly IPairNetwork _network;
    private readonly int _userField;

    /// <param name="shape">Of the rows: the item is the first of the target's fields, the user comes right after those.</param>
    /// <param name="network">Of no users and no items: rows are the ranker's.</param>
    public PairRanker(RankerShape shape, IPairNetwork network)
    {
        (_network, _userField) = (network, shape.TargetFields);
        VectorColumns = ColumnsOf(network.UserTables);
        if (ColumnsOf(network.ItemTables) != VectorColumns) throw new ArgumentException("users and items have vectors of different lengths", nameof(network));
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => _network.Dense;

    public torch.Tensor Logits(RankerInput x, bool learning) =>
        _network.Logits(Rows(x.Vectors.select(1, _userField), _network.UserTables), Rows(x.Vectors.select(1, ItemField), _network.ItemTables)).unsqueeze(1);

    /// <summary>Of vectors of shape [B, v] the part of each table.</summary>
    private static torch.Tensor[] Rows(torch.Tensor vectors, IReadOnlyList<DenseParameter> tables)
    {
        var (rows, at) = (new torch.Tensor[tables.Count], 0L);
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = vectors.narrow(1, at, tables[i].Shape[1]);
            at += tables[i].Shape[1];
        }
        return rows;
    }

    private static int ColumnsOf(IReadOnlyList<DenseParameter> tables) => (int)tables.Sum(t => t.Shape[1]);
}
