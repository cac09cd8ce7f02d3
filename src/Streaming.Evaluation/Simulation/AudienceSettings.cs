using Streaming.Core.Settings;

namespace Streaming.Evaluation.Simulation;

/// <summary>
/// The simulated audience and its catalogue. The defaults describe a lively news and video page: a user favours 3 of 20 topics and
/// clicks a good half of the items of those that they look at, about one in twenty of the rest; quality and the topics'
/// popularity, shared by all, make a popular list a third better than a random one; the rest is personal. Time is
/// compressed so that a minute of wall time holds what a user would do in days: sessions follow each other without nights.
/// </summary>
public sealed record AudienceSettings
{
    public long Seed { get; init; } = 1;

    /// <summary>Users at any time; one who leaves for good is replaced by a new, cold one.</summary>
    public int Users { get; init; } = 500;

    /// <summary>Live items, on average.</summary>
    public int Items { get; init; } = 1500;

    public int Topics { get; init; } = 20;

    /// <summary>Authors; each writes on one topic.</summary>
    public int Authors { get; init; } = 150;

    /// <summary>Skew of the topics' popularity: the r-th topic is favoured in proportion to r^-skew.</summary>
    public double TopicSkew { get; init; } = 0.5;

    /// <summary>Topics a user favours.</summary>
    public int FavouriteTopics { get; init; } = 3;

    /// <summary>Logit of the appeal of an average, new item on a topic that the user is neutral about.</summary>
    public double BaseLogit { get; init; } = -2.6;

    /// <summary>Mean logit that a favourite topic adds.</summary>
    public double FavouriteLogit { get; init; } = 3.0;

    /// <summary>Mean logit that any other topic adds.</summary>
    public double OtherLogit { get; init; } = -0.4;

    /// <summary>Standard deviation of a topic's logit between users.</summary>
    public double TasteSpread { get; init; } = 0.4;

    /// <summary>Standard deviation of the items' quality, in logits, the same for every user.</summary>
    public double QualitySpread { get; init; } = 0.5;

    /// <summary>Random walk of each topic's logit per session, standard deviation; it is pulled back to where it was by a tenth.</summary>
    public double DriftPerSession { get; init; } = 0.08;

    /// <summary>Chance per session that one favourite topic is given up for another.</summary>
    public double JumpPerSession { get; init; } = 0.02;

    /// <summary>Standard deviation, between topics and over time, of a logit that moves every user's taste for a topic at once; 0 for none.</summary>
    public double TrendSpread { get; init; }

    /// <summary>Half-life of such a trend, ms.</summary>
    public long TrendHalfLifeMs { get; init; } = 3_600_000;

    /// <summary>Mean life of an item from publication to expiry, ms; lives are 0.5 to 1.5 times that.</summary>
    public long ItemLifeMs { get; init; } = 20 * 60_000;

    /// <summary>Logits that an item loses over its life, linearly.</summary>
    public double AgeLogit { get; init; } = 1.0;

    /// <summary>Examination probability of position k (from 0) is (k + 1)^-ExaminationDecay: the position-based model.</summary>
    public double ExaminationDecay { get; init; } = 0.5;

    /// <summary>Chance to click an examined item that appeals.</summary>
    public double ClickWhenAppealing { get; init; } = 0.95;

    /// <summary>Trust bias (Agarwal et al. 2019): chance to click an examined item that does not appeal, at the top; divided by k + 1 below.</summary>
    public double ClickOnTrust { get; init; } = 0.04;

    /// <summary>Logits lost each time the item was looked at without a click, up to five times.</summary>
    public double SeenLogit { get; init; } = 0.25;

    /// <summary>Logits lost when the item was clicked before.</summary>
    public double ClickedLogit { get; init; } = 3.0;

    /// <summary>Slots of a page.</summary>
    public int PageSize { get; init; } = 10;

    public string Surface { get; init; } = "home";

    /// <summary>Pages of a session, on average, when every page has a click; a page without one makes leaving twice as likely.</summary>
    public double SessionPages { get; init; } = 6;

    /// <summary>Share of the users who are in a session.</summary>
    public double ActiveShare { get; init; } = 0.25;

    /// <summary>Chance that the user who opens a session is a new one, in the place of an old one.</summary>
    public double NewUserPerSession { get; init; } = 0.02;

    /// <summary>Share of users who declare interests: two of their favourite topics.</summary>
    public double ProfileShare { get; init; } = 0.3;

    /// <summary>Chance of a like after a click, times the item's appeal.</summary>
    public double LikeAfterClick { get; init; } = 0.2;

    /// <summary>Chance to hide an examined item whose appeal is under 0.05.</summary>
    public double HideUnappealing { get; init; } = 0.01;

    /// <summary>Chance to dislike an examined item whose appeal is under 0.05.</summary>
    public double DislikeUnappealing { get; init; } = 0.005;

