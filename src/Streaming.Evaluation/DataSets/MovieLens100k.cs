using System.Globalization;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// MovieLens 100k (Harper and Konstan 2015): rating events by timestamp, ties in file order. Items carry the title, the genres as
/// tags and the first genre as category, and the release date as publish time; profiles carry age, gender, occupation and zip.
/// </summary>
public sealed class MovieLens100k : IDataSet
{
    private readonly string _data;
    private readonly string? _item;
    private readonly string? _user;
    private readonly string? _info;
    private List<(int User, int Item, int Rating, long Time)>? _ratings;

    public MovieLens100k(string folder)
    {
        _data = DataFiles.Need(folder, "u.data");
        _item = DataFiles.Find(folder, "u.item");
        _user = DataFiles.Find(folder, "u.user");
        _info = DataFiles.Find(folder, "u.info");
        Files = [.. new[] { _data, _item, _user }.OfType<string>()];
    }

    public string Name => "ml-100k";
    public IReadOnlyList<string> Files { get; }
    public string? TimeNote => null;
    public long SkippedRows => 0;

    public long? RowCount => _ratings?.Count ?? InfoCount();

    public IEnumerable<ItemChange> Items()
    {
        if (_item is null) yield break;
        var time = FirstMs();
        using var lines = LineReader.Open(_item);
        while (lines.Next())
            if (!lines.Line.IsEmpty) yield return ReadItem(lines, time);
    }

    public IEnumerable<UserEvent> Profiles()
    {
        if (_user is null) yield break;
        var time = FirstMs();
        using var lines = LineReader.Open(_user);
        while (lines.Next())
        {
            if (lines.Line.IsEmpty) continue;
            var f = Encoding.Latin1.GetString(lines.Line).Split('|');
            if (f.Length < 5) throw lines.Error($"expected id|age|gender|occupation|zip, found {f.Length} fields");
            yield return MovieLens.Profile(Name, f[0], time, [("age", f[1]), ("gender", f[2]), ("occupation", f[3]), ("zip", f[4])]);
        }
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        var ratings = Ratings();
        foreach (var i in DataFiles.OrderByTime(ratings.Count, i => ratings[i].Time))
        {
            var (user, item, rating, time) = ratings[i];
            yield return MovieLens.Rating(Name, i + 1, user, item, rating, time * 1000);
        }
    }

    private List<(int User, int Item, int Rating, long Time)> Ratings()
    {
        if (_ratings is not null) return _ratings;
        var ratings = new List<(int, int, int, long)>(100_000);
        using var lines = LineReader.Open(_data);
        Span<Range> f = stackalloc Range[4];
        while (lines.Next())
        {
            lines.Split((byte)'\t', f, 4);
            ratings.Add(((int)lines.Integer(f[0], "user"), (int)lines.Integer(f[1], "item"), (int)lines.Integer(f[2], "rating"),
                lines.Integer(f[3], "timestamp")));
        }
        return _ratings = ratings;
    }

    private long FirstMs()
    {
        var ratings = Ratings();
        return ratings.Count == 0 ? 0 : ratings.Min(r => r.Time) * 1000;
    }

    private long? InfoCount()
    {
        if (_info is null) return null;
        using var lines = LineReader.Open(_info);
        while (lines.Next())
        {
            var words = Encoding.Latin1.GetString(lines.Line).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is [var count, "ratings"] && long.TryParse(count, out var n)) return n;
        }
        return null;
    }

    private static ItemChange ReadItem(LineReader lines, long timeMs)
    {
        var f = Encoding.Latin1.GetString(lines.Line).Split('|');
        if (f.Length != 5 + Genres.Length) throw lines.Error($"expected {5 + Genres.Length} fields separated by '|', found {f.Length}");
        List<string> genres = [];
        for (var g = 0; g < Genres.Length; g++)
            if (f[5 + g] == "1") genres.Add(Genres[g]);
        var published = 0L;
        if (f[2].Length > 0)
        {
            if (!DateTimeOffset.TryParseExact(f[2], ["dd-MMM-yyyy", "d-MMM-yyyy"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date))
                throw lines.Error($"release date is '{f[2]}', expected dd-Mon-yyyy");
            published = Math.Max(1, date.ToUnixTimeMilliseconds());
        }
        return MovieLens.Item(f[0], f[1], genres, published, timeMs, f[2]);
    }

    /// <summary>Order of the 19 flags of u.item, as u.genre gives it.</summary>
    private static readonly string[] Genres =
    [
        "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
        "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
    ];
}

/// <summary>What the MovieLens sets share.</summary>
internal static class MovieLens
{
    public static UserEvent Rating(string set, long row, int user, int item, double rating, long timeMs) => new()
    {
        Kind = EventKind.Rating, Type = "rating", User = user.ToString(CultureInfo.InvariantCulture), TimeMs = timeMs,
        Item = item.ToString(CultureInfo.InvariantCulture), Value = rating, EventId = $"{set}:{row}",
    };

    public static UserEvent Profile(string set, string user, long timeMs, ReadOnlySpan<(string, string)> attributes) => new()
    {
        Kind = EventKind.UserUpsert, Type = "user_upsert", User = user, TimeMs = timeMs, EventId = $"{set}:user:{user}",
        Profile = new UserProfile { Attributes = DataFiles.Pairs(attributes) },
    };

    /// <param name="publishedMs">Unix ms; 1 for anything before 1970, 0 when unknown.</param>
    public static ItemChange Item(string id, string title, IReadOnlyList<string> genres, long publishedMs, long timeMs, string released = "") =>
        new(id, new Item(id)
        {
            Tags = genres, Categories = genres.Count > 0 ? [genres[0]] : [], PublishedMs = publishedMs, FirstSeenMs = timeMs,
            Attributes = DataFiles.Pairs(("title", title), ("released", released)),
        }, timeMs);
}
