using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>How a <see cref="TwoTowerRecommender"/> trains.</summary>
public sealed record TwoTowerTraining
{
    /// <summary>Passes at most.</summary>
    public int EpochsMax { get; init; } = 10;

    /// <summary>Passes without a better validation after which it stops.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>Steps of a user's history that an epoch learns at most, drawn anew in each.</summary>
    public int ExamplesPerUserMax { get; init; } = 50;

    /// <summary>Examples of a mini-batch, whose items are the negatives of each other.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Users whose last item is held out, at most; a fifth of those with a history if that is less.</summary>
    public int ValidationUsersMax { get; init; } = 1000;

    /// <summary>A longer pause ends a session.</summary>
    public long SessionGapMs { get; init; } = 1_800_000;
}

/// <summary>
/// The live path's <see cref="TwoTower"/> as an offline model: the same network, loss and tables, learning each step of the histories from what stood
/// before it, for several passes instead of one. It knows no side information here, as the protocols give none. Features: sparse user, sequence items
/// with times.
/// Known number: none for these data, as of <see cref="TwoTower"/> (Yi et al. 2019).
/// </summary>
/// <param name="training">How it trains.</param>
/// <param name="options">The network's; its seed is the fit's.</param>
/// <param name="device">Where it learns; null for the CPU.</param>
public sealed class TwoTowerRecommender(TwoTowerTraining training, TwoTowerOptions options, torch.Device? device = null) : ITrainedRecommender
{
    private const int HistoryMin = 5, CutOff = 10;

    private TwoTower? _model;
    private Interactions? _train;
    private float[] _items = [];

    public void Fit(Interactions train, long seed) => Fit(train, seed, null);

