using Streaming.Evaluation.Protocols;
using Streaming.Models.Offline;
using Streaming.Models.Training;

namespace Streaming.Evaluation.Tests.Protocols;

public sealed class FittingTests
{
    private sealed class Trained(bool stopsEarly) : ITrainedRecommender
    {
        public void Fit(Interactions train, long seed) => Fit(train, seed, null);

        public TrainingResult Fit(Interactions train, long seed, Action<TrainingProgress>? progress, TrainingRun? run = null)
        {
            progress?.Invoke(new TrainingProgress(1, 0.25, 0.7, double.NaN, TimeSpan.FromSeconds(6)));
            progress?.Invoke(new TrainingProgress(1, 0.5, 0.6, 0.25, TimeSpan.FromSeconds(4)) { EpochEnded = true });
            if (!stopsEarly) progress?.Invoke(new TrainingProgress(2, 1, 0.5, 0.125, TimeSpan.Zero) { EpochEnded = true });
            return new TrainingResult(stopsEarly ? 1 : 2, 1, 0.25, [0.6]);
        }

        public void Score(int user, ReadOnlySpan<int> history, Span<float> scores) => scores.Clear();
    }

    private static readonly LeaveOneOutSplit Split = new(new Interactions(2, 3, [0, 1], [0, 1], [1f, 1f], [0, 0]), [1, 2], null);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_training_is_most_of_a_run_and_tells_its_epochs(bool stopsEarly)
    {
        List<double> shares = [];
        List<string> lines = [];
        LeaveOneOut.Judge(new Trained(stopsEarly), Split, 1, shares.Add, lines.Add);
        shares.ShouldBeInOrder();
        shares[0].ShouldBe(0.225, 1e-9);
        shares[^2].ShouldBe(0.95, 1e-9);
        shares[^1].ShouldBe(1, 1e-9);
        lines[0].ShouldBe("epoch 1: loss 0.60000, validation 0.2500, at most 4 s left");
        lines[^1].ShouldBe($"{(stopsEarly ? 1 : 2)} epochs, best 1 with validation 0.2500");
        lines.Count.ShouldBe(stopsEarly ? 2 : 3);
    }
}
