using System.Globalization;
using System.IO.Compression;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Suites;

namespace Streaming.Learning.Tests;

/// <summary>MovieLens as a stream: ratings in order, the catalogue (genres as tags) and the users' demographics.</summary>
public sealed record MovieLens(List<MovieRating> Ratings, ItemCatalog Catalog, Dictionary<int, UserProfile> Profiles)
{
    private static readonly string[] AttributeNames = ["age", "gender", "occupation"];

    /// <summary>By time stamp, ties in the file's order.</summary>
    public static MovieLens Load100K()
    {
        var genres = Lines("movielens/ml-100k/u.genre", zipped: false).Select(l => l.Split('|')).Where(f => f.Length == 2)
            .ToDictionary(f => int.Parse(f[1], CultureInfo.InvariantCulture), f => f[0]);
        var catalog = new ItemCatalog();
        foreach (var f in Lines("movielens/ml-100k/u.item.gz").Select(l => l.Split('|')))
            Add(catalog, f[0], [.. genres.Where(g => f[5 + g.Key] == "1").Select(g => g.Value)]);
        var profiles = Lines("movielens/ml-100k/u.user.gz").Select(l => l.Split('|'))
            .ToDictionary(f => int.Parse(f[0], CultureInfo.InvariantCulture), f => Profile(AgeGroup(f[1]), f[2], f[3]));
        var ratings = Lines("movielens/ml-100k/u.data.gz").Select(l => l.Split('\t'))
            .Select(f => new MovieRating(int.Parse(f[0], CultureInfo.InvariantCulture), f[1], float.Parse(f[2], CultureInfo.InvariantCulture),
                1000 * long.Parse(f[3], CultureInfo.InvariantCulture)))
            .OrderBy(r => r.TimeMs).ToList();
        return new MovieLens(ratings, catalog, profiles);
    }

    /// <summary>Users interleaved by a seed, each user's own order kept; times are synthetic, one step apart.</summary>
    public static MovieLens Load1M(int seed, long stepMs)
    {
        var catalog = new ItemCatalog();
        foreach (var f in Lines("movielens/ml-1m/movies.dat.gz").Select(l => l.Split("::"))) Add(catalog, f[0], f[2].Split('|'));
        var profiles = Lines("movielens/ml-1m/users.dat.gz").Select(l => l.Split("::"))
            .ToDictionary(f => int.Parse(f[0], CultureInfo.InvariantCulture), f => Profile(f[2], f[1], f[3]));
        var queues = new Dictionary<int, Queue<(string Item, float Rating)>>();
        var turns = new List<int>();
        foreach (var f in Lines("movielens/derived/ml1m_chronological.txt.gz").Select(l => l.Split('\t')))
        {
            var user = int.Parse(f[0], CultureInfo.InvariantCulture);
            var queue = new Queue<(string, float)>(f[1].Split(' ').Select(pair => pair.Split(':'))
                .Select(p => (p[0], float.Parse(p[1], CultureInfo.InvariantCulture))));
            queues.Add(user, queue);
            turns.AddRange(Enumerable.Repeat(user, queue.Count));
        }
        var order = turns.ToArray();
        new Random(seed).Shuffle(order);
        var ratings = new List<MovieRating>(order.Length);
        foreach (var user in order)
        {
            var (item, rating) = queues[user].Dequeue();
            ratings.Add(new MovieRating(user, item, rating, 1_000_000_000_000 + ratings.Count * stepMs));
        }
        return new MovieLens(ratings, catalog, profiles);
    }

    private static void Add(ItemCatalog catalog, string id, string[] genres) =>
        catalog.Apply(new ItemChange(id, new Item(id) { Tags = genres }, 0));

    private static UserProfile Profile(params string[] values) =>
        new() { Attributes = [.. AttributeNames.Zip(values, KeyValuePair.Create)] };

    private static string AgeGroup(string age) => (int.Parse(age, CultureInfo.InvariantCulture) / 10 * 10).ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<string> Lines(string path, bool zipped = true)
    {
        using var file = File.OpenRead(SharedData.Find(path)!);
        using var reader = new StreamReader(zipped ? new GZipStream(file, CompressionMode.Decompress) : file, Encoding.Latin1);
        while (reader.ReadLine() is { } line)
            if (line.Length > 0) yield return line;
    }
}

/// <summary>One rating.</summary>
public readonly record struct MovieRating(int User, string Item, float Rating, long TimeMs);
