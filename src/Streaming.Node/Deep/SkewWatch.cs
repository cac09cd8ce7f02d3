using Streaming.Core.Feeds;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;

namespace Streaming.Node.Deep;

/// <summary>Lists of this process that a mismatched pair of versions has made, by kind.</summary>
/// <param name="UserIndex">See <see cref="SkewKind.UserIndex"/>.</param>
/// <param name="RecallRanker">See <see cref="SkewKind.RecallRanker"/>.</param>
/// <param name="RankerEmbeddings">See <see cref="SkewKind.RankerEmbeddings"/>.</param>
/// <param name="Lists">Lists looked at: all but those that no model has made.</param>
public sealed record SkewCounts(long UserIndex, long RecallRanker, long RankerEmbeddings, long Lists);

/// <summary>How far a model has come.</summary>
/// <param name="Version">0 for none yet.</param>
/// <param name="NewestMs">Event time of the newest example in it, Unix ms; 0 where that is not known.</param>
internal readonly record struct ModelStamp(long Version, long NewestMs);

/// <summary>The deep models that make an arm's lists; an arm with several that recall stands there once for each.</summary>
/// <param name="Arm">Its name.</param>
/// <param name="Recall">The model that recalls for it; null where none does.</param>
/// <param name="Index">The version that computed the stalest vector of that model's index.</param>
/// <param name="Ranker">Its ranker; null for the live one.</param>
internal sealed record ArmModels(string Arm, Func<ModelStamp>? Recall, Func<long>? Index, Func<ModelStamp>? Ranker);

/// <summary>
/// Counts the lists that versions have made which do not go together. Models stand still while lists are built, so whether a pair is mismatched is
/// decided once a round for each arm, and counted for every list of it. The versions themselves stand in the list.
/// <list type="bullet">
/// <item><see cref="SkewKind.UserIndex"/>: the user's vector is computed by the tower in force when the list is built; the vectors of the index were
/// computed one after the other, some by earlier versions. Mismatched: the stalest of them is of another version than the one in force
/// ("two_tower:17 two_tower.index:12" in the list). With at most <c>Feeds:IndexRefreshMax</c> items every round computes all of them, and there is no
/// such list. The vectors of the live matrix factorisation have no versions: rows that change are copied into its index within the round.</item>
/// <item><see cref="SkewKind.RecallRanker"/>: the tower that found the candidates and the ranker that ordered them learn apart, and count their own
/// mini-batches, so they are compared by event time. Mismatched: the newest examples in the two are more than <c>Deep:SkewMsMax</c> apart. A model
/// without a version yet finds and ranks nothing, and is no pair.</item>
/// <item><see cref="SkewKind.RankerEmbeddings"/>: the live ranker reads the logit of the matrix factorisation among its features, as captured when the
/// item was shown ("ftrl:812 mf:812"). Mismatched: the two have learned different numbers of examples. Both learn in the round, so only a damaged or a
/// foreign checkpoint brings this about.</item>
/// </list>
/// </summary>
internal sealed class SkewWatch
{
    private static readonly SkewKind[] Kinds = Enum.GetValues<SkewKind>();

    private readonly IReadOnlyList<ArmModels> _arms;
    private readonly Func<(long Ranker, long Factors)> _counts;
    private readonly Func<long> _liveNewestMs;
    private readonly int _skewMsMax;
    private readonly long[] _lists = new long[Kinds.Length + 1];
    private readonly long[] _published = new long[Kinds.Length];

    /// <summary>By arm: a bit for each kind that its lists have now. Replaced whole, read by the shards.</summary>
    private Dictionary<string, int> _now = [];

