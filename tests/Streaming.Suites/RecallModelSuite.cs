using Streaming.Core.Ids;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Recall;

namespace Streaming.Suites;

/// <summary>What every model of <see cref="RecallModels"/> promises beyond <see cref="DeepModelSuite"/>: a subclass names it.</summary>
public abstract class RecallModelSuite(string name) : DeepModelSuite
{
    private const int Groups = 6, GroupItems = 12;
    private static readonly ulong Hit = StableHash.Of("hit");

    /// <summary>Small, and for fast learning.</summary>
    protected virtual RecallOptions Options => new()
    {
        Dim = 8, Hidden = 16, HistoryMax = HistoryMax, Rate = 5e-3f, TableRate = 2e-2f, Frequency = new FrequencyOptions(2, 256),
    };

    protected override double LossFallsTo => 0.9;

    protected override IDeepModel Create(long seed) => New(Options with { Seed = (ulong)seed });

    private RecallModel New(RecallOptions options) => new(RecallModels.Find(name)!, options, TestDevice.Torch);

    /// <summary>A quarter of all clicks go to one item of 73: who recommends what is popular finds that and nothing else.</summary>
    [TorchFact]
    public void The_nearest_items_are_the_users_own_and_not_the_popular_one()
    {
        var model = New(Options);
        var random = new Random(5);
        var batch = new ExampleBatch(HistoryMax);
        for (var step = 0; step < 500; step++)
        {
            batch.Clear();
            for (var row = 0; row < 48; row++) AddClick(batch, random, row % 4 == 0 ? Hit : 0, step);
            model.Learn(batch);
        }
        ulong[] items = [Hit, .. Enumerable.Range(0, Groups * GroupItems).Select(i => ItemOf(i % Groups, i / Groups))];
        var (found, asked) = (new int[2], 0);
        Span<float> users = new float[model.VectorsMax * model.VectorDim], vector = new float[model.VectorDim];
        // Those that were learned from, and new ones.
        for (var user = 0; user < 60; user++)
        {
            var history = Enumerable.Range(0, 4).Select(_ => ItemOf(user % Groups, random.Next(GroupItems))).ToArray();
            var count = model.UserVectors(StableHash.Of($"{(user % 2 == 0 ? "new" : "user")} {user}"), history, 2, users);
            count.ShouldBeInRange(1, model.VectorsMax);
            var scores = new float[items.Length];
            for (var i = 0; i < items.Length; i++)
            {
                model.ItemVector(items[i], vector);
                scores[i] = float.NegativeInfinity;
                for (var k = 0; k < count; k++) scores[i] = Math.Max(scores[i], VectorMath.Dot(users.Slice(k * model.VectorDim, model.VectorDim), vector));
            }
            Array.Sort(scores, items, Comparer<float>.Create((a, b) => b.CompareTo(a)));
            found[user % 2] += items[..10].Count(item => item != Hit && Enumerable.Range(0, GroupItems).Any(i => item == ItemOf(user % Groups, i)));
            asked += 10;
        }
        // The popular list holds the hit and nine items of all groups alike: one in six of those is the user's.
        found.ShouldAllBe(own => 2.0 * own / asked > 0.6);
    }

    [TorchFact]
    public void Vectors_in_plain_arrays_come_to_what_the_tensors_do()
    {
        var model = New(Options);
        Trained(model, 30);
        var batch = Planted(50);
        var scores = model.TensorScores(batch, out var candidates);
        var at = 0;
        Span<float> users = new float[model.VectorsMax * model.VectorDim], vector = new float[model.VectorDim];
        for (var row = 0; row < batch.Count; row++)
        {
            if (!(batch.Labels[row] > 0.5f)) continue;
            var count = model.UserVectors(batch.Users[row], batch.History(row), batch.InSession[row], users);
            var (plain, shift) = (new float[candidates.Length], 0f);
            for (var i = 0; i < plain.Length; i++)
            {
                model.ItemVector(candidates[i], vector);
                VectorMath.Norm(vector).ShouldBe(1, 1e-4f);
                plain[i] = float.NegativeInfinity;
                for (var k = 0; k < count; k++) plain[i] = Math.Max(plain[i], VectorMath.Dot(users.Slice(k * model.VectorDim, model.VectorDim), vector) * BoundOf(model));
                if (i == 0) shift = plain[0] - scores[at * plain.Length];
                plain[i].ShouldBe(scores[at * plain.Length + i] + shift, 1e-3f, $"row {row}, item {i}");
            }
            at++;
        }
        (at * candidates.Length).ShouldBe(scores.Length);
    }

