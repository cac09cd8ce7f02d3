using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Building;

/// <summary>How the candidates of a list are kept unlike each other.</summary>
public enum Diversity
{
    /// <summary>Maximal marginal relevance: as unlike as can be to the most similar item above.</summary>
    Mmr,

    /// <summary>Determinantal point process: as far as can be from what the items above span together.</summary>
    Dpp,
}

/// <summary>How like two candidates are, by their indices: in [0, 1], 1 for an item and itself.</summary>
internal interface ISimilarity
{
    float Of(int a, int b);
}

/// <summary>
/// What a candidate adds to the picks Y above it: lambda rel(i) - (1 - lambda) penalty(i), rel the score scaled to [0, 1] over the candidates' range.
/// <para>
/// MMR (Carbonell and Goldstein, SIGIR 1998): penalty(i) = max over j in Y of S_ij.
/// </para>
/// <para>
/// DPP (Chen, Zhang and Zhou, "Fast Greedy MAP Inference for Determinantal Point Process to Improve Recommendation Diversity", NeurIPS 2018): with the
/// kernel L_ij = q_i S_ij q_j, q_i = exp(lambda rel(i) / (2 (1 - lambda))), the gain in log det L, times 1 - lambda, is the above with penalty(i) =
/// -log d_i^2, d_i^2 = det S_{Y + i} / det S_Y. Their algorithm 1 keeps the Cholesky row c_i of each candidate: e_i = (S_ji - c_j c_i) / d_j for the
/// newest pick j, then d_i^2 -= e_i^2. A pick whose own d^2 is numerically 0 adds nothing, as there they stop.
/// </para>
/// Either penalty only grows with Y, so a candidate is compared with picks only while it could still win. O(1) for MMR and O(|Y|) for DPP in each
/// comparison. Not thread-safe; allocates only where it meets a longer list than before.
/// </summary>
internal sealed class MarginalGain(int capacity, ISimilarity similarity)
{
    /// <summary>Below it d^2 is rounding; its logarithm is the largest penalty.</summary>
    internal const float RemainingMin = 1e-6f;

    private readonly float[] _penalties = new float[capacity];
    private readonly float[] _remaining = new float[capacity];
    private readonly int[] _compared = new int[capacity];
    private int[] _picks = [];
    private float[] _roots = [];
    private float[] _factors = [];
    private int _count, _settled, _stride;
    private Diversity _kind;
    private float _lambda, _low, _scale;

    /// <summary>Begins a list without picks.</summary>
    /// <param name="scores">Of the candidates; others may be picked too.</param>
    /// <param name="all">How many may be picked or asked about.</param>
    /// <param name="kind">Which penalty.</param>
    /// <param name="lambda">In [0, 1]; 1 for no penalty.</param>
    /// <param name="picksMax">How many are picked at most.</param>
    public void Start(ReadOnlySpan<float> scores, int all, Diversity kind, float lambda, int picksMax)
    {
        (_kind, _lambda, _stride) = (kind, lambda, VectorMath.Stride(picksMax));
        var (low, high) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var score in scores) (low, high) = (Math.Min(low, score), Math.Max(high, score));
        (_low, _scale) = (low, high > low ? 1f / (high - low) : 0f);
        if (_picks.Length < picksMax) (_picks, _roots) = (new int[picksMax], new float[picksMax]);
        if (kind == Diversity.Dpp && _factors.Length < capacity * _stride) _factors = new float[capacity * _stride];
        Restart(all);
    }

    /// <summary>Takes all picks back.</summary>
    public void Restart(int all)
    {
        (_count, _settled) = (0, 0);
        _penalties.AsSpan(0, all).Clear();
        _compared.AsSpan(0, all).Clear();
        _remaining.AsSpan(0, all).Fill(1f);
    }

    /// <summary>lambda rel(i), of a score.</summary>
    public float Relevance(float score) => _lambda * (score - _low) * _scale;

    /// <summary>No less than <see cref="Of"/>: by the picks that the candidate has been compared with so far.</summary>
    public float Bound(int i, float relevance) => relevance - (1 - _lambda) * _penalties[i];

    /// <summary>What the candidate adds to all picks so far.</summary>
    public float Of(int i, float relevance)
    {
        if (_lambda >= 1f) return relevance;
        if (_kind == Diversity.Dpp)
            for (; _settled < _count; _settled++)
            {
                var pick = _picks[_settled];
                Compare(pick, _settled);
                _roots[_settled] = _remaining[pick] > RemainingMin ? MathF.Sqrt(_remaining[pick]) : 0f;
            }
        Compare(i, _count);
        return Bound(i, relevance);
    }

    /// <summary>The next place is this one's, whatever it adds.</summary>
    public void Pick(int i) => _picks[_count++] = i;

    private void Compare(int i, int picks)
    {
        for (var s = _compared[i]; s < picks; s++)
        {
            var alike = similarity.Of(i, _picks[s]);
            if (_kind == Diversity.Mmr) _penalties[i] = Math.Max(_penalties[i], alike);
            else Project(i, s, alike);
        }
        _compared[i] = Math.Max(_compared[i], picks);
    }

    private void Project(int i, int s, float alike)
    {
        // Zeros after what is known, in the pick's row as in this one, so that a dot product may go on to a whole width.
        var own = _factors.AsSpan(i * _stride, _stride);
        if (s == 0) own.Clear();
        var shared = s == 0 ? 0f : VectorMath.Dot(own[..VectorMath.Stride(s)], _factors.AsSpan(_picks[s] * _stride, _stride));
        var e = _roots[s] == 0f ? 0f : (alike - shared) / _roots[s];
        own[s] = e;
        _remaining[i] -= e * e;
        _penalties[i] = -MathF.Log(Math.Max(_remaining[i], RemainingMin));
    }
}

/// <summary>A ranking ordered anew by <see cref="MarginalGain"/>, without windows or exploration: what evaluation compares models with.</summary>
public static class DiverseOrder
{
    private sealed class Given(Func<int, int, float> similarity) : ISimilarity
    {
        public float Of(int a, int b) => similarity(a, b);
    }

    /// <summary>Indices of the candidates, the first place first.</summary>
    /// <param name="scores">Of the candidates; larger is better.</param>
    /// <param name="similarity">Of two of them: in [0, 1], symmetric, 1 for a candidate and itself.</param>
    /// <param name="kind">Which penalty.</param>
    /// <param name="lambda">Weight of relevance, in [0, 1].</param>
    public static int[] Of(ReadOnlySpan<float> scores, Func<int, int, float> similarity, Diversity kind, float lambda)
    {
        var gain = new MarginalGain(scores.Length, new Given(similarity));
        gain.Start(scores, scores.Length, kind, lambda, scores.Length);
        var (order, isPicked) = (new int[scores.Length], new bool[scores.Length]);
        for (var place = 0; place < order.Length; place++)
        {
            var (best, bestValue) = (-1, float.NegativeInfinity);
            for (var i = 0; i < scores.Length; i++)
            {
                if (isPicked[i] || (best >= 0 && gain.Bound(i, gain.Relevance(scores[i])) <= bestValue)) continue;
                var value = gain.Of(i, gain.Relevance(scores[i]));
                if (best < 0 || value > bestValue) (best, bestValue) = (i, value);
            }
            (order[place], isPicked[best]) = (best, true);
            gain.Pick(best);
        }
        return order;
    }
}
