using System.Diagnostics;
using MathNet.Numerics.Distributions;
using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Experiments.Splitting;

/// <summary>A chi-square test of counts.</summary>
/// <param name="P">Probability of a statistic this large where the hypothesis holds.</param>
public sealed record ChiSquareTest(string Name, int Buckets, double ChiSquare, int DegreesOfFreedom, double P)
{
    /// <summary>That all buckets are equally likely.</summary>
    public static ChiSquareTest Uniform(string name, ReadOnlySpan<int> counts)
    {
        var total = 0L;
        foreach (var count in counts) total += count;
        var (expected, sum) = ((double)total / counts.Length, 0.0);
        foreach (var count in counts) sum += (count - expected) * (count - expected) / expected;
        return Of(name, counts.Length, sum, counts.Length - 1);
    }

    /// <summary>That row and column of a contingency table are independent; expected counts are from the table's own margins.</summary>
    public static ChiSquareTest Independent(string name, int[,] table)
    {
        var (rows, columns) = (new double[table.GetLength(0)], new double[table.GetLength(1)]);
        for (var r = 0; r < rows.Length; r++)
            for (var c = 0; c < columns.Length; c++)
            {
                rows[r] += table[r, c];
                columns[c] += table[r, c];
            }
        var (total, sum) = (rows.Sum(), 0.0);
        for (var r = 0; r < rows.Length; r++)
            for (var c = 0; c < columns.Length; c++)
            {
                var expected = rows[r] * columns[c] / total;
                sum += (table[r, c] - expected) * (table[r, c] - expected) / expected;
            }
        return Of(name, rows.Length * columns.Length, sum, (rows.Length - 1) * (columns.Length - 1));
    }

    private static ChiSquareTest Of(string name, int cells, double sum, int freedom) => new(name, cells, sum, freedom, 1 - ChiSquared.CDF(freedom, sum));
}

/// <summary>
/// What hashing users into layers comes to: the very buckets that assignment uses, and the time and memory of whole assignments under an
/// experiment in each layer, a hold-out and the default layer.
/// </summary>
public sealed record AssignmentTrial(
    int Users, IReadOnlyList<ChiSquareTest> Layers, IReadOnlyList<ChiSquareTest> Pairs, double NanosecondsPerAssignment, double BytesPerAssignment, int Arms)
{
    private const int Cells = 100;
    private const int TimedMax = 1_000_000;

    public double SmallestP => Layers.Concat(Pairs).Min(t => t.P);

    /// <param name="users">Synthetic ids.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="progress">Told the share of the users that are placed, 0 to 1.</param>
    public static AssignmentTrial Run(int users, CancellationToken cancel = default, Action<double>? progress = null)
    {
        var settings = new ExperimentsSettings();
        var layers = new[] { ("ranking", 1_000), ("diversity", 10_000), ("exploration", 1_000) };
        var definitions = new ExperimentDefinitions
        {
            Holdouts = [new HoldoutDefinition { Name = "quarter", Share = .02 }],
            Layers = [.. layers.Select(l => new LayerDefinition { Name = l.Item1, Buckets = l.Item2 })],
            Experiments = [.. layers.Select(l => new ExperimentDefinition
            {
                Name = $"of-{l.Item1}", Layer = l.Item1, State = ExperimentState.Running, Share = .6, Arms = [new ArmDefinition { Name = "a" }, new ArmDefinition { Name = "b" }],
            })],
        };
        var splitter = new TrafficSplitter(settings);
        splitter.Apply(ExperimentPlanner.Next(ExperimentsVersion.None, definitions, "trial", "", 0), 0);
        var hashes = definitions.Layers.Select(l => (Name: l.Name, Salt: StableHash.Of(l.SaltOrDefault), l.Buckets))
            .Append((Name: "default", Salt: StableHash.Of(settings.Salt), Buckets: TrafficSplitter.Buckets)).ToArray();
        var counts = hashes.Select(h => new int[h.Buckets]).ToArray();
        var pairs = (from a in Enumerable.Range(0, hashes.Length) from b in Enumerable.Range(a + 1, hashes.Length - a - 1) select (A: a, B: b, Table: new int[Cells, Cells])).ToArray();
        Span<int> buckets = stackalloc int[hashes.Length];
        for (var u = 0; u < users; u++)
        {
            if ((u & 0xffff) == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress?.Invoke((double)u / users);
            }
            var user = StableHash.Of(UserOf(u));
            for (var l = 0; l < hashes.Length; l++) counts[l][buckets[l] = SplitSnapshot.Bucket(hashes[l].Salt, user, hashes[l].Buckets)]++;
            foreach (var (a, b, table) in pairs) table[buckets[a] % Cells, buckets[b] % Cells]++;
        }
        var (nanoseconds, bytes) = Cost(splitter, Math.Min(users, TimedMax));
        return new AssignmentTrial(
            users, [.. hashes.Select((h, l) => ChiSquareTest.Uniform(h.Name, counts[l]))],
            [.. pairs.Select(p => ChiSquareTest.Independent($"{hashes[p.A].Name} x {hashes[p.B].Name}", p.Table))], nanoseconds, bytes, splitter.Now.Named);
    }

    private static (double Nanoseconds, double Bytes) Cost(TrafficSplitter splitter, int users)
    {
        var ids = Enumerable.Range(0, users).Select(UserOf).ToArray();
        // Once before: names of combinations are made when first met.
        foreach (var id in ids) splitter.ArmOf(id);
        var (least, bytes) = (double.MaxValue, long.MaxValue);
        for (var run = 0; run < 5; run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            foreach (var id in ids) splitter.ArmOf(id);
            least = Math.Min(least, Stopwatch.GetElapsedTime(started).TotalNanoseconds / users);
            bytes = Math.Min(bytes, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return (least, (double)bytes / users);
    }

    private static string UserOf(int number) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"u{number}");
}
