using System.Globalization;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Evaluation.Metrics;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Models.Reranking;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>A list as the base ranker has scored it.</summary>
/// <param name="User">Whose.</param>
/// <param name="Grades">1 for each item that was clicked; in shown order, as all that follows.</param>
/// <param name="Scores">Log-odds by the base.</param>
/// <param name="Features">Shape [items, C]: dense figures, the base's last hidden layer, its log-odds.</param>
/// <param name="Items">Null where the catalogue does not know one.</param>
internal sealed record RankedList(string User, double[] Grades, float[] Scores, float[] Features, Item?[] Items)
{
    private readonly int[] _order = [.. Enumerable.Range(0, Scores.Length).OrderByDescending(i => Scores[i])];

    /// <summary>C.</summary>
    public int Columns => Features.Length / Scores.Length;

    /// <summary>In the base's order, as a re-ranker reads it.</summary>
    public LabelledList Labelled => new(
        [.. _order.SelectMany(i => Features.AsSpan(i * Columns, Columns).ToArray())], [.. _order.Select(i => (float)Grades[i])]);

    /// <summary>A re-ranker's scores of <see cref="Labelled"/>, put back in shown order.</summary>
    public float[] InShownOrder(float[] scores)
    {
        var into = new float[scores.Length];
        for (var place = 0; place < scores.Length; place++) into[_order[place]] = scores[place];
        return into;
    }

    /// <summary>Cosine of two items' indicators of tags and categories: in [0, 1], positive semi-definite.</summary>
    public float Similarity(int a, int b)
    {
        if (a == b) return 1f;
        var (left, right) = (Keys(Items[a]), Keys(Items[b]));
        return left.Length == 0 || right.Length == 0 ? 0f : (float)(left.Intersect(right).Count() / Math.Sqrt((double)left.Length * right.Length));
    }

    private static ulong[] Keys(Item? item) => item is null ? [] : [.. item.TagKeys, .. item.CategoryKeys];
}

/// <summary>The ranker under the re-rankers: DeepFM on the live path's rows, its last hidden layer the personalised vector.</summary>
internal sealed class BaseRanker : IDisposable
{
    private const int EpochsMax = 10, Patience = 2, BatchRows = 256, CutOff = 10;

    private readonly RankerModel _model;
    private readonly IItemCatalog _catalog;
    private readonly ExampleBatch _rows;

    private BaseRanker(RankerModel model, IItemCatalog catalog, int dense) =>
        (_model, _catalog, _rows) = (model, catalog, new ExampleBatch(CapturedLists.PastMax, new uint[dense]));

    /// <summary>Learns the lists' items as examples, in mini-batches over several epochs; the newest tenth tells when to stop.</summary>
    public static BaseRanker Trained(IReadOnlyList<CapturedList> lists, IItemCatalog catalog, EvaluationCase what, CancellationToken cancel)
    {
        var dense = lists[0].Dense.Length / lists[0].Shown.Keys.Length;
        var options = new RankerOptions { Seed = (ulong)what.Seed, Rate = 1e-3f, TableRate = 1e-3f, Regularisation = 1e-5f };
        var model = new RankerModel(ReRanking.Base, options, CapturedLists.PastMax, dense, catalog, what.Training?.Device);
        var ranker = new BaseRanker(model, catalog, dense);
        var learned = lists.Count * 9 / 10;
        var (train, held) = (lists.Take(learned).SelectMany(l => Enumerable.Range(0, l.Shown.Keys.Length).Select(i => (List: l, Item: i))).ToArray(), lists.Skip(learned).ToList());
        var (best, bestEpoch, kept) = (double.NegativeInfinity, 0, new MemoryStream());
        for (var epoch = 1; epoch <= EpochsMax && epoch - bestEpoch <= Patience; epoch++)
        {
            new Random(unchecked((int)StableHash.Combine((ulong)what.Seed, (ulong)epoch))).Shuffle(train);
            for (var start = 0; start < train.Length; start += BatchRows)
            {
                cancel.ThrowIfCancellationRequested();
                ranker._rows.Clear();
                foreach (var (list, item) in train.AsSpan(start, Math.Min(BatchRows, train.Length - start))) ranker.Add(list, item);
                model.Learn(ranker._rows);
            }
            var ndcg = ranker.Rank(held).Average(l => RankingMetrics.Evaluate([.. l.Scores.Select(s => (double)s)], l.Grades, CutOff).Ndcg);
            what.Note?.Invoke(string.Create(CultureInfo.InvariantCulture, $"base, epoch {epoch}: validation {ndcg:0.0000}"));
            if (ndcg <= best) continue;
            (best, bestEpoch, kept) = (ndcg, epoch, new MemoryStream());
            model.Save(kept);
        }
        kept.Position = 0;
        model.Load(kept);
        return ranker;
    }

    /// <summary>Scores lists.</summary>
    public List<RankedList> Rank(IReadOnlyList<CapturedList> lists)
    {
        var ranked = new List<RankedList>(lists.Count);
        foreach (var list in lists)
        {
            var (count, hidden) = (list.Shown.Keys.Length, _model.HiddenColumns);
            _rows.Clear();
            for (var i = 0; i < count; i++) Add(list, i);
            var (scores, vectors) = (new float[count], new float[count * hidden]);
            _model.Predict(_rows, scores, vectors);
            for (var i = 0; i < count; i++) scores[i] = MathF.Log(scores[i] / (1 - scores[i]));
            var dense = list.Dense.Length / count;
            var features = new float[count * (dense + hidden + 1)];
            for (var i = 0; i < count; i++)
            {
                var row = features.AsSpan(i * (dense + hidden + 1));
                list.Dense.AsSpan(i * dense, dense).CopyTo(row);
                vectors.AsSpan(i * hidden, hidden).CopyTo(row[dense..]);
                row[dense + hidden] = scores[i];
            }
            Item?[] items = [.. list.Shown.Keys.Select(k => _catalog.TryGet(k, out var item) ? item : null)];
            ranked.Add(new RankedList(list.Shown.Event.User, list.Shown.Grades, scores, features, items));
        }
        return ranked;
    }

    private void Add(CapturedList list, int item)
    {
        var (shown, dense) = (list.Shown, list.Dense.Length / list.Shown.Keys.Length);
        _rows.Add(
            StableHash.Of(shown.Event.User), shown.Keys[item], list.History, list.InSession, shown.Event.TimeMs, StableHash.Of(shown.Event.Surface),
            shown.Event.Items[item].Position, (float)shown.Grades[item], dense: list.Dense.AsSpan(item * dense, dense));
    }

    public void Dispose() => _model.Dispose();
}
