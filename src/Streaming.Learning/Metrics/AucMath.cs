namespace Streaming.Learning.Metrics;

/// <summary>One scored example, 8 bytes: the score, 31 bits of the user's hash and the label.</summary>
internal readonly struct Scored
{
    private readonly float _score;
    private readonly uint _userAndLabel;

    public Scored(ulong user, float score, bool positive)
    {
        _score = score;
        _userAndLabel = ((uint)user << 1) | (positive ? 1u : 0u);
    }

    /// <summary>The 31 bits kept of the user's hash.</summary>
    public uint UserBits => _userAndLabel >> 1;

    public float Score => _score;
    public bool Positive => (_userAndLabel & 1) != 0;

    /// <summary>Sorts by score, then label.</summary>
    public ulong ByScore => ((ulong)Sortable(_score) << 1) | (_userAndLabel & 1);

    /// <summary>Sorts by user, score, label.</summary>
    public ulong ByUser => ((ulong)(_userAndLabel >> 1) << 33) | ByScore;

    /// <summary>Bits of a float, mapped so that unsigned order is numeric order; -0 equals 0.</summary>
    private static uint Sortable(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
    }
}

/// <summary>Areas under the ROC curve from sorted keys whose lowest bit is the label and whose other bits are the score.</summary>
internal static class AucMath
{
    /// <summary>
    /// P(score of a positive &gt; score of a negative), ties counting half; NaN unless both classes occur. The keys of
    /// <paramref name="sorted"/> ascend.
    /// </summary>
    public static double Auc(ReadOnlySpan<ulong> sorted)
    {
        var (positives, negatives, wins) = (0L, 0L, 0.0);
        for (var i = 0; i < sorted.Length;)
        {
            var (tiedPositives, tiedNegatives) = (0L, 0L);
            for (var score = sorted[i] >> 1; i < sorted.Length && sorted[i] >> 1 == score; i++)
                if ((sorted[i] & 1) != 0) tiedPositives++;
                else tiedNegatives++;
            wins += tiedPositives * (negatives + 0.5 * tiedNegatives);
            positives += tiedPositives;
            negatives += tiedNegatives;
        }
        return positives > 0 && negatives > 0 ? wins / ((double)positives * negatives) : double.NaN;
    }

    /// <summary>
    /// Means of the users' own AUCs: weighted by their examples (GAUC), and plain (uAUC). Users with one class only are left out; NaN
    /// when all are.
    /// </summary>
    public static (double Weighted, double Plain) GroupAuc(ReadOnlySpan<ulong> sortedByUser)
    {
        var (sum, weight, plain, users) = (0.0, 0.0, 0.0, 0);
        for (var i = 0; i < sortedByUser.Length;)
        {
            var from = i;
            for (var user = sortedByUser[i] >> 33; i < sortedByUser.Length && sortedByUser[i] >> 33 == user;) i++;
            var auc = Auc(sortedByUser[from..i]);
            if (double.IsNaN(auc)) continue;
            sum += auc * (i - from);
            weight += i - from;
            plain += auc;
            users++;
        }
        return users > 0 ? (sum / weight, plain / users) : (double.NaN, double.NaN);
    }
}
