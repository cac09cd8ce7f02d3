using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>
/// score(u, j) = sum over i in N(u), i != j, of w(i, j); by cosine w(i, j) = sum over users v of both of a(v) /
/// (|N(i)|^(1 - alpha) |N(j)|^alpha + shrinkage) with a(v) = 1, or 1 / log(1 + |N(v)|) with the activity penalty; of each i only
/// the nearest j count (Sarwar et al. 2001, "Item-based Collaborative Filtering Recommendation Algorithms"; Linden et al. 2003;
/// Deshpande and Karypis 2004; shrinkage as in Bell and Koren 2007).
/// Known number: alpha 0.5, shrinkage 20, all neighbours, ML-1M leave-one-out with the NCF negatives HR@10 .5215, NDCG@10 .3038.
/// </summary>
public sealed class ItemKnn(NeighbourOptions options) : IRecommender
{
    private (int Row, float Weight)[][] _neighbours = [];

    public void Fit(Interactions train, long seed)
    {
        var users = SparseMatrix.UserItems(train);
        var items = users.Transpose();
        var neighbours = new (int, float)[train.ItemCount][];
        // Each item's neighbours depend on nothing that another item's search writes, so threads change no bit.
        Parallel.For(0, train.ItemCount, () => new NeighbourSearch(items, users, options), (item, _, search) =>
        {
            neighbours[item] = search.Find(items.Row(item), items.RowValues(item), item);
            return search;
        }, _ => { });
        _neighbours = neighbours;
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        scores.Clear();
        foreach (var item in SparseMatrix.Distinct(history))
        foreach (var (other, weight) in _neighbours[item])
            scores[other] += weight;
    }
}
