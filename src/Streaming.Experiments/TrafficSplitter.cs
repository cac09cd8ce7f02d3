using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments;

/// <summary>
/// Assigns every user to an arm by a salted hash: the same user gets the same arm on every node and after every restart, without
/// a look-up. Bucket b = StableHash(salt, user) mod 10,000; buckets below 10,000 x HoldoutShare are the hold-out, those from the top
/// down belong to the arms with a share of their own, in the order of their names, and the rest is the learned arm.
/// </summary>
public sealed class TrafficSplitter(ExperimentsSettings settings)
{
    /// <summary>The arm of everything learned.</summary>
    public const string Learned = "learned";

    /// <summary>The popular-only hold-out: what the feed would be worth without learning.</summary>
    public const string Holdout = "holdout";

    public const int Buckets = 10_000;

    private readonly ulong _salt = StableHash.Of(settings.Salt);
    private readonly int _holdoutBuckets = (int)Math.Round(settings.HoldoutShare * Buckets);
    private readonly (string Arm, int Buckets)[] _arms =
        [.. settings.ArmShares.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => (a.Key, (int)Math.Round(a.Value * Buckets)))];

    /// <summary>The user's bucket, in [0, <see cref="Buckets"/>).</summary>
    public int BucketOf(string user) => (int)(StableHash.Combine(_salt, StableHash.Of(user)) % Buckets);

    /// <summary><see cref="Holdout"/>, <see cref="Learned"/>, or an arm of <see cref="ExperimentsSettings.ArmShares"/>.</summary>
    public string ArmOf(string user)
    {
        var bucket = BucketOf(user);
        if (bucket < _holdoutBuckets) return Holdout;
        var fromTop = Buckets - 1 - bucket;
        foreach (var (arm, buckets) in _arms)
        {
            if (fromTop < buckets) return arm;
            fromTop -= buckets;
        }
        return Learned;
    }
}
