using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using TorchSharp;

namespace Streaming.Learning.Benchmarks;

/// <summary>What <see cref="DinBench"/> trains on.</summary>
/// <param name="Batch">Examples of a mini-batch.</param>
/// <param name="History">Past items of every example.</param>
/// <param name="Dim">Columns of an embedding.</param>
/// <param name="Items">Vocabulary; log-uniform, so that few items make most of the stream.</param>
/// <param name="Threads">Of an operation of libtorch.</param>
/// <param name="Seed">Of data and first weights.</param>
/// <param name="Dense">Dense columns: as many as the node's ranker has by default.</param>
public sealed record DinBenchShape(int Batch = 256, int History = 20, int Dim = 16, int Items = 100_000, int Threads = 1, long Seed = 1, int Dense = 10);

/// <summary>One stretch of training: each batch is predicted and then learned.</summary>
public sealed record DinBenchResult(long Examples, double Seconds, double ExamplesPerSecond, double Loss);

/// <summary>Latency of ranking the candidates of one user, on one thread.</summary>
public sealed record DinRankResult(int Calls, int Candidates, double P50Ms, double P99Ms, double MaxMs, double LargestDifference);

/// <summary>
/// Throughput of <see cref="Din"/> and latency of <see cref="DinScorer"/> on planted data. The same numbers can be written to a folder, for
/// a peer to train on.
/// </summary>
public sealed class DinBench : IDisposable
{
    private const int Batches = 200, Warmup = 20, Users = 20_000, Surfaces = 3, Categories = 1_000;
    private const long Start = 1_700_000_000_000 / 3_600_000 * 3_600_000;

    private readonly DinBenchShape _shape;
    private readonly Columns _data;
    private readonly List<ExampleBatch> _batches = [];
    private readonly Din _model;
    private int _at;

    /// <summary>The stream by number, from 1; 0 stands for nothing.</summary>
    private sealed record Columns(
        int[] Users, int[] Items, int[] Histories, int[] Session, int[] Surfaces, int[] Hours, float[] Labels, int[] Categories, float[] Dense);

    /// <param name="shape">Model and data.</param>
    /// <param name="device">Where it trains; null for the CPU. Ranking is on the CPU always.</param>
    public DinBench(DinBenchShape shape, torch.Device? device = null)
    {
        _shape = shape;
        torch.set_num_threads(shape.Threads);
        _data = Plant(shape);
        var catalog = new ItemCatalog();
        for (var item = 1; item <= shape.Items; item++)
            catalog.Apply(new ItemChange(IdOf(item), new Item(IdOf(item)) { Categories = [$"category {_data.Categories[item]}"] }, Start));
        _model = new Din(
            new DinOptions { Dim = shape.Dim, HistoryMax = shape.History, PositionsMax = 0, Seed = (ulong)shape.Seed, DenseColumns = shape.Dense }, catalog, device);
        FillBatches();
    }

    private static string IdOf(int item) => $"item {item}";

    /// <summary>Trains for about so long, after a warm-up when it is the first time, and goes on where it stood when it is not.</summary>
    public DinBenchResult Train(double seconds)
    {
        while (_at < Warmup) Step();
        var (clock, steps, loss) = (Stopwatch.StartNew(), 0L, 0.0);
        for (; clock.Elapsed.TotalSeconds < seconds; steps++) loss += Step();
        var elapsed = clock.Elapsed.TotalSeconds;
        return new DinBenchResult(steps * _shape.Batch, elapsed, steps * _shape.Batch / elapsed, loss / steps);
    }

    private float Step()
    {
        var batch = _batches[_at++ % Batches];
        Span<float> scores = stackalloc float[batch.Count];
        _model.Predict(batch, scores);
        return _model.Learn(batch);
    }

    /// <summary>Ranks candidates of one user after another, and compares with the model's own predictions.</summary>
    public DinRankResult Rank(int calls, int candidates)
    {
        var scorer = new DinScorer(_model);
        var (items, dense, scores, times) = (new ulong[candidates], new float[candidates * _shape.Dense], new float[candidates], new double[calls]);
        var difference = 0.0;
        for (var call = -calls / 10; call < calls; call++)
        {
            var row = (call + calls) % _shape.Batch;
            var batch = _batches[Math.Abs(call) % Batches];
            for (var i = 0; i < candidates; i++)
            {
                var from = _batches[(Math.Abs(call) + 1 + i / _shape.Batch) % Batches];
                items[i] = from.Items[i % _shape.Batch];
                from.DenseRow(i % _shape.Batch).CopyTo(dense.AsSpan(i * _shape.Dense));
            }
            var before = Stopwatch.GetTimestamp();
            scorer.Score(batch.Users[row], batch.History(row), batch.InSession[row], batch.Surfaces[row], batch.ShownMs[row], items, dense, scores);
            if (call >= 0) times[call] = Stopwatch.GetElapsedTime(before).TotalMilliseconds;
            if (call % 100 == 0) difference = Math.Max(difference, Difference(batch, row, items, dense, scores));
        }
        Array.Sort(times);
        return new DinRankResult(calls, candidates, times[calls / 2], times[calls * 99 / 100], times[^1], difference);
    }

