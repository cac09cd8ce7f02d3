using Streaming.Models.Offline;
using Streaming.Models.Retrieval;

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
    ];

    /// <summary>Null where there is none of that name.</summary>
    public static KnownRecall? Find(string name) => All.FirstOrDefault(r => r.Name == name);

    private static RetrievalOptions Sizes(RecallOptions options) => new() { Dim = options.Dim, HistoryMax = options.HistoryMax, Dropout = 0 };
}
