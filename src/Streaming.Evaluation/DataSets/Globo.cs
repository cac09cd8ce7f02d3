using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// Globo.com news clicks (de Souza Pereira Moreira et al. 2018): hourly CSV files in a tar.zst or in a folder, read in name
/// order. A file holds the sessions that started in its hour, one after the other, so each file is sorted by click time (ties in
/// file order) before it is yielded: times increase within a file, and the last clicks of one hour's sessions still come before
/// the first clicks of the next file's. One file is in memory at a time. Items are known from the clicks alone.
/// </summary>
public sealed class Globo : IDataSet
{
    private const int Columns = 12;
    private static readonly string[] ContextNames = ["environment", "device_group", "os", "country", "region", "referrer_type"];

    private readonly string? _tempFolder;
    private readonly Dictionary<UInt128, KeyValuePair<string, string>[]> _contexts = [];
    private readonly string[] _files;
    private long? _rows;

    /// <summary>One click. The codes of the six context columns share one number.</summary>
    private readonly record struct Row(long Number, long User, long Session, long Article, long TimeMs, UInt128 Context);

    /// <param name="path">clicks.tar.zst, clicks.tar, or a folder with clicks_hour_*.csv (plain or .gz).</param>
    /// <param name="tempFolder">Where an archive is unpacked while it is read (about 220 MB); null means the system's.</param>
    public Globo(string path, string? tempFolder = null)
    {
        _tempFolder = tempFolder;
        _files = Directory.Exists(path) ? HourFiles(path) : [Path.GetFullPath(path)];
        if (_files.Length == 0) throw new DataSetException(path, 0, "has no clicks_hour_*.csv");
    }

    public string Name => "globo";
    public IReadOnlyList<string> Files => _files;
    public string? TimeNote => null;
    public long? RowCount => _rows;
    public long SkippedRows => 0;
    public IEnumerable<ItemChange> Items() => [];
    public IEnumerable<UserEvent> Profiles() => [];

    internal static bool LooksLikeFolder(string folder) => HourFiles(folder).Length > 0;

    internal static bool Looks(ReadOnlySpan<byte> line) => line.StartsWith("user_id,session_id,session_start,session_size,click_article_id"u8);

    private static string[] HourFiles(string folder) =>
        [.. Directory.EnumerateFiles(folder, "clicks_hour_*.csv*").Select(Path.GetFullPath).Order(StringComparer.Ordinal)];

    public IEnumerable<UserEvent> Events(long seed) => Hours().SelectMany(hour => hour);

    /// <summary>The same events, one list per hourly file.</summary>
    public IEnumerable<IEnumerable<UserEvent>> Hours()
    {
        if (_files is [var only] && !Looks(FirstLine(only)))
        {
            using var archive = UnpackedArchive.Open(only, _tempFolder);
            // Every member has one header line.
            _rows = archive.LineCount - archive.Members.Count(IsHourFile);
            var row = 0L;
            foreach (var member in archive.Members.Where(IsHourFile))
                yield return ReadHour(() => new LineReader(archive.OpenMember(member), $"{only}({member})"), ref row);
            yield break;
        }
        var number = 0L;
        foreach (var file in _files) yield return ReadHour(() => LineReader.Open(file), ref number);
    }

    private static bool IsHourFile(string member) => Path.GetFileName(member) is var name && name.StartsWith("clicks_hour_") && name.EndsWith(".csv");

    private static byte[] FirstLine(string file)
    {
        using var lines = LineReader.Open(file);
        try
        {
            return lines.Next() ? lines.Line.ToArray() : [];
        }
        catch (DataSetException)
        {
            return [];
        }
    }

    private IEnumerable<UserEvent> ReadHour(Func<LineReader> open, ref long number)
    {
        var rows = new List<Row>();
        using var lines = open();
        if (!lines.Next() || !Looks(lines.Line)) throw lines.Error("expected the header user_id,session_id,...");
        Span<Range> f = stackalloc Range[Columns];
        while (lines.Next())
        {
            lines.Split((byte)',', f, Columns);
            rows.Add(ReadRow(lines, f, ++number));
        }
        return Sorted(rows);
    }

    private static Row ReadRow(LineReader lines, ReadOnlySpan<Range> f, long number)
    {
        UInt128 context = 0;
        for (var c = 0; c < ContextNames.Length; c++)
        {
            var code = lines.Integer(f[6 + c], ContextNames[c]);
            if (code is < 0 or >= 1 << 20) throw lines.Error($"{ContextNames[c]} is {code}, expected a code from 0 to {(1 << 20) - 1}");
            context = (context << 20) | (ulong)code;
        }
        return new Row(number, lines.Integer(f[0], "user_id"), lines.Integer(f[1], "session_id"), lines.Integer(f[4], "click_article_id"),
            lines.Integer(f[5], "click_timestamp"), context);
    }

    private IEnumerable<UserEvent> Sorted(List<Row> rows)
    {
        rows.Sort((a, b) => a.TimeMs != b.TimeMs ? a.TimeMs.CompareTo(b.TimeMs) : a.Number.CompareTo(b.Number));
        foreach (var row in rows)
            yield return new UserEvent
            {
                Kind = EventKind.Click, Type = "click", User = Text(row.User), TimeMs = row.TimeMs, Item = Text(row.Article),
                EventId = string.Create(CultureInfo.InvariantCulture, $"globo:{row.Number}"), SessionId = Text(row.Session),
                Context = ContextOf(row.Context),
            };
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A few thousand combinations cover the three million clicks, so they share their context lists.</summary>
    private KeyValuePair<string, string>[] ContextOf(UInt128 packed)
    {
        if (_contexts.TryGetValue(packed, out var context)) return context;
        context = new KeyValuePair<string, string>[ContextNames.Length];
        var rest = packed;
        for (var c = ContextNames.Length - 1; c >= 0; c--, rest >>= 20)
            context[c] = new(ContextNames[c], Text((long)(ulong)(rest & ((1 << 20) - 1))));
        return _contexts[packed] = context;
    }
}