    private double Difference(ExampleBatch from, int row, ulong[] items, float[] dense, float[] scores)
    {
        var batch = new ExampleBatch(_shape.History, new uint[_shape.Dense]);
        for (var i = 0; i < items.Length; i++)
            batch.Add(
                from.Users[row], items[i], from.History(row), from.InSession[row], from.ShownMs[row], from.Surfaces[row],
                dense: dense.AsSpan(i * _shape.Dense, _shape.Dense));
        var expected = new float[items.Length];
        _model.Predict(batch, expected);
        return expected.Zip(scores, (a, b) => Math.Abs((double)a - b)).Max();
    }

    /// <summary>Writes the data as the peer reads it: shape.json and one file of little-endian numbers per column.</summary>
    public void Write(string folder)
    {
        var options = new DinOptions();
        File.WriteAllText(Path.Combine(folder, "shape.json"), JsonSerializer.Serialize(new
        {
            batch = _shape.Batch, history = _shape.History, dim = _shape.Dim, items = _shape.Items, categories = Categories, users = Users,
            surfaces = Surfaces, unit = options.UnitColumns, hidden = options.HiddenColumns, threads = _shape.Threads, seed = _shape.Seed, warmup = Warmup, dense = _shape.Dense,
        }));
        void Put<T>(string name, T[] values) where T : unmanaged =>
            File.WriteAllBytes(Path.Combine(folder, name), MemoryMarshal.AsBytes<T>(values).ToArray());
        Put("users.i32", _data.Users);
        Put("items.i32", _data.Items);
        Put("histories.i32", _data.Histories);
        Put("session.i32", _data.Session);
        Put("surfaces.i32", _data.Surfaces);
        Put("hours.i32", _data.Hours);
        Put("labels.f32", _data.Labels);
        Put("categories.i32", _data.Categories);
        Put("dense.f32", _data.Dense);
    }

    public void Dispose() => _model.Dispose();

    private void FillBatches()
    {
        var history = new ulong[_shape.History];
        var keys = Enumerable.Range(0, _shape.Items + 1).Select(i => i == 0 ? 0 : StableHash.Of(IdOf(i))).ToArray();
        for (var b = 0; b < Batches; b++)
        {
            var batch = new ExampleBatch(_shape.History, new uint[_shape.Dense]);
            for (var row = b * _shape.Batch; row < (b + 1) * _shape.Batch; row++)
            {
                for (var i = 0; i < history.Length; i++) history[i] = keys[_data.Histories[row * history.Length + i]];
                batch.Add(
                    StableHash.Of($"user {_data.Users[row]}"), keys[_data.Items[row]], history, _data.Session[row], Start + _data.Hours[row] * 3_600_000L,
                    StableHash.Of($"surface {_data.Surfaces[row]}"), -1, _data.Labels[row], dense: _data.Dense.AsSpan(row * _shape.Dense, _shape.Dense));
            }
            _batches.Add(batch);
        }
    }

    /// <summary>A user likes what is of the category that most of their past items are near to: by the parity of categories.</summary>
    private static Columns Plant(DinBenchShape shape)
    {
        var (rows, draws) = (Batches * shape.Batch, 0UL);
        double Draw() => StableHash.Unit(StableHash.Combine((ulong)shape.Seed, ++draws));
        int Whole(int below) => (int)(Draw() * below);
        int Item() => (int)Math.Min(shape.Items, Math.Pow(shape.Items, Draw()));
        var data = new Columns(
            new int[rows], new int[rows], new int[rows * shape.History], new int[rows], new int[rows], new int[rows], new float[rows], new int[shape.Items + 1],
            new float[rows * shape.Dense]);
        for (var item = 1; item <= shape.Items; item++) data.Categories[item] = 1 + Whole(Categories);
        for (var row = 0; row < rows; row++)
        {
            var alike = 0;
            (data.Users[row], data.Items[row], data.Session[row]) = (1 + Whole(Users), Item(), Whole(shape.History + 1));
            (data.Surfaces[row], data.Hours[row]) = (1 + Whole(Surfaces), Whole(24));
            for (var i = 0; i < shape.History; i++)
            {
                var past = data.Histories[row * shape.History + i] = Item();
                if (data.Categories[past] % 2 == data.Categories[data.Items[row]] % 2) alike++;
            }
            for (var i = 0; i < shape.Dense; i++) data.Dense[row * shape.Dense + i] = (float)(2 * Draw() - 1);
            data.Labels[row] = Draw() < (2 * alike > shape.History ? 0.7 : 0.3) ? 1f : 0f;
        }
        return data;
    }
}
