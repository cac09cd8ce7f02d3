using System.Globalization;
using System.Text;

namespace Streaming.Host.Tests.Metrics;

/// <summary>One sample line of Prometheus' text format.</summary>
internal sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    /// <summary>Name and labels without "le": one value over time, or one histogram.</summary>
    public string Series => $"{Name}{{{string.Join(',', Labels.Where(l => l.Key != "le").OrderBy(l => l.Key, StringComparer.Ordinal))}}}";
}

/// <summary>A strict reader of Prometheus' text exposition format 0.0.4: anything out of form is a <see cref="FormatException"/>.</summary>
internal sealed class Exposition
{
    public Dictionary<string, string> Types { get; } = [];
    public Dictionary<string, string> Help { get; } = [];
    public List<Sample> Samples { get; } = [];

    public static Exposition Parse(string text)
    {
        if (text.Length > 0 && !text.EndsWith('\n')) throw new FormatException("the last line does not end");
        var parsed = new Exposition();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal)) parsed.Help.Add(Word(line[7..]), line);
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal)) parsed.Types.Add(Word(line[7..]), line[7..].Split(' ')[1]);
            else if (!line.StartsWith('#')) parsed.Samples.Add(ParseSample(line));
        }
        foreach (var sample in parsed.Samples) parsed.FamilyOf(sample);
        return parsed;
    }

    /// <summary>The declared family that a sample belongs to.</summary>
    public string FamilyOf(Sample sample)
    {
        if (Types.ContainsKey(sample.Name)) return sample.Name;
        foreach (var suffix in (string[])["_bucket", "_sum", "_count"])
            if (sample.Name.EndsWith(suffix, StringComparison.Ordinal)
                && Types.GetValueOrDefault(sample.Name[..^suffix.Length]) == "histogram") return sample.Name[..^suffix.Length];
        throw new FormatException($"{sample.Name} has no TYPE");
    }

    public double Value(string name, params (string Key, string Value)[] labels) =>
        Samples.Where(s => s.Name == name && s.Labels.Count == labels.Length
            && labels.All(l => s.Labels.GetValueOrDefault(l.Key) == l.Value)).Select(s => s.Value).SingleOrDefault(0);

    private static string Word(string text) => text.Split(' ')[0];

    private static Sample ParseSample(string line)
    {
        var at = 0;
        while (at < line.Length && (char.IsAsciiLetterOrDigit(line[at]) || line[at] is '_' or ':')) at++;
        if (at == 0 || char.IsAsciiDigit(line[0])) throw new FormatException($"no metric name: {line}");
        var name = line[..at];
        var labels = new Dictionary<string, string>();
        if (line[at] == '{')
        {
            at++;
            while (line[at] != '}')
            {
                var equals = line.IndexOf("=\"", at, StringComparison.Ordinal);
                var key = line[at..equals];
                at = equals + 2;
                labels.Add(key, Quoted(line, ref at));
                if (line[at] == ',') at++;
            }
            at++;
        }
        if (line[at] != ' ') throw new FormatException($"no space before the value: {line}");
        return new Sample(name, labels, Number(line[(at + 1)..]));
    }

    private static string Quoted(string line, ref int at)
    {
        var value = new StringBuilder();
        for (; line[at] != '"'; at++)
        {
            if (line[at] == '\\')
            {
                at++;
                value.Append(line[at] switch { 'n' => '\n', '\\' => '\\', '"' => '"', var c => throw new FormatException($"\\{c}") });
            }
            else value.Append(line[at]);
        }
        at++;
        return value.ToString();
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };
}
