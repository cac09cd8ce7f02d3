using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class FunkSvdSuite : RecommenderSuite
{
    protected override IRecommender Create() => new FunkSvd(new() { Dim = 6, Epochs = 200, LearningRate = 0.05, Regularisation = 0.01 });
}

public sealed class SampledFunkSvdSuite : RecommenderSuite
{
    protected override IRecommender Create() => new FunkSvd(new() { Dim = 6, Epochs = 100, LearningRate = 0.05, Regularisation = 0.01, Negatives = 2 });
}

public sealed class FunkSvdTests
{
    [Fact]
    public void One_step_of_the_biases()
    {
        // The mean is 3; the two grades touch different rows: e = 1 and -1, so each bias moves by 0.1 times it. A new user has no bias.
        var train = Few.Rows(2, 2, (0, 0, 4), (1, 1, 2));
        var options = new FunkSvdOptions { Dim = 0, Epochs = 1, LearningRate = 0.1 };
        new FunkSvd(options).Score(train, 0).ShouldBeAbout(3.2, 3.0);
        new FunkSvd(options).Score(train, 2).ShouldBeAbout(3.1, 2.9);
    }

    [Fact]
    public void The_second_step_takes_the_penalty_off_first_what_the_first_learned()
    {
        // Rates 0.1 and 0.05. First both biases of user 0 and item 0 become 0.1; then e = 4 - 3.2 = 0.8 and b = 0.1 + 0.05 (0.8 - 2 x 0.1) = 0.13.
        var train = Few.Rows(2, 2, (0, 0, 4), (1, 1, 2));
        new FunkSvd(new() { Dim = 0, Epochs = 2, LearningRate = 0.1, Regularisation = 2 }).Score(train, 0).ShouldBeAbout(3.26, 3.0);
    }

    [Fact]
    public void Factors_fit_what_biases_cannot()
    {
        // (5 1), (1 5) has no bias at all.
        var train = Few.Rows(2, 2, (0, 0, 5), (0, 1, 1), (1, 0, 1), (1, 1, 5));
        var scores = new FunkSvd(new() { Dim = 2, Epochs = 2000, LearningRate = 0.05, Regularisation = 0 }).Score(train, 1);
        ((double)scores[0]).ShouldBe(1, 0.01);
        ((double)scores[1]).ShouldBe(5, 0.01);
    }
}
