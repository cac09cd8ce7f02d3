using Streaming.Models.Classic;

namespace Streaming.Models.Offline;

/// <summary>A model that the offline protocols can judge.</summary>
/// <param name="Name">What a command line calls it.</param>
/// <param name="Summary">One line for people.</param>
/// <param name="Create">A new one, not yet fitted.</param>
public sealed record RecommenderEntry(string Name, string Summary, Func<IRecommender> Create);

/// <summary>Every offline model by name. A new model is one file and one line here.</summary>
public static class Recommenders
{
    public static IReadOnlyList<RecommenderEntry> All { get; } =
    [
        new("popularity", "count of interactions", () => new Popularity()),
        new("popularity-decayed", "count of interactions, half as much after 30 days", () => new Popularity(halfLifeDays: 30)),
        new("markov", "what followed the user's last item, backed off to popularity", () => new Markov()),
        new("item-knn", "items alike by plain cosine, all neighbours", () => new ItemKnn(new())),
        new("ease", "linear autoencoder without its diagonal, in closed form", () => new Ease()),
        new("ials", "implicit alternating least squares", () => new Ials(new())),
        new("pure-svd", "truncated singular value decomposition of seen or not", () => new PureSvd()),
    ];

    /// <exception cref="ArgumentException">No model has that name; the message lists those that there are.</exception>
    public static IRecommender Create(string name) =>
        All.FirstOrDefault(entry => entry.Name == name)?.Create()
        ?? throw new ArgumentException($"no model is called '{name}'; there are {string.Join(", ", All.Select(entry => entry.Name))}", nameof(name));
}
