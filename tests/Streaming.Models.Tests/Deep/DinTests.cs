using System.Text.Json;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Suites;

namespace Streaming.Models.Tests.Deep;

public sealed class DinSuiteTests : DeepModelSuite
{
    private static readonly DinOptions Small =
        new() { Dim = 4, UnitColumns = 8, HiddenColumns = [16, 8], HistoryMax = HistoryMax, Rate = 5e-3f, TableRate = 1e-2f };

    protected override IDeepModel Create(long seed) => new Din(Small with { Seed = (ulong)seed }, new ItemCatalog(), TestDevice.Torch);

    [TorchFact]
    public void The_plain_scorer_agrees_with_the_model()
    {
        foreach (var users in (bool[])[true, false])
        {
            using var model = new Din(Small with { UserRows = users, Seed = 5 }, Described(), TestDevice.Torch);
            var scorer = new DinScorer(model);
            foreach (var steps in (int[])[0, 30])
            {
                Trained(model, steps);
                scorer.Refresh();
                foreach (var batch in (ExampleBatch[])[Planted(50), Odd()])
                {
                    var expected = Predicted(model, batch);
                    for (var row = 0; row < batch.Count; row++)
                    {
                        var score = new float[1];
                        scorer.Score(
                            batch.Users[row], batch.History(row), batch.InSession[row], batch.Surfaces[row], batch.ShownMs[row], batch.Items.Slice(row, 1), batch.DenseRow(row), score);
                        score[0].ShouldBe(expected[row], 1e-5f, $"row {row} after {steps} steps");
                    }
                }
            }
        }
    }

    [TorchFact]
    public void Scoring_allocates_nothing()
    {
        using var model = new Din(Small, Described(), TestDevice.Torch);
        Trained(model, 3);
        var scorer = new DinScorer(model);
        var batch = Planted(50);
        var (items, scores) = (batch.Items.ToArray(), new float[batch.Count]);
        void Score() => scorer.Score(batch.Users[0], batch.History(0), batch.InSession[0], batch.Surfaces[0], batch.ShownMs[0], items, [], scores);
        for (var i = 0; i < 50; i++) Score();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Score();
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(100);
    }

    [TorchFact]
    public void An_item_known_by_its_category_alone_is_placed_by_it()
    {
        var catalog = new ItemCatalog();
        for (var group = 0; group < 6; group++)
        for (var number = 0; number <= 12; number++) Describe(catalog, group, number);
        using var model = new Din(Small with { Dim = 8 }, catalog, TestDevice.Torch);
        Trained(model, 240);
        // Number 12 is never shown.
        var batch = new ExampleBatch(HistoryMax);
        ulong[] history = [ItemOf(1, 0), ItemOf(1, 3), ItemOf(1, 5)];
        batch.Add(StableHash.Of("someone"), ItemOf(1, 12), history, 1, 1_700_000_000_000, StableHash.Of("home"));
        batch.Add(StableHash.Of("someone"), ItemOf(4, 12), history, 1, 1_700_000_000_000, StableHash.Of("home"));
        var scores = Predicted(model, batch);
        scores[0].ShouldBeGreaterThan(scores[1] + 0.1f);
    }

    private static ItemCatalog Described()
    {
        var catalog = new ItemCatalog();
        for (var group = 0; group < 6; group++)
        for (var number = 0; number < 12; number += 2) Describe(catalog, group, number);
        return catalog;
    }

    private static void Describe(ItemCatalog catalog, int group, int number) => catalog.Apply(new ItemChange(
        $"item {group} {number}", new Item($"item {group} {number}") { Categories = [$"group {group}"], Author = $"author {number % 3}", Tags = ["a", "b"] }, 0));
}

