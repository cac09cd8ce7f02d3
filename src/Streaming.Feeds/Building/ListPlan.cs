using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Feeds.Building;

/// <summary>Settings, arm and surface resolved into what one list is built by.</summary>
internal sealed class ListPlan
{
    public ListPlan(FeedsSettings settings, ArmPolicy arm, SurfaceRule rule)
    {
        Arm = arm;
        ListLength = rule.ListLength ?? settings.ListLength;
        SeenMax = rule.SeenMax ?? settings.SeenMax;
        ServedMax = rule.ServedMax ?? settings.ServedMax;
        RepeatClickedAfterMs = rule.RepeatClickedAfterMs ?? settings.RepeatClickedAfterMs;
        Window = arm.Diversifies ? rule.DiversityWindow ?? settings.DiversityWindow : 0;
        WindowMax = rule.DiversityMax ?? settings.DiversityMax;
        Lambda = arm.Diversifies ? (float)settings.MmrLambda : 1f;
        ExploreEvery = arm.Explores ? settings.ExploreEvery : 0;
        Epsilon = settings.ExploreEpsilon;
        Required = Categories(rule.RequiredCategories);
        Excluded = Categories([.. settings.ExcludedCategories, .. rule.ExcludedCategories]);
        Quotas = new int[FeedChannels.All.Count];
        for (var c = 0; c < Quotas.Length; c++) Quotas[c] = Quota(settings, arm, rule, FeedChannels.All[c]);
    }

    public ArmPolicy Arm { get; }
    public int ListLength { get; }
    public int SeenMax { get; }
    public int ServedMax { get; }
    public long RepeatClickedAfterMs { get; }

    /// <summary>Length of the diversity window; 0 for none.</summary>
    public int Window { get; }
    public int WindowMax { get; }

    /// <summary>MMR's weight of relevance; 1 for no MMR.</summary>
    public float Lambda { get; }

    /// <summary>Every k-th slot may explore; 0 for none.</summary>
    public int ExploreEvery { get; }
    public double Epsilon { get; }
    public ulong[] Required { get; }
    public ulong[] Excluded { get; }

    /// <summary>Aligned with <see cref="FeedChannels.All"/>.</summary>
    public int[] Quotas { get; }

    private static int Quota(FeedsSettings settings, ArmPolicy arm, SurfaceRule rule, string channel)
    {
        if (arm.Quotas is not null) return arm.Quotas.GetValueOrDefault(channel);
        return rule.Quotas.TryGetValue(channel, out var own) ? own : settings.Quotas.GetValueOrDefault(channel);
    }

    private static ulong[] Categories(string[] names) => [.. names.Select(InterestKey.Category)];
}

/// <summary>The plans of all arms and surfaces; a surface without a rule has the default plan.</summary>
internal sealed class ListPlans
{
    private readonly Dictionary<string, (ListPlan Default, Dictionary<string, ListPlan> BySurface)> _arms = [];

    public ListPlans(FeedsSettings settings, IEnumerable<ArmPolicy> arms)
    {
        foreach (var arm in arms)
        {
            var bySurface = settings.Surfaces.ToDictionary(s => s.Key, s => new ListPlan(settings, arm, s.Value));
            if (!_arms.TryAdd(arm.Name, (new ListPlan(settings, arm, new SurfaceRule()), bySurface)))
                throw new ArgumentException($"two arms are named '{arm.Name}'", nameof(arms));
        }
    }

    public IEnumerable<ListPlan> All => _arms.Values.SelectMany(a => a.BySurface.Values.Append(a.Default));

    /// <exception cref="ArgumentException">No policy has this arm's name.</exception>
    public ListPlan Of(string arm, string surface)
    {
        if (!_arms.TryGetValue(arm, out var plans))
            throw new ArgumentException($"there is no arm '{arm}'; there are {string.Join(", ", _arms.Keys)}", nameof(arm));
        return plans.BySurface.TryGetValue(surface, out var plan) ? plan : plans.Default;
    }
}
