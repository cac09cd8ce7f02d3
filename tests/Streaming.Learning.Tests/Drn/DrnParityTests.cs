using System.Text.Json;
using Streaming.Learning.Drn;
using Streaming.Models.Deep;
using Streaming.Models.Optimizers;
using Streaming.Suites;

namespace Streaming.Learning.Tests.Drn;

/// <summary>
/// The dueling double DQN, forward and two TD steps, against PyTorch (<c>tests/parity/drn.py</c>): always against the script's recorded output, and
/// against a run of it where there is a Python with PyTorch.
/// </summary>
public sealed class DrnParityTests
{
    private const float Tolerance = 1e-4f;

    [Fact]
    public void Equals_the_recorded_run_of_PyTorch() => Compare(File.ReadAllText(PythonTorch.PathOf("tests/parity/drn.json")));

    [PythonTorchFact]
    public void Equals_a_run_of_PyTorch_now() => Compare(PythonTorch.Run("tests/parity/drn.py"));

    private static void Compare(string json)
    {
        using var document = JsonDocument.Parse(json);
        var given = document.RootElement;
        int Size(string name) => given.GetProperty(name).GetInt32();
        var (length, rows, next) = (Size("state"), Size("rows"), Size("next"));
        var network = new DuelingQNetwork(new DuelingShape(length, Size("action"), Size("hidden1"), Size("hidden2")));
        var weights = Flat(network, given.GetProperty("weights"));
        var target = Flat(network, given.GetProperty("target_weights"));
        var (states, actions) = (Floats(given.GetProperty("states")), Floats(given.GetProperty("actions")));

        var targets = Targets(network, weights, target, given, rows, next);
        Close(targets, Floats(given.GetProperty("targets")), "targets");
        var adam = new ArrayAdam(network.Length, given.GetProperty("rate").GetSingle());
        foreach (var step in (string[])["first", "second"])
        {
            var expected = given.GetProperty(step);
            Close(Scored(network, weights, states, actions, rows), Floats(expected.GetProperty("q")), $"{step} q");
            var gradient = new float[network.Length];
            network.Gradient(weights, states, actions, targets, gradient, new float[network.ScratchLength]).ShouldBe(expected.GetProperty("loss").GetSingle(), Tolerance);
            Close(gradient, Flat(network, expected.GetProperty("gradients")), $"{step} gradient");
            adam.Step(weights, gradient);
            Close(weights, Flat(network, expected.GetProperty("weights")), $"{step} weights");
        }
    }

    private static float[] Targets(DuelingQNetwork network, float[] weights, float[] target, JsonElement given, int rows, int next)
    {
        var once = Floats(given.GetProperty("next_states"));
        var length = network.Shape.State;
        var states = new float[rows * next * length];
        for (var i = 0; i < rows * next; i++) once.AsSpan(i / next * length, length).CopyTo(states.AsSpan(i * length));
        var actions = Floats(given.GetProperty("next_actions"));
        var (current, judged) = (Scored(network, weights, states, actions, rows * next), Scored(network, target, states, actions, rows * next));
        var gamma = given.GetProperty("gamma").GetSingle();
        return [.. Floats(given.GetProperty("rewards")).Select((r, i) => r + gamma * DoubleQ.Future(current.AsSpan(i * next, next), judged.AsSpan(i * next, next)))];
    }

    private static float[] Scored(DuelingQNetwork network, float[] weights, float[] states, float[] actions, int rows)
    {
        var (s, a) = (network.Shape.State, network.Shape.Action);
        var q = new float[rows];
        var scratch = new float[network.ScratchLength];
        for (var i = 0; i < rows; i++) network.Score(weights, states.AsSpan(i * s, s), actions.AsSpan(i * a, a), q.AsSpan(i, 1), scratch);
        return q;
    }

    /// <summary>Named arrays laid out as the network has them.</summary>
    private static float[] Flat(DuelingQNetwork network, JsonElement named)
    {
        var flat = new float[network.Length];
        foreach (var (name, shape, at) in network.Parts)
        {
            var values = Floats(named.GetProperty(name));
            values.Length.ShouldBe(shape.Aggregate(1, (product, size) => product * size), name);
            values.CopyTo(flat, at);
        }
        return flat;
    }

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetSingle())];

    private static void Close(float[] actual, float[] expected, string what)
    {
        actual.Length.ShouldBe(expected.Length, what);
        for (var i = 0; i < actual.Length; i++) actual[i].ShouldBe(expected[i], Tolerance, $"{what}, element {i}");
    }
}
