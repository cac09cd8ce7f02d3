namespace Streaming.Core.Feeds;

/// <summary>Names of the recall channels: keys of <c>Feeds:Quotas</c> and values of <see cref="FeedEntry.Channel"/>.</summary>
public static class FeedChannels
{
    public const string Popular = "popular";
    public const string Trending = "trending";
    public const string ItemCf = "itemcf";
    public const string Embedding = "embedding";
    public const string Interest = "interest";
    public const string Author = "author";
    public const string Fresh = "fresh";
    public const string Transition = "transition";

    /// <summary>Retrieval by a two-tower model; there only where such a model is.</summary>
    public const string TwoTower = "two_tower";

    /// <summary>Items that the user acted on before; off unless asked for.</summary>
    public const string Again = "again";

    /// <summary>Retrieval by vectors that a deep model learns, each under its model's name; there only where <c>Deep:Models</c> names it.</summary>
    public static readonly IReadOnlyList<string> Retrieval =
        [TwoTower, "youtube_dnn", "dssm", "mind", "sdm", "sasrec", "gru4rec", "bert4rec", "item2vec", "transrec", "autorec_u", "autorec_i"];

    /// <summary>Whether a deep model orders candidates; the others find them (<see cref="Retrieval"/>), and only one that ranks can be an arm's, pinned to a version or rolled back.</summary>
    public static bool Ranks(string model) => !Retrieval.Contains(model);

    /// <summary>All channels, in the order in which they are asked; of equal ranks the earlier channel's name is kept.</summary>
    public static readonly IReadOnlyList<string> All = [ItemCf, Embedding, Interest, Author, Trending, Popular, Fresh, Transition, .. Retrieval, Again];
}
