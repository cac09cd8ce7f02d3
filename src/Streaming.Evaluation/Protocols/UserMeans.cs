using Streaming.Evaluation.Metrics;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Means over measured cases (rankings, next clicks) whose intervals draw users again: the cases of one user stand or fall
/// together. Cases for which a metric is NaN are left out of it.
/// </summary>
internal sealed class UserMeans(params string[] metrics)
{
    private readonly Dictionary<string, int> _users = [];
    private readonly List<double[]> _sums = [];
    private readonly List<double[]> _counts = [];

    /// <summary>Cases added.</summary>
    public int Count { get; private set; }

    /// <summary>One case of a user, aligned with the metrics' names.</summary>
    public void Add(string user, params ReadOnlySpan<double> values)
    {
        BinaryMetrics.Same(values.Length, metrics.Length);
        if (!_users.TryGetValue(user, out var at))
        {
            at = _users[user] = _sums.Count;
            _sums.Add(new double[metrics.Length]);
            _counts.Add(new double[metrics.Length]);
        }
        for (var m = 0; m < values.Length; m++)
        {
            if (double.IsNaN(values[m])) continue;
            _sums[at][m] += values[m];
            _counts[at][m]++;
        }
        Count++;
    }

    /// <summary>The means with 95 % intervals.</summary>
    public IReadOnlyList<Figure> Figures(long seed)
    {
        Interval Of(int m) => Bootstrap.Ratio([.. _sums.Select(s => s[m])], [.. _counts.Select(c => c[m])], seed);
        return [.. metrics.Select((metric, m) => new Figure(metric, Of(m)))];
    }
}
