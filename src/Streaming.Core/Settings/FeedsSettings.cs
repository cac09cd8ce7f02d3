using Streaming.Core.Feeds;

namespace Streaming.Core.Settings;

/// <summary>Recall, filters, ranking and re-ranking.</summary>
public sealed record FeedsSettings
{
    private const int MatchedAttributesMax = 8;

    /// <summary>Slots of a built list.</summary>
    [Tunable]
    public int ListLength { get; init; } = 50;

    /// <summary>Candidates that are ranked at most, after filters.</summary>
    public int CandidatesMax { get; init; } = 100;

    /// <summary>Candidates wanted of each recall channel after filters; 0 switches a channel off.</summary>
    [Tunable]
    public Dictionary<string, int> Quotas { get; init; } = new()
    {
        [FeedChannels.Popular] = 40, [FeedChannels.Trending] = 20, [FeedChannels.ItemCf] = 50, [FeedChannels.Embedding] = 40,
        [FeedChannels.Interest] = 30, [FeedChannels.Author] = 15, [FeedChannels.Fresh] = 15,
        [FeedChannels.Transition] = 20,
    };

    /// <summary>A channel is asked for this multiple of its quota, so that filters leave enough.</summary>
    public double RecallOverfetch { get; init; } = 1.5;

    /// <summary>Seed of exploration draws.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Half-life of popularity, ms.</summary>
    public long PopularHalfLifeMs { get; init; } = 24L * 3_600_000;

    /// <summary>Half-life of the recent activity that trending sets against popularity, ms; shorter than <see cref="PopularHalfLifeMs"/>.</summary>
    public long TrendingHalfLifeMs { get; init; } = 3_600_000;

    /// <summary>Clicks that a catalogued item is credited with at its birth, so that a cold catalogue lists the newest first.</summary>
    public double PopularPriorWeight { get; init; } = 1e-3;

    /// <summary>Length of the overall, trending and per-surface lists kept.</summary>
    public int PopularTopMax { get; init; } = 512;

    /// <summary>Length of each tag's, category's and author's posting list.</summary>
    public int PostingsMax { get; init; } = 128;

    /// <summary>Items with a popularity; beyond, the least popular eighth is forgotten.</summary>
    public int PopularItemsMax { get; init; } = 200_000;

    /// <summary>Surfaces with a popularity of their own; later ones share the overall one.</summary>
    public int PopularSurfacesMax { get; init; } = 32;

    /// <summary>Tags and categories, and as many authors, with a posting list; beyond, the least popular eighth is forgotten.</summary>
    public int PostingListsMax { get; init; } = 20_000;

    /// <summary>Alpha of ItemCF's popularity penalty: 0.5 is cosine, 1 punishes popular neighbours most.</summary>
    public double ItemCfAlpha { get; init; } = 0.5;

    /// <summary>Neighbours kept per item.</summary>
    public int ItemCfNeighboursMax { get; init; } = 64;

    /// <summary>Items with neighbours; beyond, the eighth that was acted upon longest ago is forgotten.</summary>
    public int ItemCfItemsMax { get; init; } = 100_000;

    /// <summary>Factor per step back in the user's recent items, in learning and in recall.</summary>
    public double RecentDecay { get; init; } = 0.9;

    /// <summary>The user's recent positive items that recall starts from.</summary>
    public int SeedsMax { get; init; } = 20;

    /// <summary>Half-life of transitions from one item to the next, ms.</summary>
    public long TransitionHalfLifeMs { get; init; } = 3L * 3_600_000;

    /// <summary>Followers kept per item.</summary>
    public int TransitionFollowersMax { get; init; } = 64;

    /// <summary>Items with followers; beyond, the eighth that was left longest ago is forgotten.</summary>
    public int TransitionItemsMax { get; init; } = 100_000;

    /// <summary>Items in the vector index, and thus scanned per list; beyond, those touched longest ago leave it.</summary>
    public int EmbeddingScanMax { get; init; } = 20_000;

    /// <summary>Items in the index of a model that recalls by vectors; beyond, those whose vector was computed longest ago leave it.</summary>
    public int IndexItemsMax { get; init; } = 1_000_000;

    /// <summary>Items of that index up to which recall scans all of them; beyond, it walks a graph (HNSW). <c>bench index</c> measures where one overtakes the other.</summary>
    public int IndexExactMax { get; init; } = 5000;

    /// <summary>Neighbours of an item in the graph; twice as many on its lowest layer.</summary>
    public int IndexM { get; init; } = 16;

    /// <summary>Candidates kept while an item's place in the graph is sought.</summary>
    public int IndexEfConstruction { get; init; } = 128;

    /// <summary>Candidates kept while the graph is searched: more find more and take longer.</summary>
    public int IndexEfSearch { get; init; } = 96;

