using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Spectre.Console;
using Streaming.Evaluation;
using Streaming.Feeds;
using Streaming.Feeds.Recall;
using Streaming.Host.Cli.Peers;

namespace Streaming.Host.Cli;

/// <summary><c>bench index</c>: exact scan against graph, and the size at which one overtakes the other.</summary>
internal static class IndexBench
{
    private const int Wanted = 10;
    private const int WarmUpItems = 5000;

    /// <summary>Of the time of a size, about what building its index takes.</summary>
    private const double BuildShare = 0.5;
    private const string Counts =
        "one thread; unit vectors in clusters (about the square root of their number, of skewed sizes, noise 0.6 of the centre's length) or uniform on the sphere; "
        + "queries are further draws; times are means over all queries, best of 3; build includes normalising; churn: a tenth of the items moved to new places, a tenth deleted and replaced";

    private sealed record Case(int Dim, int Queries, bool Uniform, HnswOptions Hnsw, ulong Seed);

    private sealed record Point(
        int Items, double ExactUs, double GraphUs, double Recall, double BuildPerS, double UpdatesPerS, double RecallAfterChurn, double SaveMb, double LoadS, JsonElement Peer);

    public static Command Create()
    {
        var command = new Command("index", $"Exact scan against HNSW by number of items: query time, recall@{Wanted}, build and update rates; hnswlib (python3-hnswlib) beside it where it is installed.");
        var common = new CommonOptions().AddTo(command);
        var defaults = new HnswOptions();
        var sizes = new Option<string>("--sizes") { Description = "Numbers of items, with commas", DefaultValueFactory = _ => "1000,3000,10000,30000,100000" };
        var dim = new Option<int>("--dim") { Description = "Numbers of a vector", DefaultValueFactory = _ => 64 };
        var queries = new Option<int>("--queries") { Description = "Queries", DefaultValueFactory = _ => 1000 };
        var uniform = new Option<bool>("--uniform") { Description = "Uniform vectors instead of clustered ones: much harder for a graph" };
        var m = new Option<int>("--m") { Description = "M", DefaultValueFactory = _ => defaults.M };
        var construction = new Option<int>("--ef-construction") { Description = "efConstruction", DefaultValueFactory = _ => defaults.EfConstruction };
        var ef = new Option<int>("--ef") { Description = "ef", DefaultValueFactory = _ => defaults.EfSearch };
        var noPeer = new Option<bool>("--no-peer") { Description = "Leave hnswlib out" };
        foreach (var option in (Option[])[sizes, dim, queries, uniform, m, construction, ef, noPeer]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var counts = parse.GetValue(sizes)!.Split(',').Select(s => int.TryParse(s, out var n) && n is >= 100 and <= 10_000_000 ? n
                : throw new FormatException($"--sizes holds '{s}'; allowed are numbers from 100 to 10000000")).Order().ToArray();
            var what = new Case(
                parse.GetValue(dim), parse.GetValue(queries), parse.GetValue(uniform),
                new HnswOptions(parse.GetValue(m), parse.GetValue(construction), parse.GetValue(ef)), (ulong)common.Load(parse).Node.Seed);
            if (what.Dim is < 1 or > 2048 || what.Queries < 1) throw new FormatException("--dim is 1 to 2048, --queries 1 at least");
            return RunAsync(what, counts, !parse.GetValue(noPeer), common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(Case what, int[] sizes, bool withPeer, bool json, CancellationToken cancel)
    {
        var points = await ProgressView.RunAsync("indexing", json, progress => PointsAsync(what, sizes, withPeer, progress, cancel)).ConfigureAwait(false);
        var crossover = Crossover(points);
        if (!json)
        {
            Print(points);
            Console.WriteLine($"the graph overtakes the scan at about {crossover:N0} items; times are means, one thread, {Machine.Hardware}");
            return 0;
        }
        JsonLine.Print(
        [
            ("counts", Counts), ("dim", what.Dim), ("data", what.Uniform ? "uniform" : "clustered"), ("queries", what.Queries), ("k", Wanted),
            ("m", what.Hnsw.M), ("ef_construction", what.Hnsw.EfConstruction), ("ef", what.Hnsw.EfSearch), ("points", points.Select(Figures).ToArray()),
            ("crossover_items", crossover), ("peak_rss_mb", Machine.PeakRssMb()), ("seed", what.Seed), ("hardware", Machine.Hardware),
        ]);
        return 0;
    }

    private static async Task<List<Point>> PointsAsync(Case what, int[] sizes, bool withPeer, Action<double>? progress, CancellationToken cancel)
    {
        var points = new List<Point>();
        // What an item costs grows slowly with their number.
        var (done, all) = ((double)WarmUpItems, sizes.Sum(s => (double)s) + WarmUpItems);
        // Once unmeasured, so that the first size is not the one that pays for compiling.
        await Task.Run(() => Measure(what, WarmUpItems, progress.Part(0, done / all)), cancel).WaitAsync(cancel).ConfigureAwait(false);
        foreach (var size in sizes)
        {
            var part = progress.Part(done / all, (done + size) / all);
            var point = await Task.Run(() => Measure(what, size, part), cancel).WaitAsync(cancel).ConfigureAwait(false);
            if (withPeer) point = point with { Peer = await PeerAsync(what, size, cancel).ConfigureAwait(false) };
            points.Add(point);
            done += size;
        }
        return points;
    }

    private static Point Measure(Case what, int size, Action<double>? progress)
    {
        var (vectors, queries) = Draw(what, size);
        var index = new VectorIndex(new VectorIndexOptions(what.Dim, size, 0, what.Hnsw));
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < size; i++)
        {
            index.Set((ulong)i + 1, Row(vectors, i, what.Dim));
            if ((i & 0x3ff) == 0) progress?.Invoke(BuildShare * i / size);
        }
        var build = size / clock.Elapsed.TotalSeconds;
        var found = new Candidate[Wanted];
        var exact = Time(query => index.SearchExact(query, found), queries, what.Dim);
        var graph = Time(query => index.SearchGraph(query, found, 0), queries, what.Dim);
        var recall = Recall(index, queries, what.Dim);
        using var saved = new MemoryStream();
        index.Save(saved);
        saved.Position = 0;
        clock.Restart();
        index.Load(saved);
        var load = clock.Elapsed.TotalSeconds;
        var (moved, _) = Draw(what with { Seed = what.Seed + 1 }, size / 5);
        clock.Restart();
        for (var i = 0; i < size / 5; i++)
        {
            if (i % 2 == 1) index.Remove((ulong)i + 1);
            index.Set(i % 2 == 0 ? (ulong)i + 1 : (ulong)(size + i), Row(moved, i, what.Dim));
        }
        var updates = size / 5 / clock.Elapsed.TotalSeconds;
        return new Point(size, exact, graph, recall, build, updates, Recall(index, queries, what.Dim), saved.Length / 1e6, load, default);
    }

    private static async Task<JsonElement> PeerAsync(Case what, int size, CancellationToken cancel)
    {
        var (vectors, queries) = Draw(what, size);
        var folder = Directory.CreateTempSubdirectory("streaming-bench-");
        try
        {
            var (vectorFile, queryFile) = (Path.Combine(folder.FullName, "vectors"), Path.Combine(folder.FullName, "queries"));
            await File.WriteAllBytesAsync(vectorFile, MemoryMarshal.AsBytes(vectors.AsSpan()).ToArray(), cancel).ConfigureAwait(false);
            await File.WriteAllBytesAsync(queryFile, MemoryMarshal.AsBytes(queries.AsSpan()).ToArray(), cancel).ConfigureAwait(false);
            var numbers = new[] { what.Dim, what.Hnsw.M, what.Hnsw.EfConstruction, what.Hnsw.EfSearch, Wanted };
            return await PythonPeer.RunAsync(
                "hnsw.py", [vectorFile, queryFile, .. numbers.Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture))], cancel).ConfigureAwait(false);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static ReadOnlySpan<float> Row(float[] rows, int at, int dim) => rows.AsSpan(at * dim, dim);

    private delegate int SearchOne(ReadOnlySpan<float> query);

    /// <summary>Mean microseconds of a query, the best of three rounds.</summary>
    private static double Time(SearchOne search, float[] queries, int dim)
    {
        var count = queries.Length / dim;
        for (var q = 0; q < Math.Max(1, count / 5); q++) search(Row(queries, q, dim));
        var best = double.MaxValue;
        for (var round = 0; round < 3; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var q = 0; q < count; q++) search(Row(queries, q, dim));
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds / count);
        }
        return best;
    }

