using System.Globalization;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>A file of labelled impressions: each row becomes an impression of one item and, when its label is 1, a click at the same time.</summary>
public abstract class CtrSet(string name, string file) : IDataSet
{
    private long? _rows;

    /// <summary>One labelled row as an impression; EventId, Type and Kind are set by the caller.</summary>
    protected readonly record struct Row(long Number, string User, string Item, long TimeMs, bool Clicked, int Position, string Surface,
        KeyValuePair<string, string>[] Context);

    public string Name { get; } = name;
    public IReadOnlyList<string> Files { get; } = [Path.GetFullPath(file)];
    public abstract string? TimeNote { get; }
    public long? RowCount => _rows;
    public long SkippedRows => 0;
    public double ReadShare => Reading?.Share ?? double.NaN;

    /// <summary>What the rows are read from, where they are not held in memory.</summary>
    private protected LineReader? Reading { get; set; }

    public virtual IEnumerable<ItemChange> Items() => [];
    public virtual IEnumerable<UserEvent> Profiles() => [];

    /// <summary>The rows in stream order.</summary>
    protected abstract IEnumerable<Row> Rows();

    public IEnumerable<UserEvent> Events(long seed)
    {
        var events = 0L;
        foreach (var row in Rows())
        {
            var request = $"{Name}:{row.Number}";
            var impression = new UserEvent
            {
                Kind = EventKind.Impression, Type = "impression", User = row.User, Item = row.Item, TimeMs = row.TimeMs, RequestId = request,
                EventId = request, Position = row.Position, Surface = row.Surface, Context = row.Context,
            };
            events++;
            yield return impression;
            if (!row.Clicked) continue;
            events++;
            yield return impression with { Kind = EventKind.Click, Type = "click", EventId = request + ":click" };
        }
        _rows = events;
    }

    /// <summary>The current line's label, which is 0 or 1.</summary>
    private protected static bool Label(LineReader lines, string text) => text switch
    {
        "0" => false,
        "1" => true,
        _ => throw lines.Error($"label is '{text}', expected 0 or 1"),
    };

    private protected static string[] Fields(LineReader lines, char separator, int count)
    {
        var fields = Encoding.UTF8.GetString(lines.Line).Split(separator);
        return fields.Length == count ? fields : throw lines.Error($"expected {count} fields, found {fields.Length}");
    }
}

/// <summary>
/// Criteo display advertising (Kaggle 2014): label, I1-I13, C1-C26, in time order, without times, users or items. Every row is a
/// user of its own ("row:n"). What the columns mean is not disclosed: the item is the combination of C17, C22 and C23, three of the
/// columns with few values, so that items recur; all 39 fields go into the context.
/// </summary>
public sealed class Criteo(string file, long stepMs = 1000) : CtrSet("criteo", file)
{
    /// <summary>2014-06-01: the challenge's year; the days are not published.</summary>
    private const long StartMs = 1_401_580_800_000;
    private const int Numbers = 13;
    private const int Columns = 40;

    public override string TimeNote => $"only the order is recorded: times are made up, {stepMs} ms apart from 2014-06-01";

    internal static bool Looks(ReadOnlySpan<byte> line) =>
        line.Count((byte)'\t') == Columns - 1 && (line.StartsWith("0\t"u8) || line.StartsWith("1\t"u8));

    protected override IEnumerable<Row> Rows()
    {
        using var lines = Reading = LineReader.Open(Files[0]);
        while (lines.Next())
        {
            var f = Fields(lines, '\t', Columns);
            var context = new List<KeyValuePair<string, string>>(Columns - 1);
            for (var c = 1; c < Columns; c++)
                if (f[c].Length > 0) context.Add(new(c <= Numbers ? $"I{c}" : $"C{c - Numbers}", f[c]));
            var item = StableHash.Of($"{f[Numbers + 17]}|{f[Numbers + 22]}|{f[Numbers + 23]}");
            yield return new Row(lines.Number, $"row:{lines.Number}", item.ToString("x16"), StartMs + (lines.Number - 1) * stepMs,
                Label(lines, f[0]), -1, "", [.. context]);
        }
    }
}

/// <summary>
/// Avazu mobile advertising (Kaggle 2014). There is no user id: the user is the device id, or, for the placeholder id that most
/// rows carry, a hash of the device's address and model. The item is C14 (the creative, by its cardinality), the position is
/// banner_pos, the surface is "site" or "app"; the other columns go into the context.
/// </summary>
public sealed class Avazu(string file) : CtrSet("avazu", file)
{
    private const string NoDevice = "a99f214a";
    private const int Columns = 24;
    private const string NoSite = "85f751fd";

    public override string TimeNote => "times are recorded by the hour: rows of an hour are 1 ms apart in file order";

