using System.Diagnostics;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Models.Reranking;

namespace Streaming.Learning.Benchmarks;

/// <summary>Latency of ranking the candidates of one user, on one thread.</summary>
public sealed record RankLatency(string Model, double P50Ms, double P99Ms, double MaxMs);

/// <summary>
/// Latency of every ranker of the live path on the same planted users and items, after some mini-batches, so that the rows are there. Shapes are the node's:
/// histories of 20, ten dense figures, items with a category, an author and two tags; three tasks for the rankers of several.
/// </summary>
public sealed class RankBench
{
    private const int Items = 20_000, Users = 2_000, History = 20, Dense = 10, TrainRows = 256, TrainBatches = 40;
    private const long NowMs = 1_700_000_000_000;

    private readonly ItemCatalog _catalog = new();
    private readonly ulong _seed;
    private readonly ulong[] _keys;
    private readonly uint[] _denseFeatures = [.. Enumerable.Range(1, Dense).Select(i => (uint)i)];
    private readonly ulong _surface = StableHash.Of("home");
    private ulong _draws;

    public RankBench(long seed)
    {
        _seed = (ulong)seed;
        _keys = new ulong[Items];
        for (var i = 0; i < Items; i++)
        {
            var id = $"item {i}";
            _keys[i] = StableHash.Of(id);
            _catalog.Apply(new ItemChange(id, new Item(id) { Categories = [$"c{Draw(200)}"], Author = $"a{Draw(2_000)}", Tags = [$"t{Draw(500)}", $"t{Draw(500)}"] }, NowMs));
        }
    }

    /// <summary>Every model that <see cref="Measure"/> takes.</summary>
    public static IReadOnlyList<string> Models { get; } = ["din", .. Rankers.Live, PrmModel.ModelName];

    private int Draw(int below) => (int)(StableHash.Unit(StableHash.Combine(_seed, ++_draws)) * below);

    /// <summary>Ranks <paramref name="candidates"/> items for one user after another; a tenth of the calls before that is not timed.</summary>
    public RankLatency Measure(string model, int calls, int candidates)
    {
        _draws = 1_000_000;
        if (model == "din")
        {
            using var din = new Din(new DinOptions { HistoryMax = History, HiddenColumns = [64, 32], DenseColumns = Dense, Seed = _seed }, _catalog);
            Train(din);
            var scorer = new DinScorer(din);
            return Time(model, calls, candidates, 1, (user, history, items, dense, scores) => scorer.Score(user, history, History / 2, _surface, NowMs, items, dense, scores));
        }
        if (model == PrmModel.ModelName)
        {
            using var prm = new PrmModel(new RankerOptions { Seed = _seed }, itemsMax: 50, waitMs: 0, History, _denseFeatures, _catalog);
            Train(prm);
            using var lists = prm.NewCandidates();
            lists.Refresh();
            return Time(model, calls, candidates, 1, (user, history, items, dense, scores) => lists.Score(user, history, History / 2, _surface, NowMs, items, dense, scores));
        }
        using var ranker = new RankerModel(model, new RankerOptions { Seed = _seed }, History, Dense, _catalog, goals: [EventKind.Like, EventKind.Purchase]);
        Train(ranker);
        using var rows = ranker.NewCandidates();
        rows.Refresh();
        return Time(model, calls, candidates, rows.Tasks, (user, history, items, dense, scores) => rows.Score(user, history, History / 2, _surface, NowMs, items, dense, scores));
    }

    private ulong[] Some(int count) => [.. Enumerable.Range(0, count).Select(_ => _keys[Draw(Items)])];

    private float[] Figures(int count) => [.. Enumerable.Range(0, count * Dense).Select(_ => Draw(1_000) / 500f - 1)];

    private void Train(IDeepModel model)
    {
        var batch = new ExampleBatch(History, _denseFeatures);
        for (var step = 0; step < TrainBatches; step++)
        {
            batch.Clear();
            for (var row = 0; row < TrainRows; row++)
                batch.Add(
                    StableHash.Of($"user {Draw(Users)}"), _keys[Draw(Items)], Some(History), History / 2, NowMs, _surface, row % 20, Draw(2), dense: Figures(1));
            model.Learn(batch);
        }
    }

    private RankLatency Time(string model, int calls, int candidates, int tasks, Action<ulong, ulong[], ulong[], float[], float[]> score)
    {
        var (times, scores) = (new double[calls], new float[candidates * tasks]);
        for (var call = -calls / 10; call < calls; call++)
        {
            var (user, history, items, dense) = (StableHash.Of($"user {Draw(Users)}"), Some(History), Some(candidates), Figures(candidates));
            var before = Stopwatch.GetTimestamp();
            score(user, history, items, dense, scores);
            if (call >= 0) times[call] = Stopwatch.GetElapsedTime(before).TotalMilliseconds;
        }
        Array.Sort(times);
        return new RankLatency(model, times[calls / 2], times[calls * 99 / 100], times[^1]);
    }
}
