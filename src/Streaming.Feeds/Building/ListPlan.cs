using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Learning.Interleaving;

namespace Streaming.Feeds.Building;

/// <summary>Settings, arm and surface resolved into what one list is built by.</summary>
internal sealed class ListPlan
{
    public ListPlan(FeedsSettings settings, ArmPolicy arm, SurfaceRule rule)
    {
        Arm = arm;
        Interleaver = arm.Interleaving?.New();
        settings = arm.Settings ?? settings;
        rule = Without(rule, arm.Overrides);
        CandidatesMax = settings.CandidatesMax;
        ListLength = rule.ListLength ?? settings.ListLength;
        SeenMax = rule.SeenMax ?? settings.SeenMax;
        ServedMax = rule.ServedMax ?? settings.ServedMax;
        RepeatClickedAfterMs = rule.RepeatClickedAfterMs ?? settings.RepeatClickedAfterMs;
        Window = arm.Diversifies ? rule.DiversityWindow ?? settings.DiversityWindow : 0;
        WindowMax = rule.DiversityMax ?? settings.DiversityMax;
        Lambda = arm.Diversifies ? (float)settings.MmrLambda : 1f;
        Fusion = GoalFusion.Of(settings);
        Diversity = settings.Diversity == FeedsSettings.DiversityDpp ? Diversity.Dpp : Diversity.Mmr;
        ExploreEvery = arm.Explores ? settings.ExploreEvery : 0;
        Epsilon = settings.ExploreEpsilon;
        SlateShare = arm.Ranks && arm.Interleaving is null ? settings.SlateShare : 0;
        SlateCandidates = settings.SlateCandidatesMax;
        Required = Categories(rule.RequiredCategories);
        Excluded = Categories([.. settings.ExcludedCategories, .. rule.ExcludedCategories]);
        Matched = settings.MatchedAttributes;
        Quotas = new int[FeedChannels.All.Count];
        for (var c = 0; c < Quotas.Length; c++) Quotas[c] = Quota(settings, arm, rule, FeedChannels.All[c]);
    }

    public ArmPolicy Arm { get; }

    /// <summary>The plan's own, with buffers, as plans belong to one builder; null where the arm has no opponent.</summary>
    public IInterleaver? Interleaver { get; }
    public int ListLength { get; }

    /// <summary>Candidates that are ranked at most.</summary>
    public int CandidatesMax { get; }
    public int SeenMax { get; }
    public int ServedMax { get; }
    public long RepeatClickedAfterMs { get; }

    /// <summary>Length of the diversity window; 0 for none.</summary>
    public int Window { get; }
    public int WindowMax { get; }

    /// <summary>Weight of relevance against diversity; 1 for relevance alone.</summary>
    public float Lambda { get; }

    /// <summary>How several goals make one score.</summary>
    public GoalFusion Fusion { get; }

    /// <summary>What keeps items unlike each other.</summary>
    public Diversity Diversity { get; }

    /// <summary>Every k-th slot may explore; 0 for none.</summary>
    public int ExploreEvery { get; }
    public double Epsilon { get; }

    /// <summary>Share of lists whose first <see cref="SlateCandidates"/> items are shuffled.</summary>
    public double SlateShare { get; }
    public int SlateCandidates { get; }
    public ulong[] Required { get; }
    public ulong[] Excluded { get; }

    /// <summary>Attributes that items and users must have in common.</summary>
    public string[] Matched { get; }

    /// <summary>Aligned with <see cref="FeedChannels.All"/>.</summary>
    public int[] Quotas { get; }

