using Streaming.Models.Embeddings;
using Streaming.Models.Neural;
using Streaming.Models.Optimizers;
using Streaming.Models.Ranking.MultiTask;

namespace Streaming.Models.Ranking;

/// <summary>A ranker by name.</summary>
/// <param name="Name">In evaluations; also in settings, arms and files, unless it has another <see cref="LiveName"/>.</param>
/// <param name="Summary">One line: the paper, and what it adds.</param>
/// <param name="Recipe">Network and optimisers.</param>
public sealed record KnownRanker(string Name, string Summary, RankerRecipe Recipe)
{
    /// <summary>Whether its first-order part reads crossed keys in the live path.</summary>
    public bool HasCrosses { get; init; }

    /// <summary>Its name in the live path.</summary>
    public string LiveName { get; init; } = Name;

    /// <summary>Whether it reads the user and the item alone, by their places in the rows of the live path: rows of other sets need not have them.</summary>
    public bool IsOfPairs { get; init; }

    /// <summary>Whether it is made for several tasks: in the live path the label and <see cref="Core.Settings.UsersSettings.Goals"/>.</summary>
    public bool IsMultiTask { get; init; }
}

/// <summary>Every ranker on rows of fields; a new one is one file and one line here (and its name in <see cref="Core.Settings.DeepSettings.Known"/>).</summary>
public static class Rankers
{
    public static IReadOnlyList<KnownRanker> All { get; } =
    [
        new("lr", "logistic regression, in the live path with crosses", RankerRecipe.Adam((_, _) => new LogisticRegression())) { HasCrosses = true },
        new("fm", "factorisation machine (Rendle 2010)", RankerRecipe.Adam((_, o) => new FactorisationMachine(o.Dim))),
        // A key has F vectors, so each is narrow.
        new("ffm", "field-aware factorisation machine (Juan et al. 2016)", RankerRecipe.Adam((s, o) => new FieldAwareMachine(s.Vectors, Math.Max(1, o.Dim / 4)))),
        new("fwfm", "field-weighted factorisation machine (Pan et al. 2018)", RankerRecipe.Adam((s, o) => new Fwfm(s.Vectors, o.Dim))),
        new("ipnn", "product-based network, inner products (Qu et al. 2016)", RankerRecipe.Adam((s, o) => new Pnn(outer: false, s.Vectors, o))),
        new("opnn", "product-based network, outer products (Qu et al. 2016)", RankerRecipe.Adam((s, o) => new Pnn(outer: true, s.Vectors, o))),
        new(
            "wide_deep", "wide and deep, FTRL and AdaGrad (Cheng et al. 2016)",
            new RankerRecipe(
                (s, o) => new WideAndDeep(s.Vectors, o), rate => new RowFtrl(5 * rate, beta: 0.01f), rate => new RowAdagrad(rate),
                // AdaGrad's and FTRL's steps shrink from the first one on, where Adam's stay at the rate. A mini-batch's mean gives a row small gradients:
                // beta is as small.
                (parameters, rate) => new DenseAdagrad(parameters, 10 * rate))) { HasCrosses = true },
        new("deepfm", "DeepFM (Guo et al. 2017)", RankerRecipe.Adam((s, o) => new DeepFm(s.Vectors, o))),
        new("nfm", "neural factorisation machine (He and Chua 2017)", RankerRecipe.Adam((_, o) => new Nfm(o))),
        new("afm", "attentional factorisation machine (Xiao et al. 2017)", RankerRecipe.Adam((s, o) => new Afm(s.Vectors, o))),
        new("autoint", "self-attention over fields (Song et al. 2019)", RankerRecipe.Adam((s, o) => new AutoInt(s.Vectors, o))),
        new("dcn_v2", "deep and cross network (Wang et al. 2021)", RankerRecipe.Adam((s, o) => new DcnV2(s.Vectors, o))),
        new("mean_pooling", "the base model of DIN: mean of the sequence", RankerRecipe.Adam((s, o) => new MeanPooling(s, o))),
        new("din", "local attention over the sequence (Zhou et al. 2018)", RankerRecipe.Adam((s, o) => new DinNetwork(s, o))) { LiveName = "din_softmax" },
        new("dien", "interest evolution, auxiliary loss, AUGRU (Zhou et al. 2019)", RankerRecipe.Adam((s, o) => new Dien(s, o))),
        new("shared_bottom", "one network, a tower for each task (Caruana 1997)", RankerRecipe.Adam((s, o) => new SharedBottom(s, o))) { IsMultiTask = true },
        new("esmm", "conversions as click times conversion after it (Ma et al. 2018)", RankerRecipe.Adam((s, o) => new Esmm(s, o))) { IsMultiTask = true },
        new("mmoe", "shared experts, a gate for each task (Ma et al. 2018)", RankerRecipe.Adam((s, o) => new Mmoe(s, o))) { IsMultiTask = true },
        new("ple", "own and shared experts on two levels (Tang et al. 2020)", RankerRecipe.Adam((s, o) => new Ple(s, o))) { IsMultiTask = true },
        new("gmf", "generalised matrix factorisation (He et al. 2017)", RankerRecipe.Adam((s, o) => new PairRanker(s, new Gmf(0, 0, o.Dim, o.Seed)))) { IsOfPairs = true },
        new("ncf_mlp", "layers on user and item (He et al. 2017)", RankerRecipe.Adam((s, o) => new PairRanker(s, new NcfMlp(0, 0, o.Dim, o.Hidden, o.Seed)))) { IsOfPairs = true },
        new("neumf", "the two in one network (He et al. 2017)", RankerRecipe.Adam((s, o) => new PairRanker(s, new NeuMf(0, 0, o.Dim, o.Dim, o.Hidden, o.Seed)))) { IsOfPairs = true },
    ];

    /// <summary>Names of those that the live path serves as <see cref="RankerModel"/>.</summary>
    public static IReadOnlyList<string> Live { get; } = [.. All.Select(r => r.LiveName)];

    /// <param name="name">Either name.</param>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static KnownRanker Find(string name) =>
        All.FirstOrDefault(r => r.Name == name || r.LiveName == name) ?? throw new ArgumentException($"there is no ranker '{name}'; there are {string.Join(", ", All.Select(r => r.Name))}", nameof(name));
}
