using System.Text.Json;
using Streaming.Models.Ranking;
using Streaming.Suites;

namespace Streaming.Models.Tests.Ranking;

/// <summary>
/// Every ranker against tests/parity/rankers.py, an independent computation in PyTorch: predictions and losses over two optimiser steps, within 1e-4; and the scorer
/// that serves against the model that learns.
/// </summary>
public sealed class RankerParityTests
{
    private const float Tolerance = 1e-4f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("rankers"));

    [PythonTorchFact]
    public void A_case_computed_here_agrees() => Agrees(Parity.Computed("rankers", 2));

    private static void Agrees(JsonElement given)
    {
        foreach (var ranker in Rankers.All) Agrees(given, ranker.Name);
    }

    private static void Agrees(JsonElement given, string name)
    {
        var expected = given.GetProperty("models").GetProperty(name);
        var shape = new RankerShape(4)
        {
            TargetFields = 2, PooledFields = 1, DenseColumns = given.GetProperty("dense").GetInt32(), SequenceMax = given.GetProperty("length").GetInt32(), HasCrosses = true,
            Tasks = Rankers.Find(name).IsMultiTask ? given.GetProperty("tasks").GetInt32() : 1,
        };
        var model = new FieldRanker(
            name, shape,
            new RankerOptions
            {
                Dim = given.GetProperty("dim").GetInt32(), Hidden = [.. given.GetProperty("hidden").EnumerateArray().Select(h => h.GetInt32())],
                Rate = given.GetProperty("rate").GetSingle(), TableRate = given.GetProperty("table_rate").GetSingle(),
            },
            Rankers.Find(name).Recipe, TestDevice.Torch);
        Fill(model, given.GetProperty("keys").GetInt32());
        using var scorer = model.NewScorer();
        var batch = Batch(given, shape);
        var found = new float[batch.Count * shape.Tasks];
        for (var step = 0; step <= 2; step++)
        {
            // A multi-task model has a row of K, the others one number.
            float[] wanted = [.. expected.GetProperty("predictions")[step].EnumerateArray().SelectMany(p => p.ValueKind == JsonValueKind.Array ? p.Floats() : [p.GetSingle()])];
            model.Predict(batch, found);
            ((ReadOnlySpan<float>)found).ShouldBeClose(wanted, Tolerance, $"{name}, predictions after {step} steps");
            scorer.Refresh();
            scorer.Predict(batch, found);
            ((ReadOnlySpan<float>)found).ShouldBeClose(wanted, Tolerance, $"{name}, scores after {step} steps");
            if (step < 2) model.Learn(batch).ShouldBe(expected.GetProperty("losses")[step].GetSingle(), Tolerance, $"{name}, loss of step {step}");
        }
    }

    private static float Value(string name, int i) => (float)(0.3 * Math.Sin(1.0 + 0.7 * i + name.Sum(c => c)));

    private static void Fill(FieldRanker model, int keys)
    {
        foreach (var dense in model.Weights.Dense.Where(d => !d.Name.StartsWith("positions", StringComparison.Ordinal)))
            dense.CopyFrom([.. Enumerable.Range(0, dense.Length).Select(i => Value(dense.Name, i))]);
        foreach (var (name, table) in model.Weights.Tables)
            for (var key = 1; key <= keys; key++)
            {
                table.GetOrAdmit((ulong)key, 0, out var row, out _).ShouldBeTrue();
                for (var i = 0; i < row.Length; i++) row[i] = Value(name, key * row.Length + i);
            }
    }

    private static FieldBatch Batch(JsonElement given, RankerShape shape)
    {
        var batch = new FieldBatch(shape);
        void Put(JsonElement bag)
        {
            foreach (var pair in bag.EnumerateArray()) batch.Add(pair[0].GetUInt64(), pair[1].GetSingle());
            batch.EndBag();
        }
        foreach (var row in given.GetProperty("rows").EnumerateArray())
        {
            foreach (var bag in row.GetProperty("fields").EnumerateArray()) Put(bag);
            Put(row.GetProperty("crosses"));
            foreach (var step in row.GetProperty("steps").EnumerateArray())
                foreach (var bag in step.EnumerateArray()) Put(bag);
            batch.EndRow(row.GetProperty("dense").Floats(), shape.Tasks == 1 ? [row.GetProperty("label").GetSingle()] : row.GetProperty("labels").Floats(), weight: row.GetProperty("weight").GetSingle());
        }
        return batch;
    }
}
