using Streaming.Models.Offline;
using Streaming.Models.Retrieval;
using Streaming.Models.Sequences;

namespace Streaming.Models.Recall;

/// <summary>A model that recalls in the live path.</summary>
/// <param name="Name">In settings, arms, channels and files.</param>
/// <param name="Summary">One line: the paper, and what it adds.</param>
/// <param name="Create">Makes the network, for no items: its tables are the mini-batch's.</param>
public sealed record KnownRecall(string Name, string Summary, Func<RecallOptions, IRecallNetwork> Create);

/// <summary>
/// Every model of <see cref="Retrieval"/> and <see cref="Sequences"/> that the live path carries; a new one is its file and one line here (and its name in
/// <see cref="Core.Feeds.FeedChannels.Retrieval"/>). Nothing is dropped in learning: every example is seen once.
/// </summary>
public static class RecallModels
{
    private static readonly Interactions Nothing = new(0, 0, [], [], [], []);

    public static IReadOnlyList<KnownRecall> All { get; } =
    [
        new("youtube_dnn", "layers over the mean of the history (Covington et al. 2016)", o => new YouTubeDnn(Nothing, Sizes(o), [o.Hidden], o.Seed)),
        new("dssm", "two towers of tanh layers and their cosine (Huang et al. 2013)", o => new Dssm(Nothing, Sizes(o), [o.Hidden], gamma: 10, o.Seed)),
        new("mind", "several interests by dynamic routing (Li et al. 2019)", o => new Mind(Nothing, Sizes(o), new MindOptions { Hidden = o.Hidden }, o.Seed)),
        new("sdm", "the session gated with what came before it (Lv et al. 2019)", o => new Sdm(Nothing, Sizes(o), heads: 2, shortMax: 10, o.Seed)),
        new("sasrec", "causal self-attention over the history (Kang and McAuley 2018)", o => new SasRec(0, o.Dim, blocks: 2, heads: 2, o.HistoryMax, dropout: 0, o.Seed)),
        new("gru4rec", "a gated recurrent unit over the history (Hidasi et al. 2016)", o => new Gru4Rec(0, o.Dim, o.Hidden, o.HistoryMax, dropout: 0, o.Seed)),
        // A place more, for what is to be told.
        new("bert4rec", "bidirectional self-attention, the next item masked (Sun et al. 2019)",
            o => new Bert4Rec(0, o.Dim, blocks: 2, heads: 2, o.HistoryMax + 1, dropout: 0, o.Seed)),
        new("item2vec", "items whose neighbours are alike, the mean of the last ones (Barkan and Koenigstein 2016)",
            o => new Item2Vec(Nothing, new Item2VecOptions { Dim = o.Dim }, o.Seed)),
        new("transrec", "users as translations from their last item to the next (He et al. 2017)",
            o => new TransRec(Nothing, new TransRecOptions { Dim = o.Dim, Negatives = 4 }, o.Seed)),
        // A column that no history has: without any there would be no bound of the encoder's first values.
        new("autorec_u", "an autoencoder of users' rows (Sedhain et al. 2015)",
            o => new AutoRec(new Interactions(0, 1, [], [], [], []), new AutoRecOptions { Hidden = o.Dim, Unseen = 0.3f, Regularisation = 0.1f }, o.Seed)),
        new("autorec_i", "an autoencoder of items' rows, whose columns are users (Sedhain et al. 2015)",
            o => new ItemAutoRec(new AutoRecOptions { Hidden = o.Dim, Unseen = 0.3f, Regularisation = 0.1f })),
    ];

    /// <summary>Null where there is none of that name.</summary>
    public static KnownRecall? Find(string name) => All.FirstOrDefault(r => r.Name == name);

    private static RetrievalOptions Sizes(RecallOptions options) => new() { Dim = options.Dim, HistoryMax = options.HistoryMax, Dropout = 0 };
}