    /// <remarks>A checkpoint file is not kept: a training is minutes.</remarks>
    public TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress, TrainingRun? run = null)
    {
        if (!TorchRuntime.TryLoad(out var reason)) throw new PlatformNotSupportedException(reason);
        run ??= new TrainingRun();
        var model = new TwoTower(options with { Seed = (ulong)seed }, new NoItems(), run.Device ?? device);
        var held = HeldOut(train, seed);
        var (clock, losses) = (Stopwatch.StartNew(), new List<double>());
        var (bestEpoch, best, saved) = (0, double.NaN, (byte[]?)null);
        while (losses.Count < training.EpochsMax && losses.Count - bestEpoch < training.Patience && (losses.Count == 0 || !(clock.Elapsed > run.TimeMax)))
        {
            var epoch = losses.Count;
            TrainingProgress Now(double part, double loss, double validation)
            {
                var share = (epoch + part) / training.EpochsMax;
                return new TrainingProgress(epoch + 1, share, loss, validation, clock.Elapsed * ((1 - share) / share));
            }
            losses.Add(Epoch(model, train, held, new Random(unchecked((int)StableHash.Combine((ulong)seed, (ulong)epoch))),
                (part, loss) => progress?.Invoke(Now(part, loss, double.NaN))));
            var metric = Validate(model, train, held);
            if (double.IsNaN(best) || metric > best || double.IsNaN(metric))
            {
                (bestEpoch, best) = (epoch + 1, metric);
                if (!double.IsNaN(metric)) saved = Saved(model);
            }
            progress?.Invoke(Now(1, losses[^1], metric) with { EpochEnded = true });
        }
        if (saved is not null) model.Load(new MemoryStream(saved));
        (_model, _train, _items) = (model, train, ItemVectors(model, train.ItemCount));
        return new TrainingResult(losses.Count, bestEpoch, best, losses);
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        if (_model is not { } model || _train is not { } train) throw new InvalidOperationException("the model is not fitted");
        Score(model, train, _items, user, history, scores);
    }

    private void Score(TwoTower model, Interactions train, float[] items, int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        Span<float> vector = stackalloc float[model.VectorDim];
        var (past, inSession) = Past(train, user, history);
        model.UserVector(UserKey(user), past, inSession, vector);
        for (var item = 0; item < scores.Length; item++) scores[item] = VectorMath.Dot(vector, items.AsSpan(item * model.VectorDim, model.VectorDim));
    }

    private double Epoch(TwoTower model, Interactions train, int[] held, Random random, Action<double, double> told)
    {
        var gone = held.ToHashSet();
        List<(int User, int At)> examples = [];
        for (var user = 0; user < train.UserCount; user++)
        {
            var places = Enumerable.Range(1, Math.Max(0, train.History(user).Length - 1 - (gone.Contains(user) ? 1 : 0))).ToArray();
            random.Shuffle(places);
            examples.AddRange(places.Take(training.ExamplesPerUserMax).Select(at => (user, at)));
        }
        var order = examples.ToArray();
        random.Shuffle(order);
        var batch = new ExampleBatch(options.HistoryMax);
        var (sum, batches) = (0.0, 0);
        for (var from = 0; from < order.Length; from += training.BatchSize)
        {
            batch.Clear();
            foreach (var (user, at) in order.AsSpan(from, Math.Min(training.BatchSize, order.Length - from)))
            {
                var (past, inSession) = Past(train, user, train.History(user)[..at]);
                batch.Add(UserKey(user), ItemKey(train.History(user)[at]), past, inSession, train.TimesMs[train.HistoryRows(user)[at]], 0, label: 1);
            }
            sum += model.Learn(batch);
            told((double)(from + batch.Count) / order.Length, sum / ++batches);
        }
        return batches == 0 ? 0 : sum / batches;
    }

    /// <summary>Keys of the newest items, newest first, and how many of them are of the open session. Of a history that is not the beginning of the user's own no time is known: one session.</summary>
    private (ulong[] Past, int InSession) Past(Interactions train, int user, ReadOnlySpan<int> history)
    {
        var rows = user < train.UserCount ? train.HistoryRows(user) : [];
        var known = history.Length <= rows.Length && train.History(user)[..history.Length].SequenceEqual(history);
        var past = new ulong[Math.Min(history.Length, options.HistoryMax)];
        var inSession = past.Length;
        for (var back = 1; back <= past.Length; back++)
        {
            past[back - 1] = ItemKey(history[^back]);
            var place = history.Length - back;
            if (known && back > 1 && inSession == past.Length && train.TimesMs[rows[place + 1]] - train.TimesMs[rows[place]] > training.SessionGapMs) inSession = back - 1;
        }
        return (past, inSession);
    }

    private double Validate(TwoTower model, Interactions train, int[] held)
    {
        if (held.Length == 0) return double.NaN;
        var (items, scores, sum) = (ItemVectors(model, train.ItemCount), new float[train.ItemCount], 0.0);
        foreach (var user in held)
        {
            var history = train.History(user);
            Score(model, train, items, user, history[..^1], scores);
            sum += Sequences.SequenceTask.Gain(scores, history[..^1].ToArray(), history[^1], CutOff);
        }
        return sum / held.Length;
    }

    private int[] HeldOut(Interactions train, long seed)
    {
        var users = Enumerable.Range(0, train.UserCount)
            .Where(user => train.History(user) is { Length: >= HistoryMin } history && !history[..^1].Contains(history[^1])).ToArray();
        new Random(unchecked((int)StableHash.Finalise((ulong)seed))).Shuffle(users);
        return users[..Math.Min(training.ValidationUsersMax, users.Length / 5)];
    }

    private static float[] ItemVectors(TwoTower model, int count)
    {
        var vectors = new float[count * model.VectorDim];
        for (var item = 0; item < count; item++) model.ItemVector(ItemKey(item), vectors.AsSpan(item * model.VectorDim, model.VectorDim));
        return vectors;
    }

    private static byte[] Saved(TwoTower model)
    {
        using var stream = new MemoryStream();
        model.Save(stream);
        return stream.ToArray();
    }

    // A key of 0 stands for nothing.
    private static ulong ItemKey(int item) => StableHash.Finalise((ulong)item + 1);

    private static ulong UserKey(int user) => StableHash.Finalise((ulong)user + 1);

    /// <summary>A catalogue without items.</summary>
    private sealed class NoItems : IItemCatalog
    {
        public int Count => 0;

        public long Version => 0;

        public IEnumerable<Item> All => [];

        public bool TryGet(ulong key, [MaybeNullWhen(false)] out Item item)
        {
            item = null;
            return false;
        }
    }
}
