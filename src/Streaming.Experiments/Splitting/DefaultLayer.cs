using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments.Splitting;

/// <summary>What settings alone split: the popular-only hold-out, arms with a share of their own, and everybody else.</summary>
internal sealed class DefaultLayer
{
    /// <summary>Index of <see cref="TrafficSplitter.Learned"/> in <see cref="Names"/>.</summary>
    public const int LearnedArm = 0;

    /// <summary>Index of <see cref="TrafficSplitter.Holdout"/> in <see cref="Names"/>.</summary>
    public const int HoldoutArm = 1;

    public const int Buckets = TrafficSplitter.Buckets;

    private readonly ulong _salt;
    private readonly int _holdoutBuckets;
    private readonly int[] _armBuckets;

    public DefaultLayer(ExperimentsSettings settings)
    {
        _salt = StableHash.Of(settings.Salt);
        _holdoutBuckets = (int)Math.Round(settings.HoldoutShare * Buckets);
        var arms = settings.ArmShares.OrderBy(a => a.Key, StringComparer.Ordinal).ToList();
        Names = [TrafficSplitter.Learned, TrafficSplitter.Holdout, .. arms.Select(a => a.Key)];
        _armBuckets = [.. arms.Select(a => (int)Math.Round(a.Value * Buckets))];
    }

    /// <summary>Of the arms, by index.</summary>
    public string[] Names { get; }

    /// <param name="user">The hash of the user's id.</param>
    public int BucketOf(ulong user) => SplitSnapshot.Bucket(_salt, user, Buckets);

    /// <summary>An index into <see cref="Names"/>.</summary>
    public int ArmAt(ulong user)
    {
        var bucket = BucketOf(user);
        if (bucket < _holdoutBuckets) return HoldoutArm;
        var fromTop = Buckets - 1 - bucket;
        for (var i = 0; i < _armBuckets.Length; i++)
        {
            if (fromTop < _armBuckets[i]) return i + 2;
            fromTop -= _armBuckets[i];
        }
        return LearnedArm;
    }
}
