using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Learning.Interleaving;

namespace Streaming.Feeds.Building;

/// <summary>What an experiment's arm does when it builds a list.</summary>
public sealed record ArmPolicy
{
    /// <summary>The arm's name, as assigned to users and written into lists and examples.</summary>
    public required string Name { get; init; }

    /// <summary>Where set, these quotas replace all others: channels not named are off, and no surface overrides them.</summary>
    public IReadOnlyDictionary<string, int>? Quotas { get; init; }

    /// <summary>Whether a ranker orders the candidates; else they keep the order in which recall found them.</summary>
    public bool Ranks { get; init; } = true;

    /// <summary>Whether diversity windows and MMR re-order the ranked list.</summary>
    public bool Diversifies { get; init; } = true;

    /// <summary>Whether slots explore fresh items.</summary>
    public bool Explores { get; init; } = true;

    /// <summary>The arm's own ranker, or null for the builder's. Shards share it.</summary>
    public IRanker? Ranker { get; init; }

    /// <summary>
    /// Where set, every list is made of two rankings, the arm's own and an opponent's, and every slot says whose it is: what comparing two
    /// rankers on the same user (instead of on two groups), and the dueling bandit, rest on.
    /// </summary>
    public InterleavingPolicy? Interleaving { get; init; }

    /// <summary>Names the version of the arm's own model, written into its lists after the others'; null where it has none.</summary>
    public Func<string>? Version { get; init; }

    /// <summary>The arm's own settings, or null for the builder's.</summary>
    public FeedsSettings? Settings { get; init; }

    /// <summary>Names of those of <see cref="Settings"/> that the arm itself sets ("SeenMax", "Quotas:popular"): no surface overrides them.</summary>
    public IReadOnlySet<string> Overrides { get; init; } = new HashSet<string>();

    /// <summary>Everything that is learned.</summary>
    public static ArmPolicy Learned { get; } = new() { Name = "learned" };

    /// <summary>Everything that is learned, re-ranked in another way than the node's.</summary>
    /// <param name="diversity">One of <see cref="FeedsSettings.Diversities"/>, and the arm's name.</param>
    /// <param name="feeds">The node's.</param>
    public static ArmPolicy Diverse(string diversity, FeedsSettings feeds) =>
        new() { Name = diversity, Settings = feeds with { Diversity = diversity }, Overrides = new HashSet<string> { nameof(FeedsSettings.Diversity) } };

    /// <summary>
    /// The hold-out that shows what learning is worth: the popular channel and the filters, in order of popularity, the same for
    /// every user.
    /// </summary>
    /// <param name="candidates">How many popular items to look through.</param>
    public static ArmPolicy Holdout(int candidates) => new()
    {
        Name = "holdout", Quotas = new Dictionary<string, int> { [FeedChannels.Popular] = candidates },
        Ranks = false, Diversifies = false, Explores = false,
    };
}

/// <summary>How an arm sets another ranker against its own.</summary>
/// <param name="Opponent">Ranks the same candidates: team B. Shards share it.</param>
/// <param name="New">Makes the method, <see cref="TeamDraft"/> or <see cref="ProbabilisticInterleave"/>; each list builder has one of its own.</param>
/// <remarks>
/// The order of the steps: the candidates are recalled, filtered and merged once; each ranker scores them all; each ranking is re-ranked by diversity
/// windows and MMR on its own (<see cref="ArmPolicy.Diversifies"/>), to the length of the list, so that each is the list that its ranker alone would
/// have shown; these two are interleaved; last, exploration puts fresh items into its slots (<see cref="ArmPolicy.Explores"/>), for nobody. So the
/// diversity windows hold in either ranking, not in what is made of the two: there, w consecutive slots may hold twice m of a category.
/// The score of an entry is always the arm's own ranker's.
/// </remarks>
public sealed record InterleavingPolicy(IRanker Opponent, Func<IInterleaver> New);
