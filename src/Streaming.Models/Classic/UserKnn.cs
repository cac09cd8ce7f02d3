using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>
/// score(u, j) = sum over the nearest users v that have j of w(u, v); by cosine w(u, v) = sum over items i of both of a(i) /
/// (|N(u)|^(1 - alpha) |N(v)|^alpha + shrinkage) with a(i) = 1, or 1 / log(1 + |N(i)|) with the activity penalty (Breese et al.
/// 1998, "Empirical Analysis of Predictive Algorithms for Collaborative Filtering"; Herlocker et al. 1999). Cosine goes by the
/// history that it is given; Pearson goes by the user's grades in training, for a history has none.
/// Published numbers depend on the protocol; Ferrari Dacrema et al. 2019, "Are We Really Making Much Progress?", put it beside ItemKNN.
/// </summary>
public sealed class UserKnn(NeighbourOptions options) : IRecommender
{
    private SparseMatrix? _users, _items;

    public void Fit(Interactions train, long seed)
    {
        _users = SparseMatrix.UserItems(train);
        _items = _users.Transpose();
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        if (_users is null || _items is null) throw new InvalidOperationException("score before fit");
        scores.Clear();
        var search = new NeighbourSearch(_users, _items, options);
        var known = user < _users.RowCount;
        var neighbours = options.Similarity == Similarity.Cosine ? search.Find(SparseMatrix.Distinct(history), default, user)
            : known ? search.Find(_users.Row(user), _users.RowValues(user), user) : [];
        foreach (var (other, weight) in neighbours)
        foreach (var item in _users.Row(other))
            scores[item] += weight;
    }
}