    /// <summary>Chance of a share after a click, times the item's appeal.</summary>
    public double ShareAfterClick { get; init; } = 0.05;

    /// <summary>Chance to put the item into the cart after a click, times its appeal.</summary>
    public double CartAfterClick { get; init; } = 0.05;

    /// <summary>Chance to buy what was put into the cart, at once.</summary>
    public double PurchaseAfterCart { get; init; } = 0.4;

    public double PageViewsPerSecond { get; init; } = 200;

    /// <summary>Page views go out in ticks of this length, ms.</summary>
    public int TickMs { get; init; } = 20;

    /// <summary>Page views in flight at once. With more than 1 the order in which users' events reach the target is not fixed.</summary>
    public int ConcurrencyMax { get; init; } = 1;

    /// <summary>What the best and a random page would have got is worked out for one page view in so many.</summary>
    public int OracleEvery { get; init; } = 5;

    /// <summary>Length of a point of the click rates over time, ms.</summary>
    public int WindowMs { get; init; } = 1000;

    /// <summary>Points kept per arm; then neighbours are merged and the length doubles.</summary>
    public int WindowsMax { get; init; } = 600;

    /// <summary>
    /// Users and items for whom freshness can matter on every scale from hours to seconds: trends with a half-life of an hour, items that live
    /// six, tastes that move from session to session. In real, not compressed, time.
    /// </summary>
    public static AudienceSettings Drifting { get; } = new()
    {
        Users = 200, Items = 200, Topics = 20, Authors = 60, ItemLifeMs = 6 * 3_600_000, TrendSpread = 1.2, TrendHalfLifeMs = 3_600_000,
        DriftPerSession = 0.15, JumpPerSession = 0.05, PageViewsPerSecond = 0.3,
    };

    public void Validate(SettingsProblems problems, string at = "Audience")
    {
        problems.InRange($"{at}:Users", Users, 1, 10_000_000);
        problems.InRange($"{at}:Items", Items, 1, 1_000_000);
        problems.InRange($"{at}:Topics", Topics, 2, 1000);
        problems.InRange($"{at}:Authors", Authors, 1, 1_000_000);
        problems.InRange($"{at}:TopicSkew", TopicSkew, 0, 5);
        problems.InRange($"{at}:FavouriteTopics", FavouriteTopics, 1, Math.Max(1, Topics - 1));
        foreach (var (name, value) in new[] { ("BaseLogit", BaseLogit), ("FavouriteLogit", FavouriteLogit), ("OtherLogit", OtherLogit) })
            problems.InRange($"{at}:{name}", value, -20, 20);
        foreach (var (name, value) in new[]
                 {
                     ("TasteSpread", TasteSpread), ("QualitySpread", QualitySpread), ("DriftPerSession", DriftPerSession), ("AgeLogit", AgeLogit),
                     ("ExaminationDecay", ExaminationDecay), ("SeenLogit", SeenLogit), ("ClickedLogit", ClickedLogit), ("TrendSpread", TrendSpread),
                 })
            problems.InRange($"{at}:{name}", value, 0, 20);
        foreach (var (name, value) in new[]
                 {
                     ("JumpPerSession", JumpPerSession), ("ClickWhenAppealing", ClickWhenAppealing), ("ClickOnTrust", ClickOnTrust),
                     ("ActiveShare", ActiveShare), ("NewUserPerSession", NewUserPerSession), ("ProfileShare", ProfileShare),
                     ("LikeAfterClick", LikeAfterClick), ("HideUnappealing", HideUnappealing), ("DislikeUnappealing", DislikeUnappealing), ("ShareAfterClick", ShareAfterClick),
                     ("CartAfterClick", CartAfterClick), ("PurchaseAfterCart", PurchaseAfterCart),
                 })
            problems.InRange($"{at}:{name}", value, 0, 1);
        problems.InRange($"{at}:ItemLifeMs", ItemLifeMs, 1000, 10L * 365 * 86_400_000);
        problems.InRange($"{at}:TrendHalfLifeMs", TrendHalfLifeMs, 1000, 10L * 365 * 86_400_000);
        problems.InRange($"{at}:PageSize", PageSize, 1, 1000);
        problems.InRange($"{at}:SessionPages", SessionPages, 1, 10_000);
        problems.InRange($"{at}:PageViewsPerSecond", PageViewsPerSecond, 0.001, 1_000_000);
        problems.InRange($"{at}:TickMs", TickMs, 1, 60_000);
        problems.InRange($"{at}:ConcurrencyMax", ConcurrencyMax, 1, 4096);
        problems.InRange($"{at}:OracleEvery", OracleEvery, 1, 1_000_000);
        problems.InRange($"{at}:WindowMs", WindowMs, 1, 86_400_000);
        problems.InRange($"{at}:WindowsMax", WindowsMax, 2, 100_000);
    }
}
