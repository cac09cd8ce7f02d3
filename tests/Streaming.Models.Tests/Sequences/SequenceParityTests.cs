using System.Text.Json;
using Streaming.Models.Layers;
using Streaming.Models.Sequences;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Sequences;

/// <summary>
/// SASRec, GRU4Rec and BERT4Rec against tests/parity/sequences.py, an independent computation in PyTorch: the logits of all items after
/// histories of several lengths, in one padded batch here and each alone there, within 1e-4.
/// </summary>
public sealed class SequenceParityTests
{
    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("sequences"));

    [PythonTorchFact]
    public void A_case_computed_here_agrees() => Agrees(Parity.Computed("sequences", 2));

    private static void Agrees(JsonElement given)
    {
        int Number(string name) => given.GetProperty(name).GetInt32();
        var (items, dim, blocks, heads, length) = (Number("items"), Number("dim"), Number("blocks"), Number("heads"), Number("length"));
        Agrees(given, "sasrec", new SasRec(items, dim, blocks, heads, length, dropout: 0.5, 9));
        Agrees(given, "gru4rec", new Gru4Rec(items, dim, Number("hidden"), length, dropout: 0.5, 9));
        Agrees(given, "bert4rec", new Bert4Rec(items, dim, blocks, heads, length, dropout: 0.5, 9));
    }

    private static void Agrees(JsonElement given, string name, ISequenceNetwork network)
    {
        var expected = given.GetProperty("models").GetProperty(name);
        var weights = expected.GetProperty("weights").Rows();
        weights.Length.ShouldBe(network.Parameters.Count, name);
        for (var i = 0; i < weights.Length; i++) network.Parameters[i].CopyFrom(weights[i]);
        var device = TestDevice.Torch ?? torch.CPU;
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in network.Parameters) parameter.Hold(device);

        var length = network.LengthMax;
        long[][] histories = [.. given.GetProperty("histories").EnumerateArray().Select(h => h.EnumerateArray().Select(n => n.GetInt64()).ToArray())];
        var batch = new long[histories.Length * length];
        for (var row = 0; row < histories.Length; row++)
        {
            long[] told = network.MaskItem == 0 ? histories[row] : [.. histories[row], network.MaskItem];
            for (var t = 1; t <= Math.Min(length, told.Length); t++) batch[(row + 1) * length - t] = told[^t];
        }
        var vectors = network.Encode(TensorMemory.Tensor(batch, [histories.Length, length], device), learning: false);
        var found = new float[histories.Length * given.GetProperty("items").GetInt32()];
        TensorMemory.Read(network.Logits(vectors.select(1, length - 1)), found);
        Parity.ShouldBeClose(found, [.. expected.GetProperty("logits").Rows().SelectMany(row => row)], 1e-4f, name);
    }
}
