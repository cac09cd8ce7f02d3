using System.Globalization;
using System.Text;

namespace Streaming.Evaluation.Results;

/// <summary>
/// Rows of a ledger as Markdown: one table per data set and protocol, under the protocol's name and description, so that figures
/// of different protocols cannot be read side by side. Floors come first; the best value of a metric is bold.
/// </summary>
public static class ResultTable
{
    private const string Start = "<!-- ledger -->";
    private const string End = "<!-- /ledger -->";

    /// <summary>A row must fit on a page; the ledger holds the rest.</summary>
    private const int MetricsMax = 6;

    /// <summary>Baselines that every model must beat; "-" and more may follow ("item-knn-pearson").</summary>
    private static readonly string[] Floors =
    [
        "shown-order", "popular", "popularity", "item-ctr", "item-mean", "user-mean", "user-mean+item-mean", "user-cf", "user-knn", "item-cf", "item-knn", "markov",
        "transitions", "funk-svd", "ials", "ease", "pure-svd",
    ];

    /// <summary>Whether a model is one of the baselines, by its name.</summary>
    public static bool IsFloor(string model) => model is "random" || Floors.Any(f => model == f || model.StartsWith(f + "-", StringComparison.Ordinal));

    /// <summary>All tables, data sets and protocols by name.</summary>
    /// <param name="rows">Rows of a ledger.</param>
    /// <param name="describe">A protocol's description by its name.</param>
    public static string Markdown(IEnumerable<LedgerRow> rows, Func<string, string> describe)
    {
        var text = new StringBuilder();
        foreach (var table in rows.GroupBy(r => (r.Data, r.Protocol)).OrderBy(g => g.Key.Data, StringComparer.Ordinal).ThenBy(g => g.Key.Protocol, StringComparer.Ordinal))
        {
            if (text.Length > 0) text.Append('\n');
            text.Append(CultureInfo.InvariantCulture, $"**{Cell(table.Key.Data)}, {Cell(table.Key.Protocol)}**: {describe(table.Key.Protocol)}\n\n");
            Table(text, Ordered(table));
        }
        return text.Length > 0 ? text.ToString() : "No result is recorded yet.\n";
    }

    /// <summary>Floors before models; in each part from the worst to the best by the first metric, then by name.</summary>
    public static IReadOnlyList<LedgerRow> Ordered(IEnumerable<LedgerRow> rows)
    {
        double Place(LedgerRow row) => MetricOrder.Rank(row.Figures[0].Metric, row.Figures[0].Mean) is var rank && double.IsNaN(rank) ? double.PositiveInfinity : rank;
        return [.. rows.OrderBy(r => !IsFloor(r.Model)).ThenByDescending(Place).ThenBy(r => r.Model, StringComparer.Ordinal)];
    }

    /// <summary>
    /// The metrics that a table has room for, in the order in which the rows name them first. Where there are too many, counts are left
    /// out before others, being the same for every model or beside the point.
    /// </summary>
    public static IReadOnlyList<string> Metrics(IEnumerable<LedgerRow> rows)
    {
        var all = rows.SelectMany(r => r.Figures).GroupBy(f => f.Metric).ToList();
        var names = all.Count <= MetricsMax ? all : [.. all.Where(g => !g.All(IsCount))];
        return MetricOrder.Headline([.. names.Select(g => g.Key)], MetricsMax);
    }

    /// <summary>The best mean of each metric as it is printed; a metric without a better and a worse, or of one row only, has none.</summary>
    public static IReadOnlyDictionary<string, string> Best(IReadOnlyList<LedgerRow> rows)
    {
        var best = new Dictionary<string, string>();
        foreach (var values in rows.SelectMany(r => r.Figures).GroupBy(f => f.Metric).Where(g => g.Count() > 1))
        {
            var ranked = values.Where(f => !double.IsNaN(MetricOrder.Rank(f.Metric, f.Mean))).ToList();
            if (ranked.MinBy(f => MetricOrder.Rank(f.Metric, f.Mean)) is { } top) best[values.Key] = Number(top, top.Mean);
        }
        return best;
    }

