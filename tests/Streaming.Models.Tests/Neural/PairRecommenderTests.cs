using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Models.Training;
using Streaming.Suites;

namespace Streaming.Models.Tests.Neural;

public sealed class GmfSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => PairRecommenderTests.Small((users, items, seed) => new Gmf(users, items, 8, seed));
}

public sealed class NcfMlpSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => PairRecommenderTests.Small((users, items, seed) => new NcfMlp(users, items, 8, [8, 4], seed));
}

public sealed class NeuMfSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => PairRecommenderTests.Small((users, items, seed) => new NeuMf(users, items, 8, 4, [8, 4], seed));
}

public sealed class PairRecommenderTests
{
    private const int Users = 60, Items = 120;

    [TorchFact]
    public void Training_stops_at_the_best_epoch_of_the_users_held_out_and_the_loss_falls()
    {
        var epochs = new List<TrainingProgress>();
        var result = Small(Network, validationUsers: 20).Fit(Blocks(), 3, now =>
        {
            if (now.EpochEnded) epochs.Add(now);
        });
        result.Losses[^1].ShouldBeLessThan(result.Losses[0] / 2);
        epochs.Count.ShouldBe(result.Epochs);
        epochs.Max(e => e.Validation).ShouldBe(result.BestValidation);
        epochs[result.BestEpoch - 1].Validation.ShouldBe(result.BestValidation);
        // The held-out item is of the user's own block of 40, as a third of the 99 candidates are: chance in that block is NDCG@10 of about .14.
        result.BestValidation.ShouldBeGreaterThan(0.12);
        result.BestValidation.ShouldBeGreaterThan(epochs[0].Validation);
    }

    [TorchFact]
    public void Another_seed_gives_another_model()
    {
        var model = Small(Network);
        Few.Score(model, Blocks(), 0).ShouldNotBe(Scores(model, 2));
    }

    [TorchFact]
    public void Users_that_training_does_not_know_are_all_alike_and_like_no_known_one()
    {
        var model = Small(Network);
        model.Fit(Blocks(), 1);
        var scores = new float[3][];
        foreach (var (at, user) in (ReadOnlySpan<(int, int)>)[(0, 1), (1, Users), (2, Users + 5)]) model.Score(user, [], scores[at] = new float[Items]);
        scores[1].ShouldBe(scores[2]);
        scores[0].ShouldNotBe(scores[1]);
    }

    [Fact]
    public void A_model_that_is_not_fitted_says_so() =>
        Should.Throw<InvalidOperationException>(() => Small(Network).Score(0, [], new float[1])).Message.ShouldContain("not fitted");

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new PairOptions { Negatives = 0 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new PairOptions { BatchSize = 4 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new PairOptions { Regularisation = float.NaN }.Check());
        new PairOptions().Check();
    }

    /// <summary>Small enough for a test; the whole data is a few mini-batches.</summary>
    internal static PairRecommender Small(Func<int, int, ulong, IPairNetwork> network, int validationUsers = 0) => new(
        new() { BatchSize = 500, Regularisation = 0.001f, ValidationUsersMax = validationUsers, Trainer = new() { EpochsMax = 40, Rate = 0.03f, Patience = 5 } },
        network, TestDevice.Torch);

    private static Gmf Network(int users, int items, ulong seed) => new(users, items, 8, seed);

    private static float[] Scores(PairRecommender model, long seed)
    {
        model.Fit(Blocks(), seed);
        var scores = new float[Items];
        model.Score(0, [], scores);
        return scores;
    }

    /// <summary>Three blocks of users and items: each user has 20 of the 40 items of the own block.</summary>
    private static Interactions Blocks()
    {
        var random = new Random(5);
        return Few.Histories(Items, [.. Enumerable.Range(0, Users).Select(user =>
        {
            var own = Enumerable.Range(user % 3 * (Items / 3), Items / 3).ToArray();
            random.Shuffle(own);
            return own[..20];
        })]);
    }
}
