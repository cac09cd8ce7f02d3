using System.Text.Json;
using Streaming.Models.Optimizers;
using Streaming.Models.Reranking;
using Streaming.Models.Training;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Reranking;

/// <summary>PRM against tests/parity/prm.py, an independent computation in PyTorch, and on planted lists.</summary>
public sealed class PrmTests
{
    private const float Tolerance = 1e-4f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("prm"));

    [PythonTorchFact]
    public void A_case_computed_here_agrees() => Agrees(Parity.Computed("prm", 2));

    private static void Agrees(JsonElement given)
    {
        Agrees(given, "plain", addsToBase: false);
        Agrees(given, "on_base", addsToBase: true);
    }

    private static void Agrees(JsonElement given, string name, bool addsToBase)
    {
        int Of(string number) => given.GetProperty(number).GetInt32();
        var expected = given.GetProperty("models").GetProperty(name);
        var network = new PrmNetwork(
            Of("columns"), new PrmOptions { Dim = Of("dim"), Hidden = Of("hidden"), Heads = Of("heads"), Blocks = Of("blocks"), ItemsMax = Of("items"), AddsToBase = addsToBase });
        foreach (var parameter in network.Parameters) parameter.CopyFrom(expected.GetProperty("weights").GetProperty(parameter.Name).Floats());
        network.Parameters.Count.ShouldBe(expected.GetProperty("weights").EnumerateObject().Count());
        var batch = new ListBatch(Of("columns"));
        foreach (var list in given.GetProperty("lists").EnumerateArray())
            batch.Add([.. list.GetProperty("features").Rows().SelectMany(r => r)], list.GetProperty("labels").Floats());
        var optimizer = new DenseAdam(network.Parameters, given.GetProperty("rate").GetSingle());
        for (var step = 0; step <= 2; step++)
        {
            using var scope = torch.NewDisposeScope();
            var device = TestDevice.Torch ?? torch.CPU;
            foreach (var parameter in network.Parameters) parameter.Begin(device, learning: true);
            var logits = network.Logits(batch, learning: true, device);
            var found = new float[batch.Count * batch.Longest];
            Streaming.Models.Layers.TensorMemory.Read(logits.detach(), found);
            for (var i = 0; i < batch.Count; i++)
            {
                var (own, wanted) = (found.AsSpan(i * batch.Longest, batch.Length(i)).ToArray(), expected.GetProperty("logits")[step][i].Floats());
                // The softmax does not see the last bias, whose gradient is rounding alone: Adam makes a step of that too.
                if (step > 0) (own, wanted) = (Centred(own), Centred(wanted));
                ((ReadOnlySpan<float>)own).ShouldBeClose(wanted, Tolerance, $"{name}, list {i} after {step} steps");
                found.AsSpan(i * batch.Longest + batch.Length(i), batch.Longest - batch.Length(i)).ToArray().ShouldAllBe(behind => behind < -1e8f);
            }
            if (step == 2) break;
            var loss = PrmNetwork.Loss(logits, batch, device);
            loss.backward();
            optimizer.Step();
            loss.item<float>().ShouldBe(expected.GetProperty("losses")[step].GetSingle(), Tolerance, $"{name}, loss of step {step}");
        }
    }

    private static float[] Centred(float[] values) => [.. values.Select(v => v - values.Average())];

    /// <summary>
    /// Whether an item is liked hangs on the others: the one whose first feature is the list's median. No ranker of single items can know; the base's log-odds, the
    /// last feature, are noise.
    /// </summary>
    private static List<LabelledList> Planted(int seed, int count)
    {
        var random = new Random(seed);
        var lists = new List<LabelledList>();
        for (var n = 0; n < count; n++)
        {
            const int items = 7;
            var values = Enumerable.Range(0, items).Select(_ => 4 * random.NextSingle() - 2 + random.NextSingle()).ToArray();
            var median = values.Order().ElementAt(items / 2);
            float[] features = [.. values.SelectMany(v => new[] { v, random.NextSingle() - 0.5f })];
            lists.Add(new LabelledList(features, [.. values.Select(v => v == median ? 1f : 0f)]));
        }
        return lists;
    }

    /// <summary>No dropout: it draws from libtorch's one generator, which tests beside this one use too.</summary>
    [TorchFact]
    public void What_hangs_on_the_other_items_is_learned_and_a_cut_training_goes_on()
    {
        var (train, held) = (Planted(1, 1500), Planted(2, 200));
        var file = Path.Combine(Path.GetTempPath(), $"prm-{Environment.ProcessId}.checkpoint");
        PrmTask New(out PrmNetwork network)
        {
            network = new PrmNetwork(2, new PrmOptions { Dim = 16, Hidden = 32, Heads = 2, Blocks = 2, ItemsMax = 7, Seed = 3 });
            return new PrmTask(network, train, held, 32, 3);
        }
        var options = new TrainerOptions { EpochsMax = 8, Rate = 5e-3f, Patience = 8 };
        try
        {
            var whole = New(out var network);
            var result = new Trainer(options).Run(whole);
            // A list's order by chance has .45.
            result.BestValidation.ShouldBeGreaterThan(0.75);
            var cut = New(out _);
            var epochs = 0;
            Should.Throw<OperationCanceledException>(() =>
            {
                using var stop = new CancellationTokenSource();
                new Trainer(options with { CheckpointFile = file }).Run(cut, now => { if (now.EpochEnded && ++epochs == 2) stop.Cancel(); }, stop.Token);
            });
            var resumed = New(out var same);
            new Trainer(options with { CheckpointFile = file }).Run(resumed).ShouldSatisfyAllConditions(r => r.BestValidation.ShouldBe(result.BestValidation), r => r.Losses.ShouldBe(result.Losses));
            for (var i = 0; i < network.Parameters.Count; i++) same.Parameters[i].Values.ShouldBe(network.Parameters[i].Values, network.Parameters[i].Name);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [TorchFact]
    public void Nothing_learned_leaves_the_order_of_the_base_and_a_list_does_not_see_its_neighbours()
    {
        var network = new PrmNetwork(2, new PrmOptions { Dim = 8, Hidden = 8, Blocks = 1, ItemsMax = 7, AddsToBase = true });
        var lists = Planted(5, 3);
        var task = new PrmTask(network, lists, [], 2, 1);
        foreach (var (scores, list) in task.Score(lists).Zip(lists))
            for (var i = 0; i < scores.Length; i++) scores[i].ShouldBe(list.Features[2 * i + 1], 1e-6f);
        task.Validate(torch.CPU).ShouldBe(double.NaN);
        var plain = new PrmTask(new PrmNetwork(2, new PrmOptions { Dim = 8, Hidden = 8, Blocks = 1, ItemsMax = 7 }), lists, [], 2, 1);
        var shorter = new LabelledList(lists[1].Features[..6], [0, 1, 0]);
        var together = plain.Score([lists[0], shorter]);
        var alone = plain.Score([shorter]);
        for (var i = 0; i < 3; i++) together[1][i].ShouldBe(alone[0][i], 1e-5f);
    }

    [Fact]
    public void Lists_that_are_none_are_refused()
    {
        var batch = new ListBatch(2);
        Should.Throw<ArgumentException>(() => batch.Add([]));
        Should.Throw<ArgumentException>(() => batch.Add([1f]));
        Should.Throw<ArgumentException>(() => batch.Add([1f, 2f], [1f, 0f]));
        Should.Throw<ArgumentOutOfRangeException>(() => new PrmOptions { Blocks = 0 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new PrmOptions { Dropout = 1 }.Check());
        Should.Throw<ArgumentException>(() => new PrmNetwork(2, new PrmOptions { Dim = 9, Heads = 2 }));
    }
}
