using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Suites;

namespace Streaming.Models.Tests.Deep;

public sealed class TwoTowerSuiteTests : DeepModelSuite
{
    // A softmax over some thirty items of which six are right by the plan: the floor is about log 6 of log 30.
    protected override double LossFallsTo => 0.85;

    protected override IDeepModel Create(long seed) => new TwoTower(TwoTowerTests.Small with { Seed = (ulong)seed }, new ItemCatalog(), TestDevice.Torch);
}

public sealed class TwoTowerWithUsersSuiteTests : DeepModelSuite
{
    protected override double LossFallsTo => 0.9;

    protected override IDeepModel Create(long seed) =>
        new TwoTower(TwoTowerTests.Small with { Seed = (ulong)seed, UserRows = true, LogNegatives = true, HiddenColumns = [] }, new ItemCatalog(), TestDevice.Torch);
}

public sealed class TwoTowerTests
{
    internal static readonly TwoTowerOptions Small = new()
    {
        Dim = 4, VectorDim = 8, HiddenColumns = [12], HistoryMax = 6, Rate = 5e-3f, TableRate = 2e-2f, ItemInitScale = 0.05f, Frequency = new FrequencyOptions(2, 256),
    };

    private const int Groups = 5;

    private static ulong Key(string id) => StableHash.Of(id);

    private static void Put(ItemCatalog catalog, string id, int group) => catalog.Apply(new ItemChange(id, new Item(id)
    {
        Categories = [$"category {group}"], Author = $"author {group}", Tags = [$"tag {group}"],
    }, 0));

    /// <summary>Users like the items of one category.</summary>
    private static (TwoTower Model, ItemCatalog Catalog) Trained(TwoTowerOptions options, int steps = 150)
    {
        var catalog = new ItemCatalog();
        for (var group = 0; group < Groups; group++)
            for (var i = 0; i < 10; i++) Put(catalog, $"{group}/{i}", group);
        var model = new TwoTower(options, catalog, TestDevice.Torch);
        var (random, batch) = (new Random(1), new ExampleBatch(6));
        for (var step = 0; step < steps; step++)
        {
            batch.Clear();
            for (var row = 0; row < 40; row++)
            {
                var group = random.Next(Groups);
                ulong[] history = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Key($"{group}/{random.Next(10)}"))];
                batch.Add(Key($"user {row}"), Key($"{group}/{random.Next(10)}"), history, random.Next(history.Length + 1), step, 0, label: 1);
            }
            model.Learn(batch);
        }
        return (model, catalog);
    }

    [TorchFact]
    public void A_new_item_has_its_place_from_its_side_information_at_once()
    {
        var (model, catalog) = Trained(Small);
        for (var group = 0; group < Groups; group++) Put(catalog, $"new {group}", group);
        var (user, item) = (new float[8], new float[8]);
        for (var group = 0; group < Groups; group++)
        {
            model.UserVector(0, [Key($"{group}/1"), Key($"{group}/2")], 1, user);
            var cosines = Enumerable.Range(0, Groups).Select(g =>
            {
                model.ItemVector(Key($"new {g}"), item);
                return VectorMath.Dot(user, item);
            }).ToArray();
            Array.IndexOf(cosines, cosines.Max()).ShouldBe(group);
        }
        model.Knows(Key("new 1")).ShouldBeTrue();
        model.Knows(Key("nothing")).ShouldBeFalse();
        catalog.Apply(new ItemChange("odd", new Item("odd") { Categories = ["never seen"] }, 0));
        model.Knows(Key("odd")).ShouldBeFalse();
    }

    [TorchFact]
    public void The_correction_leaves_popular_items_their_due()
    {
        // One item in two is the same, whatever the user's past: in every batch, it is everybody's negative, and only the correction knows why.
        float Lead(bool corrects)
        {
            var model = new TwoTower(Small with { CorrectsSampling = corrects, Frequency = Small.Frequency with { LearningRate = 0.1, InitialInterval = 5 } }, new ItemCatalog(), TestDevice.Torch);
            var (random, batch) = (new Random(2), new ExampleBatch(6));
            for (var step = 0; step < 200; step++)
            {
                batch.Clear();
                for (var row = 0; row < 16; row++)
                    batch.Add(1, random.Next(2) == 0 ? Key("popular") : Key($"rare {random.Next(60)}"), [Key($"rare {random.Next(60)}")], 0, step, 0, label: 1);
                model.Learn(batch);
            }
            var (user, item, sum) = (new float[8], new float[8], 0f);
            model.UserVector(1, [Key("rare 1")], 0, user);
            for (var i = 0; i < 60; i++)
            {
                model.ItemVector(Key($"rare {i}"), item);
                sum -= VectorMath.Dot(user, item) / 60;
            }
            model.ItemVector(Key("popular"), item);
            return sum + VectorMath.Dot(user, item);
        }
        var (with, without) = (Lead(true), Lead(false));
        with.ShouldBeGreaterThan(without + 0.05f);
    }

    [TorchFact]
    public void Only_positive_rows_are_learned_from()
    {
        var (one, two) = (new TwoTower(Small, new ItemCatalog(), TestDevice.Torch), new TwoTower(Small, new ItemCatalog(), TestDevice.Torch));
        var (mixed, positive) = (new ExampleBatch(6), new ExampleBatch(6));
        for (var row = 0; row < 30; row++)
        {
            mixed.Add(1, Key($"item {row}"), [Key($"item {row / 2}")], 0, 0, 0, label: row % 3 == 0 ? 1 : 0);
            if (row % 3 == 0) positive.Add(1, Key($"item {row}"), [Key($"item {row / 2}")], 0, 0, 0, label: 1);
        }
        one.Learn(mixed).ShouldBe(two.Learn(positive));
        one.Weights.Tables[0].Table.Count.ShouldBe(two.Weights.Tables[0].Table.Count);
        var negative = new ExampleBatch(6);
        negative.Add(1, Key("item 1"), [], 0, 0, 0);
        one.Learn(negative).ShouldBe(0f);
        one.Frequency.Steps.ShouldBe(1);
    }

    [TorchFact]
    public void Vectors_have_length_one_and_cost_no_allocation()
    {
        var (model, _) = Trained(Small with { UserRows = true }, 5);
        var (user, item) = (new float[8], new float[8]);
        ulong[] history = [.. Enumerable.Range(0, 9).Select(i => Key($"1/{i}"))];
        model.UserVector(Key("user 1"), history, 3, user);
        model.ItemVector(history[0], item);
        VectorMath.Dot(user, user).ShouldBe(1, 1e-5f);
        VectorMath.Dot(item, item).ShouldBe(1, 1e-5f);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            model.UserVector(Key("user 1"), history, 3, user);
            model.ItemVector(history[i % 9], item);
        }
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void Serving_needs_no_libtorch_and_knows_what_it_knows()
    {
        var model = new TwoTower(Small, new ItemCatalog(), TestDevice.Torch);
        var vector = new float[8];
        model.UserVector(0, [], 0, vector);
        // Nothing is known of the user, and nothing is learned yet.
        vector.ShouldAllBe(v => v == 0);
        model.Weights.Tables[0].Table.GetOrAdmit(7, 0, out _, out _).ShouldBeTrue();
        model.UserVector(0, [7], 0, vector);
        VectorMath.Dot(vector, vector).ShouldBe(1, 1e-5f);
        model.Knows(7).ShouldBeTrue();
        model.Knows(1).ShouldBeFalse();
    }
}
