using System.Text.Json;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Optimizers;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Neural;

/// <summary>
/// GMF, MLP and NeuMF against tests/parity/ncf.py, an independent computation in PyTorch: log-odds, losses and all weights over two
/// steps of Adam, within 1e-5. One case is checked in; where python3-torch is installed others are computed on the spot.
/// </summary>
public sealed class NcfParityTests
{
    private const float Tolerance = 1e-5f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("ncf"));

    [PythonTorchFact]
    public void A_case_computed_here_agrees() => Agrees(Parity.Computed("ncf", 2));

    private static void Agrees(JsonElement given)
    {
        int Number(string name) => given.GetProperty(name).GetInt32();
        var (users, items, dim, mlpDim) = (Number("users"), Number("items"), Number("dim"), Number("mlp_dim"));
        int[] hidden = [.. given.GetProperty("hidden").EnumerateArray().Select(h => h.GetInt32())];
        Agrees(given, "gmf", new Gmf(users, items, dim, 9));
        Agrees(given, "mlp", new NcfMlp(users, items, mlpDim, hidden, 9));
        Agrees(given, "neumf", new NeuMf(users, items, dim, mlpDim, hidden, 9));
    }

    private static void Agrees(JsonElement given, string name, IPairNetwork network)
    {
        var expected = given.GetProperty("models").GetProperty(name);
        var parameters = network.Parameters();
        var weights = expected.GetProperty("weights").Rows();
        weights.Length.ShouldBe(parameters.Count, name);
        for (var i = 0; i < weights.Length; i++) parameters[i].CopyFrom(weights[i]);
        var rows = given.GetProperty("rows");
        long[] Numbers(string column) => [.. rows.GetProperty(column).EnumerateArray().Select(n => n.GetInt64())];
        var (users, items, labels) = (Numbers("users"), Numbers("items"), rows.GetProperty("labels").Floats());
        var optimizer = new DenseAdam(parameters, given.GetProperty("rate").GetSingle());
        var device = TestDevice.Torch ?? torch.CPU;
        for (var step = 0; step <= 2; step++)
        {
            using var scope = torch.NewDisposeScope();
            foreach (var parameter in parameters) parameter.Begin(device, learning: true);
            var logits = network.Pairs(TensorMemory.Tensor(users, [users.Length], device), TensorMemory.Tensor(items, [items.Length], device));
            var found = new float[users.Length];
            TensorMemory.Read(logits.detach(), found);
            Parity.ShouldBeClose(found, expected.GetProperty("logits")[step].Floats(), Tolerance, $"{name}, log-odds after {step} steps");
            if (step == 2) break;
            var loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, TensorMemory.Tensor(labels, [labels.Length], device));
            loss.backward();
            optimizer.Step();
            loss.item<float>().ShouldBe(expected.GetProperty("losses")[step].GetSingle(), Tolerance, $"{name}, loss of step {step}");
        }
        var after = expected.GetProperty("after").Rows();
        for (var i = 0; i < after.Length; i++) Parity.ShouldBeClose(parameters[i].Values, after[i], Tolerance, $"{name}, {parameters[i].Name}");
    }
}