    /// <summary>A mean with, where there is one, its spread over the seeds and the bootstrap interval of one run.</summary>
    public static string Text(LedgerFigure figure, bool interval = true)
    {
        var text = Number(figure, figure.Mean);
        // What does not depend on the seed has no spread to show.
        if (figure.Spread > 0) text += $" ± {Number(figure, figure.Spread)}";
        return interval && !double.IsNaN(figure.Low) ? $"{text} {Interval(figure)}" : text;
    }

    /// <summary>The bootstrap interval of one run, "[low, high]".</summary>
    public static string Interval(LedgerFigure figure) => $"[{Number(figure, figure.Low)}, {Number(figure, figure.High)}]";

    /// <summary>Puts the tables between the README's marks.</summary>
    /// <exception cref="InvalidDataException">The marks are not there, once each and in order.</exception>
    public static string Replace(string readme, string tables)
    {
        var (from, to) = Block(readme);
        return $"{readme[..from]}\n{tables}{readme[to..]}";
    }

    /// <summary>What stands between the README's marks.</summary>
    /// <inheritdoc cref="Replace" path="/exception"/>
    public static string Between(string readme)
    {
        var (from, to) = Block(readme);
        return readme[from..to].TrimStart('\n');
    }

    private static (int From, int To) Block(string readme)
    {
        var (start, end) = (readme.IndexOf(Start, StringComparison.Ordinal), readme.IndexOf(End, StringComparison.Ordinal));
        var again = start < 0 || end < 0 || readme.LastIndexOf(Start, StringComparison.Ordinal) != start || readme.LastIndexOf(End, StringComparison.Ordinal) != end;
        return !again && start < end ? (start + Start.Length, end) : throw new InvalidDataException($"the README needs the line {Start} and after it the line {End}, once each");
    }

    private static void Table(StringBuilder text, IReadOnlyList<LedgerRow> rows)
    {
        var metrics = Metrics(rows);
        var best = Best(rows);
        text.Append("| model |").AppendJoin("", metrics.Select(m => $" {Cell(m)} |")).Append(" seeds | seconds | commit |\n");
        text.Append("|---|").AppendJoin("", metrics.Select(_ => "---|")).Append("---|---|---|\n");
        foreach (var row in rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {Cell(row.Model)} |");
            foreach (var metric in metrics)
            {
                var figure = row.Figures.FirstOrDefault(f => f.Metric == metric);
                text.Append(' ').Append(figure is null ? "-" : Bold(figure, best)).Append(" |");
            }
            text.Append(CultureInfo.InvariantCulture, $" {row.Seeds.Count} | {row.Seconds:0.0} | {Cell(row.Commit)} |\n");
        }
        text.Append('\n').AppendJoin("; ", rows.Select(r => r.Hardware).Distinct()).Append(".\n");
    }

    /// <summary>Every row that prints the same digits as the best one is bold.</summary>
    private static string Bold(LedgerFigure figure, IReadOnlyDictionary<string, string> best)
    {
        var number = Number(figure, figure.Mean);
        var text = Text(figure);
        return best.TryGetValue(figure.Metric, out var top) && top == number ? $"**{number}**{text[number.Length..]}" : text;
    }

    /// <summary>Four decimals, none for a count.</summary>
    private static string Number(LedgerFigure figure, double value) =>
        double.IsNaN(value) ? "-" : value.ToString(IsCount(figure) && value == Math.Floor(value) ? "0" : "0.0000", CultureInfo.InvariantCulture);

    private static bool IsCount(LedgerFigure figure) => MetricOrder.Of(figure.Metric) == Better.Undefined && figure.Mean == Math.Floor(figure.Mean);

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
