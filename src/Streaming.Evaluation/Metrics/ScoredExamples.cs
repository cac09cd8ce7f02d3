namespace Streaming.Evaluation.Metrics;

/// <summary>Labelled examples with the scores that several models gave them, and their figures under any weighting of the users.</summary>
internal sealed class ScoredExamples(int models)
{
    private const double Epsilon = 1e-7;

    private readonly Dictionary<ulong, int> _users = [];
    private readonly List<int> _user = [];
    private readonly List<bool> _label = [];
    private readonly List<float> _scores = [];
    private (float[] Sorted, int[] Order)[]? _sorted;

    public int Count => _label.Count;
    public int Users => _users.Count;

    /// <param name="user">Hash of the user.</param>
    /// <param name="label">The label.</param>
    /// <param name="scores">Probabilities, by model.</param>
    public void Add(ulong user, bool label, ReadOnlySpan<float> scores)
    {
        if (!_users.TryGetValue(user, out var number)) _users[user] = number = _users.Count;
        _user.Add(number);
        _label.Add(label);
        _scores.AddRange(scores);
        _sorted = null;
    }

    /// <summary>AUC of a model's scores, ties counting half, each user's examples counting so often; NaN for one class only.</summary>
    public double Auc(int model, ReadOnlySpan<int> userCounts)
    {
        var (scores, order) = (_sorted ??= [.. Enumerable.Range(0, models).Select(Sort)])[model];
        var (positives, negatives, wins) = (0L, 0L, 0.0);
        for (var i = 0; i < order.Length;)
        {
            var (tiedPositives, tiedNegatives) = (0L, 0L);
            for (var score = scores[i]; i < order.Length && scores[i] == score; i++)
                if (_label[order[i]]) tiedPositives += userCounts[_user[order[i]]];
                else tiedNegatives += userCounts[_user[order[i]]];
            wins += tiedPositives * (negatives + 0.5 * tiedNegatives);
            positives += tiedPositives;
            negatives += tiedNegatives;
        }
        return positives > 0 && negatives > 0 ? wins / ((double)positives * negatives) : double.NaN;
    }

    /// <summary>Mean log-loss of a model's scores, nats.</summary>
    public double LogLoss(int model, ReadOnlySpan<int> userCounts)
    {
        var (sum, weight) = (0.0, 0L);
        for (var i = 0; i < _label.Count; i++)
        {
            var count = userCounts[_user[i]];
            if (count == 0) continue;
            var p = Math.Clamp(_scores[i * models + model], Epsilon, 1 - Epsilon);
            sum -= count * Math.Log(_label[i] ? p : 1 - p);
            weight += count;
        }
        return sum / weight;
    }

    private (float[], int[]) Sort(int model)
    {
        var scores = new float[Count];
        var order = new int[Count];
        for (var i = 0; i < order.Length; i++) (scores[i], order[i]) = (_scores[i * models + model], i);
        Array.Sort(scores, order);
        return (scores, order);
    }
}