    /// <summary>Item vectors computed anew per refresh at most: new and touched items first, then the stalest.</summary>
    public int IndexRefreshMax { get; init; } = 1000;

    /// <summary>The user's strongest tags and categories that recall looks up.</summary>
    public int InterestTopMax { get; init; } = 8;

    /// <summary>Authors of recent items that recall looks up.</summary>
    public int AuthorTopMax { get; init; } = 5;

    /// <summary>Age below which an item is fresh, ms.</summary>
    public long FreshAgeMs { get; init; } = 24L * 3_600_000;

    /// <summary>Impressions after which an item needs no more exploration.</summary>
    public int FreshImpressionsMax { get; init; } = 50;

    /// <summary>Fresh items tracked at most, newest kept.</summary>
    public int FreshItemsMax { get; init; } = 2048;

    /// <summary>Fresh items considered per list, newest first: the pool from which exploration draws.</summary>
    public int FreshPoolMax { get; init; } = 64;

    /// <summary>Weight of the uncertainty in the fresh channel's upper confidence bound.</summary>
    public double FreshUcb { get; init; } = 0.1;

    /// <summary>Every k-th slot may explore; 0 never explores.</summary>
    [Tunable]
    public int ExploreEvery { get; init; } = 5;

    /// <summary>Probability with which such a slot explores, in [0, 1].</summary>
    [Tunable]
    public double ExploreEpsilon { get; init; } = 0.5;

    /// <summary>
    /// Share of lists, in [0, 1], whose first <see cref="SlateCandidatesMax"/> items stand in an order drawn at random: what off-policy estimates
    /// of other rankings rest on. Lists of two rankings and of arms that do not rank are never drawn.
    /// </summary>
    [Tunable]
    public double SlateShare { get; init; }

    /// <summary>Items of such a list that change places: each of them can be first with the same probability, and the log holds them all.</summary>
    public int SlateCandidatesMax { get; init; } = 8;

    /// <summary>An item seen this often without a click leaves the list; 0 means never.</summary>
    [Tunable]
    public int SeenMax { get; init; } = 5;

    /// <summary>An item served this often leaves the list; 0 means never.</summary>
    [Tunable]
    public int ServedMax { get; init; } = 20;

    /// <summary>Time after which a clicked item may come back, ms; -1 means never.</summary>
    [Tunable]
    public long RepeatClickedAfterMs { get; init; } = -1;

    /// <summary>Items of these categories are never listed.</summary>
    public string[] ExcludedCategories { get; init; } = [];

    /// <summary>
    /// Attributes that must match: an item that has one of them, as "nl" or "nl|de", is listed only for users whose profile has the same attribute with one
    /// of these values, and in no popular list. Items without the attribute are for everybody.
    /// </summary>
    public string[] MatchedAttributes { get; init; } = [];

    /// <summary>Any so many consecutive slots hold at most <see cref="DiversityMax"/> items of one category or author; 0 switches it off.</summary>
    [Tunable]
    public int DiversityWindow { get; init; } = 8;

    /// <summary>See <see cref="DiversityWindow"/>.</summary>
    [Tunable]
    public int DiversityMax { get; init; } = 4;

    /// <summary>Weight of relevance against diversity, in [0, 1], in whatever <see cref="Diversity"/> names; 1 switches it off.</summary>
    [Tunable]
    public double MmrLambda { get; init; } = 0.9;

    /// <summary>Maximal marginal relevance.</summary>
    public const string DiversityMmr = "mmr";

    /// <summary>Determinantal point process.</summary>
    public const string DiversityDpp = "dpp";

    /// <summary>All values of <see cref="Diversity"/>.</summary>
    public static IReadOnlyList<string> Diversities { get; } = [DiversityMmr, DiversityDpp];

    /// <summary>What keeps the items of a list unlike each other: <see cref="DiversityMmr"/> or <see cref="DiversityDpp"/>.</summary>
    [Tunable]
    public string Diversity { get; init; } = DiversityMmr;

    /// <summary>The sum over goals of w_k p_k.</summary>
    public const string FusionAdditive = "additive";

    /// <summary>The product over goals of p_k^w_k.</summary>
    public const string FusionMultiplicative = "multiplicative";

    /// <summary>How a ranker of several goals makes one score of their probabilities: <see cref="FusionAdditive"/> or <see cref="FusionMultiplicative"/>.</summary>
    [Tunable]
    public string GoalFusion { get; init; } = FusionAdditive;

    /// <summary>
    /// w_k of the goal of that name, at least 0: <see cref="Events.Goals.Positive"/> or one of <see cref="UsersSettings.Goals"/>. Those not named have the weight of
    /// their action, the first goal 1.
    /// </summary>
    [Tunable]
    public Dictionary<string, double> GoalWeights { get; init; } = [];

