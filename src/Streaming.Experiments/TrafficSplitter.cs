using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments;

/// <summary>
/// Assigns every user to an arm by a salted hash: the same user gets the same arm on every node and after every restart, without
/// a look-up. Bucket b = StableHash(salt, user) mod 10,000; buckets below 10,000 x HoldoutShare are the hold-out.
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

    /// <summary>The user's bucket, in [0, <see cref="Buckets"/>).</summary>
    public int BucketOf(string user) => (int)(StableHash.Combine(_salt, StableHash.Of(user)) % Buckets);

    /// <summary><see cref="Holdout"/> or <see cref="Learned"/>.</summary>
    public string ArmOf(string user) => BucketOf(user) < _holdoutBuckets ? Holdout : Learned;
}
