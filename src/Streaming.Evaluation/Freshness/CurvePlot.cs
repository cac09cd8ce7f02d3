using System.Globalization;
using System.Security;
using System.Text;

namespace Streaming.Evaluation.Freshness;

/// <summary>A freshness curve as an SVG picture: one panel per metric, a point with its error bar per sync interval.</summary>
public static class CurvePlot
{
    private const int Width = 760, PanelHeight = 300, Left = 80, Right = 24, Top = 44, Bottom = 56, TicksAbout = 5;

    /// <summary>The whole file's text.</summary>
    public static string Svg(FreshnessCurve curve)
    {
        var height = 34 + PanelHeight * curve.Figures.Count;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture,
            $"""<svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" font-family="sans-serif" font-size="12">""").Append('\n');
        svg.Append(CultureInfo.InvariantCulture, $"""<rect width="{Width}" height="{height}" fill="white"/>""").Append('\n');
        Text(svg, Width / 2.0, 22, $"{curve.Model} on {curve.Data}: quality against how often the serving copy is synchronised", "middle", 14);
        for (var f = 0; f < curve.Figures.Count; f++)
            Panel(svg, curve, curve.Figures[f], 34 + f * PanelHeight);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, FreshnessCurve curve, FreshnessFigure figure, double top)
    {
        var ends = figure.Values.SelectMany(v => new[] { v.Estimate, v.Low, v.High }).Where(double.IsFinite).ToList();
        if (ends.Count == 0) return;
        var (low, high) = (ends.Min(), ends.Max());
        var margin = high > low ? 0.08 * (high - low) : Math.Max(1e-6, Math.Abs(high) * 0.01);
        (low, high) = (low - margin, high + margin);
        var (bottom, upper) = (top + PanelHeight - Bottom, top + Top);
        Text(svg, Left, top + 24, $"{figure.Metric} ({(figure.LargerIsBetter ? "larger" : "smaller")} is better; {curve.ErrorBars})", "start", 12);
        foreach (var tick in Ticks(low, high))
        {
            Line(svg, Left, Y(tick), Width - Right, Y(tick), "#dddddd");
            Text(svg, Left - 8, Y(tick) + 4, tick.ToString("0.######", CultureInfo.InvariantCulture), "end", 11);
        }
        Line(svg, Left, upper, Left, bottom, "black");
        Line(svg, Left, bottom, Width - Right, bottom, "black");
        var path = new StringBuilder();
        for (var i = 0; i < figure.Values.Count; i++)
        {
            var value = figure.Values[i];
            Text(svg, X(i), bottom + 18, curve.Intervals[i].Name, "middle", 11);
            if (!double.IsFinite(value.Estimate)) continue;
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? 'M' : 'L')}{X(i):0.#} {Y(value.Estimate):0.#} ");
            if (double.IsFinite(value.Low) && double.IsFinite(value.High))
            {
                Line(svg, X(i), Y(value.Low), X(i), Y(value.High), "#1f5fa8");
                Line(svg, X(i) - 5, Y(value.Low), X(i) + 5, Y(value.Low), "#1f5fa8");
                Line(svg, X(i) - 5, Y(value.High), X(i) + 5, Y(value.High), "#1f5fa8");
            }
            svg.Append(CultureInfo.InvariantCulture, $"""<circle cx="{X(i):0.#}" cy="{Y(value.Estimate):0.#}" r="4" fill="#1f5fa8"/>""").Append('\n');
        }
        svg.Append(CultureInfo.InvariantCulture, $"""<path d="{path.ToString().TrimEnd()}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>""").Append('\n');
        Text(svg, (Left + Width - Right) / 2.0, bottom + 38, "sync interval, event time", "middle", 11);

        double X(int i) => Left + (Width - Left - Right) * (i + 0.5) / figure.Values.Count;
        double Y(double value) => bottom - (bottom - upper) * (value - low) / (high - low);
    }

    /// <summary>Round numbers, 1, 2 or 5 times a power of ten apart.</summary>
    private static IEnumerable<double> Ticks(double low, double high)
    {
        var rough = (high - low) / TicksAbout;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
        for (var n = Math.Ceiling(low / step); n * step <= high; n++) yield return n * step + 0.0;
    }

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string colour) => svg.Append(
        CultureInfo.InvariantCulture, $"""<line x1="{x1:0.#}" y1="{y1:0.#}" x2="{x2:0.#}" y2="{y2:0.#}" stroke="{colour}"/>""").Append('\n');

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor, int size) => svg.Append(
        CultureInfo.InvariantCulture, $"""<text x="{x:0.#}" y="{y:0.#}" text-anchor="{anchor}" font-size="{size}">{SecurityElement.Escape(text)}</text>""").Append('\n');
}