    private static double Recall(VectorIndex index, float[] queries, int dim)
    {
        var (exact, found) = (new Candidate[Wanted], new Candidate[Wanted]);
        var (hits, count) = (0, queries.Length / dim);
        for (var q = 0; q < count; q++)
        {
            var query = Row(queries, q, dim);
            var n = index.SearchExact(query, exact);
            var m = index.SearchGraph(query, found, 0);
            foreach (var candidate in found.AsSpan(0, m))
                foreach (var truth in exact.AsSpan(0, n)) hits += candidate.Item == truth.Item ? 1 : 0;
        }
        return hits / (double)(Wanted * count);
    }

    private static (float[] Vectors, float[] Queries) Draw(Case what, int size)
    {
        var centres = new float[Math.Max(10, (int)Math.Sqrt(size)) * what.Dim];
        // The centres do not follow the seed of the vectors: moved items stay in the same world.
        var draws = new Draws((ulong)what.Dim * 7919 + (ulong)centres.Length);
        for (var c = 0; c < centres.Length / what.Dim; c++) Unit(centres.AsSpan(c * what.Dim, what.Dim), [], ref draws);
        draws = new Draws(what.Seed * 2 + 1);
        return (Many(size, ref draws), Many(what.Queries, ref draws));

        float[] Many(int count, ref Draws from)
        {
            var rows = new float[count * what.Dim];
            for (var i = 0; i < count; i++)
            {
                // The square of a uniform draw: the first clusters hold most.
                var cluster = (int)(Math.Pow(from.Unit(), 2) * (centres.Length / what.Dim));
                Unit(rows.AsSpan(i * what.Dim, what.Dim), what.Uniform ? [] : centres.AsSpan(cluster * what.Dim, what.Dim), ref from);
            }
            return rows;
        }
    }

