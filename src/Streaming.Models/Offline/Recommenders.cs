using Streaming.Models.Classic;
using Streaming.Models.Neural;
using Streaming.Models.Retrieval;
using Streaming.Models.Sequences;

namespace Streaming.Models.Offline;

/// <summary>A model that the offline protocols can judge.</summary>
/// <param name="Name">What a command line calls it.</param>
/// <param name="Summary">One line for people.</param>
/// <param name="Create">A new one, not yet fitted.</param>
/// <param name="NeedsLibtorch">Trained by gradients: takes minutes on MovieLens 1M, and libtorch has to be there.</param>
public sealed record RecommenderEntry(string Name, string Summary, Func<IRecommender> Create, bool NeedsLibtorch = false)
{
    /// <summary>Whether its training, if it has one, can keep its state in <see cref="Training.TrainerOptions.CheckpointFile"/> and go on from there.</summary>
    public bool KeepsState { get; init; } = true;
}

/// <summary>
/// Every offline model by name. A new model is one file and one line here.
/// <para>
/// How they were tuned: the best NDCG@10 of leave-one-out-given-negatives-validation on MovieLens 1M, which sees training alone; one
/// seed, single points within the values below and not their whole product. The exception is item-knn, which is not tuned: its
/// shrinkage is the one with which the known test number comes out, so it is a reproduction and no result of its own. item-cf:
/// alpha .5 .55 .6 .65 .7 .8 .9 1, neighbours 20 50 70 100 200 all, activity penalty or none, shrinkage 0 10. item-knn-pearson:
/// neighbours 50 200 all, shrinkage 20 100 1000 5000. user-knn: neighbours 50 100 200; user-cf besides alpha .3 .55 .6 .7 and the activity
/// penalty; user-knn-pearson: neighbours 200 300 500 all, shrinkage 20 50 100 200. funk-svd: dim 32 64, lambda .01 .02 .05 .1, gamma .005 .01;
/// funk-svd-sampled: dim 32 64, lambda .003 to .05, gamma .05 .1 .2, epochs 20 30. ials: dim 64 96 128, alpha0 .03 to 1, lambda .001
/// to .02, epochs 12 16. ease: lambda 300 600 1000 2000 4000. pure-svd: dim 20 30 40 50 80. popularity-decayed: half-life 1 2 3 5 7 14
/// 30 90 days, by temporal-split-validation on MovieLens 100k, which has real times. gmf, mlp and neumf are hardly tuned: by the metric
/// of their own training, gmf patience 3 within 20 epochs or 10 epochs in full, neumf penalty .002 within 12 or .005 in 8; mlp not at all. The
/// models of Retrieval are not tuned.
/// </para>
/// </summary>
public static class Recommenders
{
    public static IReadOnlyList<RecommenderEntry> All { get; } =
    [
        new("popularity", "count of interactions", () => new Popularity()),
        new("popularity-decayed", "count of interactions, half as much every 5 days", () => new Popularity(halfLifeDays: 5)),
        new("markov", "what followed the user's last item, backed off to popularity", () => new Markov()),
        new("item-knn", "items alike by cosine with a shrinkage of 20, all neighbours", () => new ItemKnn(new() { Shrinkage = 20 })),
        new("item-cf", "items alike by cosine with popularity and activity penalties, 50 neighbours",
            () => new ItemKnn(new() { Neighbours = 50, PopularityPenalty = 0.6, ActivityPenalty = true })),
        new("item-knn-pearson", "items alike by correlation of grades, 50 neighbours",
            () => new ItemKnn(new() { Similarity = Similarity.Pearson, Neighbours = 50, Shrinkage = 1000 })),
        new("user-knn", "users alike by plain cosine, 50 neighbours", () => new UserKnn(new() { Neighbours = 50 })),
        new("user-cf", "users alike by cosine with activity and popularity penalties, 70 neighbours",
            () => new UserKnn(new() { Neighbours = 70, PopularityPenalty = 0.6, ActivityPenalty = true })),
        new("user-knn-pearson", "users alike by correlation of grades, 300 neighbours",
            () => new UserKnn(new() { Similarity = Similarity.Pearson, Neighbours = 300, Shrinkage = 100 })),
        new("funk-svd", "matrix factorisation with biases, fitted to the grades", () => new FunkSvd(new())),
        new("funk-svd-sampled", "matrix factorisation with biases, fitted to seen against four drawn items",
            () => new FunkSvd(new() { Dim = 64, LearningRate = 0.1, Regularisation = 0.007, Negatives = 4 })),
        new("ials", "implicit alternating least squares", () => new Ials(new())),
        new("ease", "linear autoencoder without its diagonal, in closed form", () => new Ease(lambda: 1000)),
        new("pure-svd", "truncated singular value decomposition of seen or not", () => new PureSvd(dim: 50)),
        new("gmf", "generalised matrix factorisation, against eight drawn items; trained with libtorch",
            () => new PairRecommender(new() { Negatives = 8, Regularisation = 0.02f, Trainer = new() { Rate = 4e-3f, EpochsMax = 5, Patience = 5 } },
                (users, items, seed) => new Gmf(users, items, dim: 64, seed)), NeedsLibtorch: true),
        new("mlp", "layers over a user's and an item's row, against four drawn items; trained with libtorch",
            () => new PairRecommender(new() { Regularisation = 0.002f, Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 8 } },
                (users, items, seed) => new NcfMlp(users, items, dim: 64, [64, 32, 16], seed)), NeedsLibtorch: true),
        new("neumf", "gmf and mlp in one network; trained with libtorch",
            () => new PairRecommender(new() { Negatives = 8, Regularisation = 0.02f, Trainer = new() { Rate = 4e-3f, EpochsMax = 5, Patience = 5 } },
                (users, items, seed) => new NeuMf(users, items, dim: 64, mlpDim: 32, [64, 32], seed)), NeedsLibtorch: true),
        new("sasrec", "causal self-attention over the history, softmax over all items; trained with libtorch",
            () => new SequenceRecommender(new() { Trainer = new() { Rate = 2e-3f, WarmUp = 0.02, EpochsMax = 25, Patience = 5 } },
                (items, seed) => new SasRec(items, dim: 64, blocks: 2, heads: 2, lengthMax: 200, dropout: 0.2, seed)), NeedsLibtorch: true),
        new("gru4rec", "a gated recurrent unit over the history, softmax over all items; trained with libtorch",
            () => new SequenceRecommender(new() { Trainer = new() { Rate = 2e-3f, WarmUp = 0.02, EpochsMax = 25, Patience = 5 } },
                (items, seed) => new Gru4Rec(items, dim: 64, hidden: 128, lengthMax: 200, dropout: 0.2, seed)), NeedsLibtorch: true),
        new("bert4rec", "bidirectional self-attention, masked items told from the rest; trained with libtorch",
            () => new SequenceRecommender(new() { MaskShare = 0.2, Trainer = new() { Rate = 2e-3f, WarmUp = 0.03, EpochsMax = 120, Patience = 20 } },
                (items, seed) => new Bert4Rec(items, dim: 64, blocks: 2, heads: 2, lengthMax: 200, dropout: 0.2, seed)), NeedsLibtorch: true),
        new("item2vec", "items whose neighbours in histories are alike, by skip-gram with drawn negatives; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 3 } },
                (train, seed) => new Item2Vec(train, new(), seed)), NeedsLibtorch: true),
        new("autorec-u", "an autoencoder of users' rows; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 20, Patience = 4 } },
                (train, seed) => new AutoRec(train, new(), seed)), NeedsLibtorch: true),
        new("autorec-i", "an autoencoder of items' rows; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 20, Patience = 4 } },
                (train, seed) => new AutoRec(train, new() { OfItems = true }, seed)), NeedsLibtorch: true),
        new("transrec", "users as translations from their last item to the next; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 15, Patience = 3 } },
                (train, seed) => new TransRec(train, new() { Negatives = 4 }, seed)), NeedsLibtorch: true),
        new("youtube-dnn", "layers over the mean of the history and the example's age, sampled softmax; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 3 } },
                (train, seed) => new YouTubeDnn(train, new() { HistoryMax = 20 }, [128], seed)), NeedsLibtorch: true),
        new("dssm", "two towers of tanh layers and their cosine, sampled softmax; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 3 } },
                (train, seed) => new Dssm(train, new() { HistoryMax = 20, Power = 0, Dropout = 0.1 }, [128], gamma: 20, seed)), NeedsLibtorch: true),
        new("two-tower", "the live path's two towers, corrected in-batch softmax; trained with libtorch",
            () => new TwoTowerRecommender(new() { EpochsMax = 8 }, new() { Dim = 64, VectorDim = 64, HiddenColumns = [128] }), NeedsLibtorch: true) { KeepsState = false },
        new("mind", "several interests by dynamic routing, sampled softmax; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 3 } },
                (train, seed) => new Mind(train, new() { HistoryMax = 20 }, new(), seed)), NeedsLibtorch: true),
        new("sdm", "the session's LSTM and attention, gated with what came before it, sampled softmax; trained with libtorch",
            () => new HistoryRecommender(new() { Trainer = new() { Rate = 3e-3f, EpochsMax = 8, Patience = 3 } },
                (train, seed) => new Sdm(train, new() { HistoryMax = 30 }, heads: 2, shortMax: 10, seed)), NeedsLibtorch: true),
    ];

    /// <exception cref="ArgumentException">No model has that name; the message lists those that there are.</exception>
    public static IRecommender Create(string name) =>
        All.FirstOrDefault(entry => entry.Name == name)?.Create()
        ?? throw new ArgumentException($"no model is called '{name}'; there are {string.Join(", ", All.Select(entry => entry.Name))}", nameof(name));
}
