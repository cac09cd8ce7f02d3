using System.Text.Json;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests;

/// <summary>An embedding table and its optimisers against nn.Embedding under PyTorch's, on the same stream: tests/parity/embedding.py.</summary>
public sealed class TableParityTests
{
    private const float Tolerance = 1e-5f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("embedding"));

    [PythonTorchFact]
    public void Cases_computed_here_agree()
    {
        foreach (var seed in (int[])[2, 3]) Agrees(Parity.Computed("embedding", seed));
    }

    private static void Agrees(JsonElement given)
    {
        var rate = given.GetProperty("rate").GetSingle();
        var keys = given.GetProperty("keys").EnumerateArray().Select(b => b.EnumerateArray().Select(k => k.GetInt32()).ToArray()).ToArray();
        var every = given.GetProperty("every_key").EnumerateArray().Select(k => k.GetInt32()).ToArray();
        Run(given, "sgd", keys, new RowSgd(rate));
        Run(given, "adagrad", keys, new RowAdagrad(rate));
        Run(given, "adagrad_by_row", keys, new RowAdagradByRow(rate, 0.1f));
        Run(given, "sparse_adam", keys, new ByBatch(new RowAdam(rate)));
        // Rows that every batch names: their own steps are the table's, and dense Adam's.
        Run(given, "adam_every_row", [.. keys.Select(_ => every)], new RowAdam(rate));
    }

    /// <summary>SparseAdam counts the batches.</summary>
    private sealed class ByBatch(RowAdam adam) : IRowOptimizer
    {
        public long Batch { get; set; }

        public int StateSize(int dim) => adam.StateSize(dim);

        public void Step(Span<float> row, ReadOnlySpan<float> gradient, Span<float> state) => adam.Step(row, gradient, state, Batch);
    }

    private static void Run(JsonElement given, string name, int[][] keys, IRowOptimizer optimizer)
    {
        var (dim, first) = (given.GetProperty("dim").GetInt32(), given.GetProperty("first").Rows());
        var table = new EmbeddingTable(new EmbeddingTableOptions(dim, optimizer.StateSize(dim)));
        for (var i = 1; i < first.Length; i++)
        {
            table.GetOrAdmit((ulong)i, 0, out var row, out _).ShouldBeTrue();
            first[i].CopyTo(row);
        }
        var lookup = new TableLookup(table, optimizer);
        for (var step = 0; step < keys.Length; step++)
        {
            if (optimizer is ByBatch counted) counted.Batch = step + 1;
            using var scope = torch.NewDisposeScope();
            lookup.Begin();
            var numbers = keys[step].Select(k => (long)lookup.Add((ulong)k)).ToArray();
            lookup.Gather(learning: true, nowMs: step);
            var rows = lookup.Rows(torch.CPU, learning: true);
            var picked = rows.index_select(0, torch.tensor(numbers));
            var target = torch.tensor(given.GetProperty("targets")[step].Rows().SelectMany(r => r).ToArray(), [numbers.Length, dim]);
            ((picked - target).pow(2).sum() * 0.5f).backward();
            lookup.Apply(rows, nowMs: step);
        }
        var expected = given.GetProperty(name).Rows();
        table.Count.ShouldBe(first.Length - 1);
        for (var i = 1; i < first.Length; i++)
        {
            table.TryGet((ulong)i, out var row).ShouldBeTrue();
            row.ShouldBeClose(expected[i], Tolerance, $"{name}, row {i}");
        }
    }
}