    /// <summary>A point of the sphere near a centre, or anywhere without one.</summary>
    private static void Unit(Span<float> into, ReadOnlySpan<float> centre, ref Draws draws)
    {
        var noise = centre.Length == 0 ? 1 : 0.6 / Math.Sqrt(into.Length);
        double sum = 0;
        for (var d = 0; d < into.Length; d++)
        {
            into[d] = (float)((centre.Length == 0 ? 0 : centre[d]) + noise * draws.Normal());
            sum += (double)into[d] * into[d];
        }
        foreach (ref var value in into) value /= (float)Math.Sqrt(sum);
    }

    /// <summary>Where the two times, straight lines between points on logarithmic axes, cross; NaN when they do not within the sizes.</summary>
    private static double Crossover(List<Point> points)
    {
        for (var i = 0; i < points.Count; i++)
        {
            var gap = Math.Log(points[i].ExactUs / points[i].GraphUs);
            if (gap < 0) continue;
            if (i == 0) return double.NaN;
            var before = Math.Log(points[i - 1].ExactUs / points[i - 1].GraphUs);
            var share = before / (before - gap);
            return Math.Exp(Math.Log(points[i - 1].Items) + share * Math.Log(points[i].Items / (double)points[i - 1].Items));
        }
        return double.NaN;
    }

    private static double Peer(Point point, string figure) =>
        point.Peer.ValueKind == JsonValueKind.Object && point.Peer.TryGetProperty(figure, out var value) ? value.GetDouble() : double.NaN;

    private static Dictionary<string, object?> Figures(Point p)
    {
        var figures = new Dictionary<string, object?>
        {
            ["items"] = p.Items, ["exact_us"] = Math.Round(p.ExactUs, 2), ["graph_us"] = Math.Round(p.GraphUs, 2), ["recall_at_10"] = Math.Round(p.Recall, 4),
            ["build_per_s"] = Math.Round(p.BuildPerS), ["updates_per_s"] = Math.Round(p.UpdatesPerS), ["recall_at_10_after_churn"] = Math.Round(p.RecallAfterChurn, 4),
            ["checkpoint_mb"] = Math.Round(p.SaveMb, 1), ["load_s"] = Math.Round(p.LoadS, 3),
        };
        if (p.Peer.ValueKind != JsonValueKind.Object) return figures;
        figures["hnswlib"] = p.Peer;
        if (double.IsNaN(Peer(p, "query_us"))) return figures;
        figures["query_throughput_over_hnswlib"] = Math.Round(Peer(p, "query_us") / p.GraphUs, 3);
        figures["build_throughput_over_hnswlib"] = Math.Round(p.BuildPerS / Peer(p, "build_per_s"), 3);
        return figures;
    }

    private static void Print(List<Point> points)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var column in (string[])["items", "exact us", "graph us", $"recall@{Wanted}", "build/s", "updates/s", "recall after churn", "load s", "hnswlib us", "its recall", "its build/s"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var p in points)
            table.AddRow(
                Tables.Text((long)p.Items), Tables.Text(p.ExactUs), Tables.Text(p.GraphUs), Tables.Text(p.Recall), Tables.Text(p.BuildPerS), Tables.Text(p.UpdatesPerS),
                Tables.Text(p.RecallAfterChurn), Tables.Text(p.LoadS), Tables.Text(Peer(p, "query_us")), Tables.Text(Peer(p, "recall_at_k")), Tables.Text(Peer(p, "build_per_s")));
        Tables.Terminal().Write(table);
        if (points[0].Peer.ValueKind == JsonValueKind.Object && points[0].Peer.TryGetProperty("absent", out var why)) Console.WriteLine($"without hnswlib: {why.GetString()}");
    }
}