    /// <summary>Lists remembered per user, to tie impressions to them.</summary>
    public int ListsRememberedMax { get; init; } = 8;

    /// <summary>Segments (tag or category, by surface) whose popular list is kept ready for unknown users.</summary>
    public int SegmentsMax { get; init; } = 500;

    /// <summary>A segment list is rebuilt at this age even when nothing changed, so that expired items leave it, ms.</summary>
    public long SegmentRefreshMs { get; init; } = 60_000;

    /// <summary>Overrides per surface.</summary>
    public Dictionary<string, SurfaceRule> Surfaces { get; init; } = [];

    public void Validate(SettingsProblems problems)
    {
        if (problems.InRange("Feeds:ListLength", ListLength, 1, 1000) & problems.InRange("Feeds:CandidatesMax", CandidatesMax, 1, 10_000)
            && CandidatesMax < ListLength) problems.Add("Feeds:CandidatesMax", $"is {CandidatesMax}, less than Feeds:ListLength ({ListLength})");
        problems.InRange("Feeds:RecallOverfetch", RecallOverfetch, 1, 100);
        ValidateQuotas(problems, "Feeds:Quotas", Quotas);
        ValidateChannels(problems);
        ValidateExploration(problems);
        problems.InRange("Feeds:SeenMax", SeenMax, 0, 1_000_000);
        problems.InRange("Feeds:ServedMax", ServedMax, 0, 1_000_000);
        problems.InRange("Feeds:RepeatClickedAfterMs", RepeatClickedAfterMs, -1, 86_400_000L * 36_500);
        problems.InRange("Feeds:DiversityWindow", DiversityWindow, 0, 1000);
        problems.InRange("Feeds:DiversityMax", DiversityMax, 1, 1000);
        problems.InRange("Feeds:MmrLambda", MmrLambda, 0, 1);
        if (GoalFusion is not (FusionAdditive or FusionMultiplicative))
            problems.Add("Feeds:GoalFusion", $"is '{GoalFusion}'; allowed are '{FusionAdditive}' and '{FusionMultiplicative}'");
        foreach (var (goal, weight) in GoalWeights) problems.InRange($"Feeds:GoalWeights:{goal}", weight, 0, 1000);
        if (!Diversities.Contains(Diversity)) problems.Add("Feeds:Diversity", $"is '{Diversity}'; allowed are '{DiversityMmr}' and '{DiversityDpp}'");
        problems.InRange("Feeds:ListsRememberedMax", ListsRememberedMax, 1, 1000);
        problems.InRange("Feeds:SegmentsMax", SegmentsMax, 1, 100_000);
        problems.InRange("Feeds:SegmentRefreshMs", SegmentRefreshMs, 1, 86_400_000);
        if (MatchedAttributes.Length > MatchedAttributesMax) problems.Add("Feeds:MatchedAttributes", $"has {MatchedAttributes.Length} names; allowed are {MatchedAttributesMax}");
        for (var i = 0; i < MatchedAttributes.Length; i++)
            if (MatchedAttributes[i].Length == 0) problems.Add($"Feeds:MatchedAttributes:{i}", "is empty");
        foreach (var (surface, rule) in Surfaces) rule.Validate(problems, $"Feeds:Surfaces:{surface}", CandidatesMax);
    }

    internal static void ValidateQuotas(SettingsProblems problems, string path, Dictionary<string, int> quotas)
    {
        foreach (var (channel, quota) in quotas)
        {
            if (!FeedChannels.All.Contains(channel))
                problems.Add($"{path}:{channel}", $"is no recall channel; there are {string.Join(", ", FeedChannels.All)}");
            problems.InRange($"{path}:{channel}", quota, 0, 10_000);
        }
    }