    /// <summary>What a surface does otherwise, but where the arm is about just that.</summary>
    private static SurfaceRule Without(SurfaceRule rule, IReadOnlySet<string> own) => own.Count == 0 ? rule : rule with
    {
        Quotas = rule.Quotas.Where(q => !own.Contains($"{nameof(FeedsSettings.Quotas)}:{q.Key}")).ToDictionary(),
        ListLength = own.Contains(nameof(FeedsSettings.ListLength)) ? null : rule.ListLength,
        SeenMax = own.Contains(nameof(FeedsSettings.SeenMax)) ? null : rule.SeenMax,
        ServedMax = own.Contains(nameof(FeedsSettings.ServedMax)) ? null : rule.ServedMax,
        RepeatClickedAfterMs = own.Contains(nameof(FeedsSettings.RepeatClickedAfterMs)) ? null : rule.RepeatClickedAfterMs,
        DiversityWindow = own.Contains(nameof(FeedsSettings.DiversityWindow)) ? null : rule.DiversityWindow,
        DiversityMax = own.Contains(nameof(FeedsSettings.DiversityMax)) ? null : rule.DiversityMax,
    };

    private static int Quota(FeedsSettings settings, ArmPolicy arm, SurfaceRule rule, string channel)
    {
        if (arm.Quotas is not null) return arm.Quotas.GetValueOrDefault(channel);
        return rule.Quotas.TryGetValue(channel, out var own) ? own : settings.Quotas.GetValueOrDefault(channel);
    }

    private static ulong[] Categories(string[] names) => [.. names.Select(InterestKey.Category)];
}

/// <summary>
/// The plans of all arms and surfaces; a surface without a rule has the default plan. Those of arms that come and go are made when first
/// asked for, and forgotten when policies change.
/// </summary>
internal sealed class ListPlans
{
    /// <summary>Arms beyond the fixed ones whose plans are kept; when there are more, all are made again.</summary>
    internal const int MadeMax = 1024;

    private readonly FeedsSettings _settings;
    private readonly IArmPolicies? _policies;
    private readonly Dictionary<string, Plans> _arms = [];
    private readonly Dictionary<string, Plans> _made = [];
    private long _generation;

    private sealed record Plans(ListPlan Default, Dictionary<string, ListPlan> BySurface);

    /// <param name="settings">Of arms without their own.</param>
    /// <param name="arms">Fixed ones.</param>
    /// <param name="policies">All others; null where there are none.</param>
    public ListPlans(FeedsSettings settings, IEnumerable<ArmPolicy> arms, IArmPolicies? policies = null)
    {
        (_settings, _policies) = (settings, policies);
        foreach (var arm in arms)
            if (!_arms.TryAdd(arm.Name, PlansOf(arm))) throw new ArgumentException($"two arms are named '{arm.Name}'", nameof(arms));
    }

    /// <summary>Of the fixed arms.</summary>
    public IEnumerable<ListPlan> All => _arms.Values.SelectMany(a => a.BySurface.Values.Append(a.Default));

    /// <summary>Arms that come and go whose plans are kept now.</summary>
    public int Made => _made.Count;

    /// <summary>Null where the arm is one of those that come and go, and has gone.</summary>
    /// <exception cref="ArgumentException">No policy has this arm's name, and none can come.</exception>
    public ListPlan? Of(string arm, string surface)
    {
        Plans? plans = null;
        if ((_policies?.Replaces(arm) == true || !_arms.TryGetValue(arm, out plans)) && (plans = Make(arm)) is null) return null;
        return plans.BySurface.TryGetValue(surface, out var plan) ? plan : plans.Default;
    }

    private Plans? Make(string arm)
    {
        if (_policies is null) throw new ArgumentException($"there is no arm '{arm}'; there are {string.Join(", ", _arms.Keys)}", nameof(arm));
        if (_generation != _policies.Generation) _made.Clear();
        _generation = _policies.Generation;
        if (_made.TryGetValue(arm, out var plans)) return plans;
        if (_made.Count >= MadeMax) _made.Clear();
        return _policies.Of(arm) is { } policy ? _made[arm] = PlansOf(policy) : null;
    }

    private Plans PlansOf(ArmPolicy arm) => new(
        new ListPlan(_settings, arm, new SurfaceRule()), _settings.Surfaces.ToDictionary(s => s.Key, s => new ListPlan(_settings, arm, s.Value)));
}
