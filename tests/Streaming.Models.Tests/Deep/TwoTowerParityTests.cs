using System.Text.Json;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Suites;
using Xunit.Abstractions;

namespace Streaming.Models.Tests.Deep;

/// <summary>
/// The model against tests/parity/two_tower.py, an independent computation in PyTorch: scores, losses and weights over two training steps, within
/// 1e-4. One case is checked in; where python3-torch is installed others are computed on the spot.
/// </summary>
public sealed class TwoTowerParityTests(ITestOutputHelper output)
{
    private const float Tolerance = 1e-4f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("two_tower"));

    [PythonTorchFact]
    public void Cases_computed_here_agree()
    {
        foreach (var seed in (int[])[2, 3, 4]) Agrees(Parity.Computed("two_tower", seed));
    }

    private void Agrees(JsonElement given)
    {
        var model = Loaded(given);
        var batch = Batch(given);
        var expected = given.GetProperty("expected");
        foreach (var held in given.GetProperty("before").EnumerateArray()) model.Frequency.Observe([.. held.EnumerateArray().Select(i => Item(i.GetInt32()))]);
        var worst = 0f;
        for (var step = 0; step <= 2; step++)
        {
            var scores = new float[batch.Count];
            model.Predict(batch, scores);
            Close(scores, expected.GetProperty("scores")[step].Floats(), $"scores after {step} steps");
            if (step < 2) Close([model.Learn(batch)], [expected.GetProperty("losses")[step].GetSingle()], $"loss of step {step}");
        }
        var items = expected.GetProperty("item_rows").EnumerateArray().Select(Parity.Floats).ToArray();
        for (var i = 0; i < items.Length; i++)
        {
            model.Weights.Tables[0].Table.TryGet(Item(i), out var row).ShouldBeTrue();
            Close(row.ToArray(), items[i], $"row of item {i}");
        }
        Close(((Linear)model.UserTower.Layers[0]).Weight.Values, [.. expected.GetProperty("user_tower_0").EnumerateArray().SelectMany(Parity.Floats)], "the user tower's first weights");
        output.WriteLine($"largest difference {worst:0.0e0}");

        void Close(float[] actual, float[] wanted, string what)
        {
            actual.Length.ShouldBe(wanted.Length, what);
            for (var i = 0; i < actual.Length; i++)
            {
                worst = Math.Max(worst, Math.Abs(actual[i] - wanted[i]));
                actual[i].ShouldBe(wanted[i], Tolerance, $"{what}, number {i}");
            }
        }
    }

    private static TwoTower Loaded(JsonElement given)
    {
        var catalog = new ItemCatalog();
        foreach (var item in given.GetProperty("items").EnumerateArray())
        {
            var id = item.GetProperty("id").GetString()!;
            catalog.Apply(new ItemChange(id, new Item(id)
            {
                Categories = [item.GetProperty("category").GetString()!], Author = item.GetProperty("author").GetString(),
                Tags = [.. item.GetProperty("tags").EnumerateArray().Select(t => t.GetString()!)],
            }, 0));
        }
        var model = new TwoTower(new TwoTowerOptions
        {
            Dim = given.GetProperty("dim").GetInt32(), VectorDim = given.GetProperty("out").GetInt32(),
            HiddenColumns = [.. given.GetProperty("hidden").EnumerateArray().Select(h => h.GetInt32())], HistoryMax = given.GetProperty("history").GetInt32(),
            HistoryDecay = given.GetProperty("decay").GetSingle(), Temperature = given.GetProperty("tau").GetSingle(), UserRows = true,
            Rate = given.GetProperty("rate").GetSingle(), TableRate = given.GetProperty("table_rate").GetSingle(),
            Frequency = new FrequencyOptions(LearningRate: given.GetProperty("alpha").GetDouble(), InitialInterval: given.GetProperty("initial").GetDouble()),
        }, catalog, TestDevice.Torch);
        var rows = given.GetProperty("item_rows").EnumerateArray().Select(Parity.Floats).ToArray();
        for (var i = 0; i < rows.Length; i++) Put(model, 0, Item(i), rows[i]);
        foreach (var side in given.GetProperty("side_rows").EnumerateObject())
            Put(model, 1, side.Name[0] switch { 'c' => InterestKey.Category(side.Name), 'a' => InterestKey.Author(side.Name), _ => InterestKey.Tag(side.Name) }, side.Value.Floats());
        rows = [.. given.GetProperty("user_rows").EnumerateArray().Select(Parity.Floats)];
        for (var u = 0; u < rows.Length; u++) Put(model, 2, User(u), rows[u]);
        Put(model.UserTower, given.GetProperty("user_tower"));
        Put(model.ItemTower, given.GetProperty("item_tower"));
        return model;
    }

    private static void Put(TwoTower model, int table, ulong key, float[] values)
    {
        model.Weights.Tables[table].Table.GetOrAdmit(key, 0, out var row, out _).ShouldBeTrue();
        values.CopyTo(row);
    }

    private static void Put(Mlp tower, JsonElement layers)
    {
        var linear = tower.Layers.OfType<Linear>().ToArray();
        linear.Length.ShouldBe(layers.GetArrayLength());
        for (var i = 0; i < linear.Length; i++)
        {
            linear[i].Weight.CopyFrom([.. layers[i][0].EnumerateArray().SelectMany(Parity.Floats)]);
            linear[i].Bias.CopyFrom(layers[i][1].Floats());
        }
    }

    private static ExampleBatch Batch(JsonElement given)
    {
        var batch = new ExampleBatch(given.GetProperty("history").GetInt32());
        foreach (var row in given.GetProperty("rows").EnumerateArray())
            batch.Add(
                User(row.GetProperty("user").GetInt32()), Item(row.GetProperty("item").GetInt32()),
                [.. row.GetProperty("history").EnumerateArray().Select(i => Item(i.GetInt32()))], row.GetProperty("in_session").GetInt32(), 1_700_000_000_000, 1,
                label: row.GetProperty("label").GetSingle(), weight: row.GetProperty("weight").GetSingle());
        return batch;
    }

    private static ulong Item(int number) => StableHash.Of($"i{number}");

    private static ulong User(int number) => StableHash.Of($"u{number}");
}