    private void ValidateChannels(SettingsProblems problems)
    {
        if (problems.InRange("Feeds:PopularHalfLifeMs", PopularHalfLifeMs, 1_000, 86_400_000L * 3650)
            & problems.InRange("Feeds:TrendingHalfLifeMs", TrendingHalfLifeMs, 1_000, 86_400_000L * 3650)
            && TrendingHalfLifeMs >= PopularHalfLifeMs) problems.Add("Feeds:TrendingHalfLifeMs", "must be shorter than Feeds:PopularHalfLifeMs");
        problems.InRange("Feeds:PopularPriorWeight", PopularPriorWeight, 1e-9, 1e6);
        problems.InRange("Feeds:PopularTopMax", PopularTopMax, 1, 100_000);
        problems.InRange("Feeds:PostingsMax", PostingsMax, 1, 10_000);
        problems.InRange("Feeds:PopularItemsMax", PopularItemsMax, 8, 100_000_000);
        problems.InRange("Feeds:PopularSurfacesMax", PopularSurfacesMax, 0, 10_000);
        problems.InRange("Feeds:PostingListsMax", PostingListsMax, 8, 10_000_000);
        problems.InRange("Feeds:ItemCfAlpha", ItemCfAlpha, 0, 1);
        problems.InRange("Feeds:ItemCfNeighboursMax", ItemCfNeighboursMax, 1, 10_000);
        problems.InRange("Feeds:ItemCfItemsMax", ItemCfItemsMax, 8, 100_000_000);
        problems.InRange("Feeds:TransitionHalfLifeMs", TransitionHalfLifeMs, 1_000, 86_400_000L * 3650);
        problems.InRange("Feeds:TransitionFollowersMax", TransitionFollowersMax, 1, 10_000);
        problems.InRange("Feeds:TransitionItemsMax", TransitionItemsMax, 8, 100_000_000);
        problems.InRange("Feeds:RecentDecay", RecentDecay, 0.01, 1);
        problems.InRange("Feeds:SeedsMax", SeedsMax, 1, 100);
        problems.InRange("Feeds:EmbeddingScanMax", EmbeddingScanMax, 1, 10_000_000);
        problems.InRange("Feeds:IndexItemsMax", IndexItemsMax, 1, 100_000_000);
        problems.InRange("Feeds:IndexExactMax", IndexExactMax, 0, 100_000_000);
        problems.InRange("Feeds:IndexM", IndexM, 2, 128);
        problems.InRange("Feeds:IndexEfConstruction", IndexEfConstruction, 1, 4096);
        problems.InRange("Feeds:IndexEfSearch", IndexEfSearch, 1, 4096);
        problems.InRange("Feeds:IndexRefreshMax", IndexRefreshMax, 1, 1_000_000);
        problems.InRange("Feeds:InterestTopMax", InterestTopMax, 1, 200);
        problems.InRange("Feeds:AuthorTopMax", AuthorTopMax, 1, 100);
    }

    private void ValidateExploration(SettingsProblems problems)
    {
        problems.InRange("Feeds:FreshAgeMs", FreshAgeMs, 0, 86_400_000L * 3650);
        problems.InRange("Feeds:FreshImpressionsMax", FreshImpressionsMax, 1, 1_000_000_000);
        problems.InRange("Feeds:FreshItemsMax", FreshItemsMax, 1, 1_000_000);
        problems.InRange("Feeds:FreshPoolMax", FreshPoolMax, 1, 10_000);
        problems.InRange("Feeds:FreshUcb", FreshUcb, 0, 100);
        problems.InRange("Feeds:ExploreEvery", ExploreEvery, 0, 1000);
        problems.InRange("Feeds:ExploreEpsilon", ExploreEpsilon, 0, 1);
        problems.InRange("Feeds:SlateShare", SlateShare, 0, 1);
        problems.InRange("Feeds:SlateCandidatesMax", SlateCandidatesMax, 2, 64);
    }
}

/// <summary>What one surface does otherwise than <see cref="FeedsSettings"/>; what is null stays as it is there.</summary>
public sealed record SurfaceRule
{
    /// <summary>Quotas of single channels; channels not named keep theirs.</summary>
    public Dictionary<string, int> Quotas { get; init; } = [];

    public int? ListLength { get; init; }
    public int? SeenMax { get; init; }
    public int? ServedMax { get; init; }
    public long? RepeatClickedAfterMs { get; init; }
    public int? DiversityWindow { get; init; }
    public int? DiversityMax { get; init; }

    /// <summary>Where not empty, only items of at least one of these categories are listed.</summary>
    public string[] RequiredCategories { get; init; } = [];

    /// <summary>In addition to <see cref="FeedsSettings.ExcludedCategories"/>.</summary>
    public string[] ExcludedCategories { get; init; } = [];

    public void Validate(SettingsProblems problems, string path, int candidatesMax)
    {
        FeedsSettings.ValidateQuotas(problems, $"{path}:Quotas", Quotas);
        if (ListLength is { } length) problems.InRange($"{path}:ListLength", length, 1, candidatesMax);
        if (SeenMax is { } seen) problems.InRange($"{path}:SeenMax", seen, 0, 1_000_000);
        if (ServedMax is { } served) problems.InRange($"{path}:ServedMax", served, 0, 1_000_000);
        if (RepeatClickedAfterMs is { } after) problems.InRange($"{path}:RepeatClickedAfterMs", after, -1, long.MaxValue);
        if (DiversityWindow is { } window) problems.InRange($"{path}:DiversityWindow", window, 0, 1000);
        if (DiversityMax is { } max) problems.InRange($"{path}:DiversityMax", max, 1, 1000);
    }
}