/// <summary>DIN against tests/parity/din.py: predictions, losses and weights over two training steps.</summary>
public sealed class DinParityTests
{
    private const float Tolerance = 1e-4f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("din"));

    [PythonTorchFact]
    public void Cases_computed_here_agree()
    {
        foreach (var seed in (int[])[2, 3]) Agrees(Parity.Computed("din", seed));
    }

    private static void Agrees(JsonElement given)
    {
        using var model = Loaded(given);
        var (batch, expected) = (Batch(given), given.GetProperty("expected"));
        var scorer = new DinScorer(model);
        for (var step = 0; step <= 2; step++)
        {
            var wanted = expected.GetProperty("predictions")[step].Floats();
            var found = new float[batch.Count];
            model.Predict(batch, found);
            ((ReadOnlySpan<float>)found).ShouldBeClose(wanted, Tolerance, $"predictions after {step} steps");
            scorer.Refresh();
            for (var row = 0; row < batch.Count; row++)
                scorer.Score(
                    batch.Users[row], batch.History(row), batch.InSession[row], batch.Surfaces[row], batch.ShownMs[row], batch.Items.Slice(row, 1), batch.DenseRow(row), found.AsSpan(row, 1));
            ((ReadOnlySpan<float>)found).ShouldBeClose(wanted, Tolerance, $"plain scores after {step} steps");
            if (step < 2) model.Learn(batch).ShouldBe(expected.GetProperty("losses")[step].GetSingle(), Tolerance, $"loss of step {step}");
        }
        foreach (var dense in model.Weights.Dense)
        {
            var values = new float[dense.Length];
            dense.CopyTo(values);
            ((ReadOnlySpan<float>)values).ShouldBeClose(expected.GetProperty("dense").GetProperty(dense.Name).Floats(), Tolerance, dense.Name);
        }
        foreach (var (table, key, name, number) in Places(given))
        {
            model.Weights.Tables[table].Table.TryGet(key, out var row).ShouldBeTrue();
            row.ShouldBeClose(expected.GetProperty("tables").GetProperty(name)[number].Floats(), Tolerance, $"{name} {number}");
        }
    }

    private static Din Loaded(JsonElement given)
    {
        var catalog = new ItemCatalog();
        for (var i = 1; i < given.GetProperty("sides").GetArrayLength(); i++)
            catalog.Apply(new ItemChange($"i{i}", new Item($"i{i}")
            {
                Tags = [.. given.GetProperty("sides")[i].EnumerateArray().Select(s => $"s{s.GetInt32()}")],
            }, 0));
        var model = new Din(new DinOptions
        {
            Dim = given.GetProperty("dim").GetInt32(), UnitColumns = given.GetProperty("unit").GetInt32(), HistoryMax = given.GetProperty("history").GetInt32(),
            HiddenColumns = [.. given.GetProperty("hidden").EnumerateArray().Select(h => h.GetInt32())],
            PositionsMax = given.GetProperty("positions").GetInt32(), DenseColumns = given.GetProperty("figures").GetInt32(), Rate = given.GetProperty("rate").GetSingle(),
            TableRate = given.GetProperty("table_rate").GetSingle(),
        }, catalog, TestDevice.Torch);
        foreach (var dense in model.Weights.Dense) dense.CopyFrom(given.GetProperty("dense").GetProperty(dense.Name).Floats());
        foreach (var (table, key, name, number) in Places(given))
        {
            model.Weights.Tables[table].Table.GetOrAdmit(key, 0, out var row, out _).ShouldBeTrue();
            given.GetProperty("tables").GetProperty(name)[number].Floats().CopyTo(row);
        }
        return model;
    }

    /// <summary>Where each of the script's rows lies here.</summary>
    private static IEnumerable<(int Table, ulong Key, string Name, int Number)> Places(JsonElement given)
    {
        var tables = given.GetProperty("tables");
        for (var i = 1; i < tables.GetProperty("item").GetArrayLength(); i++) yield return (0, StableHash.Of($"i{i}"), "item", i);
        for (var i = 0; i < tables.GetProperty("side").GetArrayLength(); i++) yield return (1, InterestKey.Tag($"s{i}"), "side", i);
        for (var i = 0; i < tables.GetProperty("user").GetArrayLength(); i++) yield return (2, StableHash.Of($"u{i}"), "user", i);
        for (var i = 0; i < tables.GetProperty("surface").GetArrayLength(); i++)
            yield return (3, StableHash.Combine(StableHash.Of("din:surface"), StableHash.Of($"f{i}")), "surface", i);
        for (var i = 0; i < 24; i++) yield return (3, StableHash.Combine(StableHash.Of("din:hour"), (ulong)i), "hour", i);
    }

    private static ExampleBatch Batch(JsonElement given)
    {
        var batch = new ExampleBatch(given.GetProperty("history").GetInt32(), new uint[given.GetProperty("figures").GetInt32()]);
        foreach (var row in given.GetProperty("rows").EnumerateArray())
        {
            int Whole(string name) => row.GetProperty(name).GetInt32();
            batch.Add(
                StableHash.Of($"u{Whole("user")}"), StableHash.Of($"i{Whole("item")}"),
                [.. row.GetProperty("history").EnumerateArray().Select(i => StableHash.Of($"i{i.GetInt32()}"))], Whole("in_session"),
                Whole("hour") * 3_600_000L + 5, StableHash.Of($"f{Whole("surface")}"), Whole("position"), row.GetProperty("label").GetSingle(),
                row.GetProperty("weight").GetSingle(), row.GetProperty("figures").Floats());
        }
        return batch;
    }
}
