using System.Globalization;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// MovieLens 1M. Reads the original <c>ratings.dat</c> (with its timestamps) where it is there, else
/// <c>ml1m_chronological.txt</c>: one line a user, "user TAB movie:rating ..." in time order, without times. Then the users are
/// interleaved by a seeded random merge that takes the next user in proportion to the ratings they have left (every order that
/// keeps each user's own is equally likely), and times are made up.
/// </summary>
public sealed class MovieLens1M : IDataSet
{
    /// <summary>2000-04-25T23:05:32Z, when the set's ratings start.</summary>
    private const long StartMs = 956_703_932_000;

    private readonly string? _original;
    private readonly string _data;
    private readonly string? _movies;
    private readonly string? _users;
    private readonly long _stepMs;
    private Table? _table;

    /// <param name="folder">Folder with movies.dat and users.dat (plain or gzipped).</param>
    /// <param name="stepMs">Milliseconds between made-up times.</param>
    public MovieLens1M(string folder, long stepMs = 1000)
    {
        _stepMs = stepMs > 0 ? stepMs : throw new ArgumentOutOfRangeException(nameof(stepMs), stepMs, "must be positive");
        _original = DataFiles.Find(folder, "ratings.dat");
        _data = _original ?? FindChronological(folder)
            ?? throw new DataSetException(folder, 0,
                "needs ratings.dat, or ml1m_chronological.txt there or in ../derived (each plain or with .gz)");
        _movies = DataFiles.Find(folder, "movies.dat", "../ml-1m/movies.dat");
        _users = DataFiles.Find(folder, "users.dat", "../ml-1m/users.dat");
        Files = [.. new[] { _data, _movies, _users }.OfType<string>()];
    }

    public string Name => "ml-1m";
    public IReadOnlyList<string> Files { get; }
    public long? RowCount => Load().Count;
    public long SkippedRows => 0;

    public string? TimeNote => _original is not null ? null
        : $"only the order of each user's ratings is recorded: users are interleaved by the seed and times are made up, {_stepMs} ms apart from 2000-04-25";

    internal static string? FindChronological(string folder) =>
        DataFiles.Find(folder, "ml1m_chronological.txt", "derived/ml1m_chronological.txt", "../derived/ml1m_chronological.txt");

    public IEnumerable<ItemChange> Items()
    {
        if (_movies is null) yield break;
        using var lines = LineReader.Open(_movies);
        while (lines.Next())
        {
            var f = Encoding.Latin1.GetString(lines.Line).Split("::");
            if (f.Length != 3) throw lines.Error($"expected id::title::genres, found {f.Length} fields");
            yield return MovieLens.Item(f[0], f[1], f[2].Split('|'), 0, StartMs);
        }
    }

    public IEnumerable<UserEvent> Profiles()
    {
        if (_users is null) yield break;
        using var lines = LineReader.Open(_users);
        while (lines.Next())
        {
            var f = Encoding.Latin1.GetString(lines.Line).Split("::");
            if (f.Length != 5) throw lines.Error($"expected id::gender::age::occupation::zip, found {f.Length} fields");
            yield return MovieLens.Profile(Name, f[0], StartMs, [("gender", f[1]), ("age", f[2]), ("occupation", f[3]), ("zip", f[4])]);
        }
    }

    public IEnumerable<UserEvent> Events(long seed)
    {
        var table = Load();
        if (_original is not null)
        {
            foreach (var i in DataFiles.OrderByTime(table.Count, i => table.Times![i]))
                yield return Event(table, table.UserOfRow![i], i, table.Times![i] * 1000);
            yield break;
        }
        var owners = new int[table.Count];
        var next = new int[table.Users.Count];
        for (var u = 0; u < next.Length; u++)
        {
            next[u] = table.Starts[u];
            owners.AsSpan(table.Starts[u], table.Starts[u + 1] - table.Starts[u]).Fill(u);
        }
        new Draws((ulong)seed).Shuffle<int>(owners);
        for (var i = 0; i < owners.Length; i++)
            yield return Event(table, owners[i], next[owners[i]]++, StartMs + i * _stepMs);
    }

    private UserEvent Event(Table t, int user, int row, long timeMs) =>
        MovieLens.Rating(Name, row + 1, t.Users[user], t.Movies[row], t.Ratings[row], timeMs);

    private Table Load()
    {
        if (_table is not null) return _table;
        using var lines = LineReader.Open(_data);
        return _table = _original is not null ? LoadOriginal(lines) : LoadChronological(lines);
    }

    private static Table LoadOriginal(LineReader lines)
    {
        var t = new Table { Times = [], UserOfRow = [] };
        var index = new Dictionary<int, int>();
        while (lines.Next())
        {
            var f = Encoding.Latin1.GetString(lines.Line).Split("::");
            if (f.Length != 4 || !int.TryParse(f[0], out var user) || !int.TryParse(f[1], out var movie)
                || !byte.TryParse(f[2], out var rating) || !long.TryParse(f[3], out var time))
                throw lines.Error("expected user::movie::rating::timestamp");
            if (!index.TryGetValue(user, out var u))
            {
                index[user] = u = t.Users.Count;
                t.Users.Add(user);
            }
            t.UserOfRow.Add(u);
            t.Movies.Add(movie);
            t.Ratings.Add(rating);
            t.Times.Add(time);
        }
        return t;
    }

    private static Table LoadChronological(LineReader lines)
    {
        var t = new Table();
        while (lines.Next())
        {
            var rest = lines.Line;
            var tab = rest.IndexOf((byte)'\t');
            if (tab <= 0) throw lines.Error("expected user TAB movie:rating ...");
            t.Users.Add((int)lines.Integer(..tab, "user"));
            for (var at = tab + 1; at < rest.Length;)
            {
                var length = rest[at..].IndexOf((byte)' ');
                var end = length < 0 ? rest.Length : at + length;
                var colon = rest[at..end].IndexOf((byte)':');
                if (colon <= 0) throw lines.Error($"'{Encoding.UTF8.GetString(rest[at..end])}' is not movie:rating");
                t.Movies.Add((int)lines.Integer(at..(at + colon), "movie"));
                t.Ratings.Add((byte)lines.Integer((at + colon + 1)..end, "rating"));
                at = end + 1;
            }
            t.Starts.Add(t.Count);
        }
        return t;
    }

    /// <summary>Ratings as columns: a million rows take 5 MB.</summary>
    private sealed class Table
    {
        public List<int> Users { get; } = [];
        public List<int> Movies { get; } = [];
        public List<byte> Ratings { get; } = [];
        /// <summary>User u's rows are Starts[u] .. Starts[u + 1] - 1 (chronological form).</summary>
        public List<int> Starts { get; } = [0];
        public List<int>? UserOfRow { get; init; }
        public List<long>? Times { get; init; }
        public int Count => Movies.Count;
    }
}
