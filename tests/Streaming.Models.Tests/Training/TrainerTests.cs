using Streaming.Models.Layers;
using Streaming.Models.Training;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trainer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Pulls three weights towards a place that each mini-batch moves a little; the metric is scripted, or minus the distance.</summary>
    private sealed class Pull(double[]? metrics = null) : ITrainingTask
    {
        private Random _random = new(0);
        private int _epoch;

        public DenseParameter Weights { get; } = new("w", [0f, 0f, 0f], 3);

        public List<float[]> AfterEpoch { get; } = [];

        public IReadOnlyList<DenseParameter> Parameters => [Weights];

        public int BeginEpoch(int epoch)
        {
            (_epoch, _random) = (epoch, new Random(epoch));
            return 4;
        }

        public torch.Tensor Loss(int batch, torch.Device device)
        {
            float[] place = [1 + _random.NextSingle(), 2 + _random.NextSingle(), 3 + _random.NextSingle()];
            return (Weights.Leaf - TensorMemory.Tensor(place, [3], device)).square().mean();
        }

        public double Validate(torch.Device device)
        {
            AfterEpoch.Add(Weights.Values.ToArray());
            return metrics is not null ? metrics[_epoch] : -Math.Abs(Weights.Values[0] - 1.5);
        }
    }

    private static TrainerOptions Options => new() { EpochsMax = 6, Rate = 0.3f, Schedule = Schedule.Cosine, WarmUp = 0.1, Patience = 6 };

    private static Trainer Trainer(TrainerOptions options) => new(options, TestDevice.Torch);

    [TorchFact]
    public void A_training_that_was_cut_goes_on_to_the_same_weights()
    {
        var whole = new Pull();
        var expected = Trainer(Options).Run(whole);
        expected.Losses[^1].ShouldBeLessThan(expected.Losses[0]);

        var file = Path.Combine(_folder, "training");
        using var stop = new CancellationTokenSource();
        // In the middle of the fourth epoch.
        Should.Throw<OperationCanceledException>(() => Trainer(Options with { CheckpointFile = file }).Run(new Pull(), now =>
        {
            if (now is { Epoch: 4, EpochEnded: false, Share: > 3.4 / 6 }) stop.Cancel();
        }, stop.Token));

        var rest = new Pull();
        var epochs = new List<int>();
        var found = Trainer(Options with { CheckpointFile = file }).Run(rest, now => epochs.Add(now.Epoch));
        epochs[0].ShouldBe(4);
        rest.Weights.Values.ShouldBe(whole.Weights.Values);
        found.Losses.ShouldBe(expected.Losses);
        (found.Epochs, found.BestEpoch, found.BestValidation).ShouldBe((expected.Epochs, expected.BestEpoch, expected.BestValidation));

        // One that has ended takes no more steps.
        var again = new Pull();
        Trainer(Options with { CheckpointFile = file }).Run(again).ShouldBeEquivalentTo(found);
        again.AfterEpoch.ShouldBeEmpty();
        again.Weights.Values.ShouldBe(whole.Weights.Values);
    }

    [TorchFact]
    public void It_stops_when_patience_is_over_with_the_best_weights()
    {
        var task = new Pull([0.1, 0.5, 0.4, 0.5, 0.9, 0.9]);
        var result = Trainer(Options with { Patience = 2 }).Run(task);
        (result.Epochs, result.BestEpoch, result.BestValidation).ShouldBe((4, 2, 0.5));
        task.Weights.Values.ShouldBe(task.AfterEpoch[1]);
        task.Weights.Values.ShouldNotBe(task.AfterEpoch[3]);
    }

    [TorchFact]
    public void Without_a_metric_it_runs_to_the_end_and_keeps_the_last_weights()
    {
        var task = new Pull([double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN]);
        var result = Trainer(Options with { Patience = 1 }).Run(task);
        (result.Epochs, result.BestEpoch).ShouldBe((6, 6));
        task.Weights.Values.ShouldBe(task.AfterEpoch[5]);
    }

    [TorchFact]
    public void Progress_rises_to_the_end_and_the_time_left_falls_to_nothing()
    {
        var told = new List<TrainingProgress>();
        Trainer(Options).Run(new Pull(), told.Add);
        told.Count.ShouldBe(6 * (4 + 1));
        told.Select(now => now.Share).ShouldBeInOrder();
        told[0].Left.ShouldBeGreaterThan(TimeSpan.Zero);
        told[^1].Share.ShouldBe(1, 1e-9);
        told[^1].Left.TotalMilliseconds.ShouldBe(0, 1e-3);
        told.Count(now => now.EpochEnded && !double.IsNaN(now.Validation)).ShouldBe(6);
    }

    [TorchFact]
    public void A_damaged_checkpoint_is_refused_and_changes_nothing()
    {
        var file = Path.Combine(_folder, "training");
        Trainer(Options with { EpochsMax = 2, CheckpointFile = file }).Run(new Pull());
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(file, bytes);
        var task = new Pull();
        Should.Throw<InvalidDataException>(() => Trainer(Options with { CheckpointFile = file }).Run(task));
        task.Weights.Values.ShouldBe([0f, 0f, 0f]);
    }

    [TorchFact]
    public void A_loss_that_is_not_finite_stops_it()
    {
        var task = new Pull();
        task.Weights.Values[1] = float.NaN;
        Should.Throw<InvalidOperationException>(() => Trainer(Options).Run(task)).Message.ShouldStartWith("epoch 1, mini-batch 1 of 4");
    }

    [Theory]
    [InlineData(Schedule.Constant, 1, 1, 1)]
    [InlineData(Schedule.Linear, 1, 0.5, 0)]
    [InlineData(Schedule.Cosine, 1, 0.5, 0)]
    public void Step_sizes_after_the_warm_up(Schedule schedule, double start, double middle, double end)
    {
        var options = new TrainerOptions { Rate = 2, Schedule = schedule, WarmUp = 0.2 };
        ((double)options.RateAt(0.05)).ShouldBe(0.5, 1e-6);
        ((double)options.RateAt(0.2)).ShouldBe(2 * start, 1e-6);
        ((double)options.RateAt(0.6)).ShouldBe(2 * middle, 1e-6);
        ((double)options.RateAt(1)).ShouldBe(2 * end, 1e-6);
    }

    [Fact]
    public void Cosine_is_no_line() => ((double)new TrainerOptions { Rate = 1, Schedule = Schedule.Cosine }.RateAt(0.25)).ShouldBe(0.853553, 1e-5);
}
