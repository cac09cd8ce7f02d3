using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Bandits;

/// <summary>What is known of one arm's users: sums over users, of clicks c and impressions n, so that they add up over shards and restarts.</summary>
public readonly record struct ArmSums(string Arm, long Users, double Clicks, double Impressions, double ClicksSquared, double ClicksTimesImpressions, double ImpressionsSquared)
{
    public static ArmSums Empty(string arm) => new(arm, 0, 0, 0, 0, 0, 0);

    /// <summary>Clicks per impression; NaN without any.</summary>
    public double Rate => Clicks / Impressions;

    /// <summary>From the moments of an arm's users.</summary>
    public static ArmSums Of(string arm, UnitMoments users)
    {
        if (users.Count < 2) return new ArmSums(arm, (long)users.Count, users.Sum(0), users.Sum(1), users.Sum(0), users.Sum(0), users.Sum(1));
        return new ArmSums(arm, (long)users.Count, users.Sum(0), users.Sum(1), Product(0, 0), Product(0, 1), Product(1, 1));

        double Product(int i, int j) => users.Covariance(i, j) * (users.Count - 1) + users.Sum(i) * users.Sum(j) / users.Count;
    }

    /// <summary>One more user.</summary>
    public ArmSums Add(double clicks, double impressions) => this with
    {
        Users = Users + 1, Clicks = Clicks + clicks, Impressions = Impressions + impressions, ClicksSquared = ClicksSquared + clicks * clicks,
        ClicksTimesImpressions = ClicksTimesImpressions + clicks * impressions, ImpressionsSquared = ImpressionsSquared + impressions * impressions,
    };

    /// <summary>
    /// Kish's design effect: the variance of the rate, whose impressions come in users (delta method, Deng et al. 2011), over that of as many
    /// independent impressions. At least 1; 1 where there is not enough to tell.
    /// </summary>
    public double DesignEffect
    {
        get
        {
            var r = Rate;
            if (Users < 2 || !(r > 0 && r < 1)) return 1;
            var residuals = ClicksSquared - 2 * r * ClicksTimesImpressions + r * r * ImpressionsSquared;
            var clustered = residuals * Users / (Users - 1) / (Impressions * Impressions);
            return Math.Max(1, clustered / (r * (1 - r) / Impressions));
        }
    }
}