    [TorchFact]
    public void Nothing_is_known_of_who_has_no_history_or_of_an_item_never_met()
    {
        var model = New(Options);
        Trained(model, 5);
        var vectors = new float[model.VectorsMax * model.VectorDim];
        model.UserVectors(StableHash.Of("user 1"), [], 0, vectors).ShouldBe(0);
        model.Knows(ItemOf(0, 0)).ShouldBeTrue();
        model.Knows(StableHash.Of("never met")).ShouldBeFalse();
        model.Knows(0).ShouldBeFalse();
    }

    [TorchFact]
    public void A_forgotten_user_is_nobody()
    {
        var model = New(Options);
        Trained(model, 20);
        var (user, history) = (StableHash.Of("user 3"), new[] { ItemOf(3, 1), ItemOf(3, 2) });
        foreach (var rows in model.Weights.UserTables) rows.Forget(user).ShouldBeTrue();
        model.Weights.Tables.ShouldAllBe(t => !t.Table.Keys.Contains(user));
        var (own, nobody) = (new float[model.VectorDim], new float[model.VectorDim]);
        model.UserVector(user, history, 1, own);
        model.UserVector(StableHash.Of("never met"), history, 1, nobody);
        own.ShouldBe(nobody);
    }

    [TorchFact]
    public void Rows_are_bounded_and_old_ones_make_room()
    {
        var model = New(Options with { RowsMax = 40, RowExpiryMs = 1_000 });
        var batch = new ExampleBatch(HistoryMax);
        for (var step = 0; step < 60; step++)
        {
            batch.Clear();
            for (var row = 0; row < 8; row++)
                batch.Add((ulong)(1000 + step * 8 + row), StableHash.Of($"item {step} {row}"), [StableHash.Of($"item {step} {row + 1}")], 0, step * 200L, 0, label: 1);
            float.IsFinite(model.Learn(batch)).ShouldBeTrue();
            model.Weights.Tables.ShouldAllBe(t => t.Table.Count <= 40);
        }
        model.Knows(StableHash.Of("item 0 0")).ShouldBeFalse();
        model.Knows(StableHash.Of("item 59 0")).ShouldBeTrue();
    }

    [TorchFact]
    public void Vectors_cost_no_allocation()
    {
        var model = New(Options);
        Trained(model, 5);
        var (users, item) = (new float[model.VectorsMax * model.VectorDim], new float[model.VectorDim]);
        ulong[] history = [.. Enumerable.Range(0, 9).Select(i => ItemOf(1, i))];
        void Ask(int i)
        {
            model.UserVectors(StableHash.Of("user 1"), history, 3, users);
            model.ItemVector(history[i % 9], item);
        }
        Ask(0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Ask(i);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    /// <summary>What the items' vectors have been divided by.</summary>
    private static float BoundOf(RecallModel model)
    {
        var bound = new float[1];
        model.Weights.Dense.Single(d => d.Name == "bound").CopyTo(bound);
        return bound[0];
    }

    private static void AddClick(ExampleBatch batch, Random random, ulong item, int step)
    {
        var user = random.Next(200);
        var history = Enumerable.Range(0, 1 + random.Next(HistoryMax)).Select(_ => ItemOf(user % Groups, random.Next(GroupItems))).ToArray();
        batch.Add(
            StableHash.Of($"user {user}"), item == 0 ? ItemOf(user % Groups, random.Next(GroupItems)) : item, history, random.Next(history.Length + 1),
            1_700_000_000_000 + step * 1_000L, 0, label: 1);
    }
}