    internal static bool Looks(ReadOnlySpan<byte> line) => line.StartsWith("id,click,hour,C1,banner_pos,site_id"u8);

    protected override IEnumerable<Row> Rows()
    {
        using var lines = Reading = LineReader.Open(Files[0]);
        if (!lines.Next() || !Looks(lines.Line)) throw lines.Error("expected the header id,click,hour,...");
        var names = Fields(lines, ',', Columns);
        var (hour, inHour) = ("", 0L);
        while (lines.Next())
        {
            var f = Fields(lines, ',', Columns);
            inHour = f[2] == hour ? inHour + 1 : 0;
            hour = f[2];
            if (!DateTimeOffset.TryParseExact("20" + hour, "yyyyMMddHH", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
                throw lines.Error($"hour is '{hour}', expected YYMMDDHH");
            var context = new KeyValuePair<string, string>[Columns - 3];
            for (var c = 3; c < Columns; c++) context[c - 3] = new(names[c], f[c]);
            var user = f[11] == NoDevice ? StableHash.Of($"{f[12]}|{f[13]}").ToString("x16") : f[11];
            yield return new Row(lines.Number - 1, user, f[16], time.ToUnixTimeMilliseconds() + Math.Min(inHour, 3_599_999), Label(lines, f[1]),
                (int)lines.ParseInteger(f[4], "banner_pos"), f[5] == NoSite ? "app" : "site", context);
        }
    }
}

/// <summary>
/// Taobao display advertising (Tianchi data set 56), sorted by time_stamp: user, ad, slot (the surface), the user's profile and
/// the ad's category, campaign, customer (the author), brand and price.
/// </summary>
public sealed class TaobaoAds(string file) : CtrSet("taobao-ads", file)
{
    private const int Columns = 21;
    private List<(long Number, long Time, bool Clicked, string[] Fields)>? _rows;
    private long _firstMs;

    public override string? TimeNote => null;

    internal static bool Looks(ReadOnlySpan<byte> line) => line.StartsWith("user_id,time_stamp,adgroup_id,pid,nonclk,clk"u8);

    public override IEnumerable<ItemChange> Items()
    {
        var rows = Load();
        var known = new HashSet<string>();
        foreach (var (_, _, _, f) in rows)
            if (known.Add(f[2]))
                yield return new ItemChange(f[2], new Item(f[2])
                {
                    Categories = f[16].Length > 0 ? [f[16]] : [], Author = f[18].Length > 0 ? f[18] : null,
                    Tags = f[19].Length > 0 ? [$"brand:{f[19]}"] : [], Attributes = DataFiles.Pairs(("campaign", f[17]), ("price", f[20])),
                    FirstSeenMs = _firstMs,
                }, _firstMs);
    }

    public override IEnumerable<UserEvent> Profiles()
    {
        var rows = Load();
        var known = new HashSet<string>();
        foreach (var (_, _, _, f) in rows)
            if (known.Add(f[0]))
                yield return new UserEvent
                {
                    Kind = EventKind.UserUpsert, Type = "user_upsert", User = f[0], TimeMs = _firstMs, EventId = $"{Name}:user:{f[0]}",
                    Profile = new UserProfile
                    {
                        Attributes = DataFiles.Pairs(("cms_segid", f[8]), ("cms_group", f[9]), ("gender", f[10]), ("age_level", f[11]),
                            ("pvalue_level", f[12]), ("shopping_level", f[13]), ("occupation", f[14]), ("city_level", f[15])),
                    },
                };
    }

    protected override IEnumerable<Row> Rows()
    {
        var rows = Load();
        foreach (var i in DataFiles.OrderByTime(rows.Count, i => rows[i].Time))
        {
            var (number, time, clicked, f) = rows[i];
            yield return new Row(number, f[0], f[2], time * 1000, clicked, -1, f[3],
                DataFiles.Pairs(("pid", f[3]), ("tag_category_list", f[6]), ("tag_brand_list", f[7])));
        }
    }

    private List<(long Number, long Time, bool Clicked, string[] Fields)> Load()
    {
        if (_rows is not null) return _rows;
        var rows = new List<(long Number, long Time, bool Clicked, string[] Fields)>();
        using var lines = LineReader.Open(Files[0]);
        if (!lines.Next() || !Looks(lines.Line)) throw lines.Error("expected the header user_id,time_stamp,adgroup_id,...");
        while (lines.Next())
        {
            var f = Fields(lines, ',', Columns);
            rows.Add((lines.Number - 1, lines.ParseInteger(f[1], "time_stamp"), Label(lines, f[5]), f));
        }
        _firstMs = rows.Count == 0 ? 0 : rows.Min(r => r.Time) * 1000;
        return _rows = rows;
    }
}