    /// <param name="arms">Arms whose lists models make.</param>
    /// <param name="counts">Examples in the live ranker, and in the matrix factorisation.</param>
    /// <param name="liveNewestMs">Event time of the newest example in the live ranker; 0 where that is not known.</param>
    /// <param name="skewMsMax"><c>Deep:SkewMsMax</c>.</param>
    public SkewWatch(IReadOnlyList<ArmModels> arms, Func<(long Ranker, long Factors)> counts, Func<long> liveNewestMs, int skewMsMax) =>
        (_arms, _counts, _liveNewestMs, _skewMsMax) = (arms, counts, liveNewestMs, skewMsMax);

    /// <summary>What makes the lists of these arms.</summary>
    public static IReadOnlyList<ArmModels> ModelsOf(IEnumerable<ArmPolicy> arms, DeepServing? deep, FeedsSettings feeds)
    {
        bool IsForEverybody(string channel) =>
            feeds.Quotas.GetValueOrDefault(channel) > 0 || feeds.Surfaces.Values.Any(s => s.Quotas.GetValueOrDefault(channel) > 0);
        var models = new List<ArmModels>();
        foreach (var arm in arms)
        {
            if (!arm.Ranks) continue;
            Func<ModelStamp>? ranker = arm.Ranker is null || deep?.Has(arm.Name) != true ? null : () => deep.StampOf(arm.Name);
            var recall = (deep?.Retrieval ?? []).Where(c => arm.Quotas is { } own ? own.GetValueOrDefault(c.Name) > 0 : IsForEverybody(c.Name)).ToList();
            if (recall.Count == 0) models.Add(new ArmModels(arm.Name, null, null, ranker));
            foreach (var channel in recall) models.Add(new ArmModels(arm.Name, () => deep!.StampOf(channel.Name), () => channel.OldestVersion, ranker));
        }
        return models;
    }

    public SkewCounts Counts => new(Read((int)SkewKind.UserIndex), Read((int)SkewKind.RecallRanker), Read((int)SkewKind.RankerEmbeddings), Read(Kinds.Length));

    /// <summary>Looks at the versions in force, and publishes what was counted; between rounds.</summary>
    public void Refresh()
    {
        var now = new Dictionary<string, int>(_arms.Count, StringComparer.Ordinal);
        foreach (var arm in _arms) now[arm.Arm] = now.GetValueOrDefault(arm.Arm) | Mismatches(arm);
        Volatile.Write(ref _now, now);
        foreach (var kind in Kinds)
        {
            var (counted, before) = (Read((int)kind), _published[(int)kind]);
            if (counted > before) StreamingMeters.CountVersionSkew(kind, counted - before);
            _published[(int)kind] = counted;
        }
    }

    /// <summary>Counts one list; any thread.</summary>
    public void Count(string arm)
    {
        if (!Volatile.Read(ref _now).TryGetValue(arm, out var mismatches)) return;
        Interlocked.Increment(ref _lists[Kinds.Length]);
        foreach (var kind in Kinds)
            if ((mismatches & (1 << (int)kind)) != 0) Interlocked.Increment(ref _lists[(int)kind]);
    }

    private long Read(int at) => Interlocked.Read(ref _lists[at]);

    private int Mismatches(ArmModels arm)
    {
        var found = 0;
        void Note(SkewKind kind, bool isMismatch) => found |= isMismatch ? 1 << (int)kind : 0;
        var ranker = arm.Ranker?.Invoke() ?? default;
        // A deep ranker without a version leaves its lists to the live one.
        var isLive = ranker.Version == 0;
        if (isLive) Note(SkewKind.RankerEmbeddings, _counts() is var (count, factors) && count != factors);
        if (arm.Recall?.Invoke() is not { Version: > 0 } recall) return found;
        Note(SkewKind.UserIndex, arm.Index!() != recall.Version);
        var newestMs = isLive ? _liveNewestMs() : ranker.NewestMs;
        Note(SkewKind.RecallRanker, newestMs > 0 && recall.NewestMs > 0 && Math.Abs(newestMs - recall.NewestMs) > _skewMsMax);
        return found;
    }
}
