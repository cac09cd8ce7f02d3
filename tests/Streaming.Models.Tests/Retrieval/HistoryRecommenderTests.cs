using Streaming.Models.Offline;
using Streaming.Models.Retrieval;
using Streaming.Models.Tests.Offline;
using Streaming.Models.Training;
using Streaming.Suites;

namespace Streaming.Models.Tests.Retrieval;

public sealed class Item2VecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small(
        (train, seed) => new Item2Vec(train, new() { Dim = 16, SubSampling = 0, Window = 8, BatchSize = 256 }, seed));
}

public sealed class UserAutoRecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small(
        (train, seed) => new AutoRec(train, new() { Hidden = 8, Regularisation = 0.1f, BatchSize = 10 }, seed));
}

public sealed class ItemAutoRecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small(
        (train, seed) => new AutoRec(train, new() { OfItems = true, Hidden = 8, Regularisation = 0.1f, BatchSize = 10 }, seed));
}

public sealed class TransRecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small(
        (train, seed) => new TransRec(train, new() { Dim = 16, Negatives = 4, BatchSize = 64 }, seed));
}

public sealed class YouTubeDnnSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small((train, seed) => new YouTubeDnn(train, HistoryRecommenderTests.Few16, [16], seed));
}

public sealed class DssmSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small(
        (train, seed) => new Dssm(train, HistoryRecommenderTests.Few16 with { Power = 0 }, [16], gamma: 10, seed));
}

public sealed class MindSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small((train, seed) => new Mind(train, HistoryRecommenderTests.Few16, new() { Hidden = 16 }, seed));
}

/// <summary>Few columns: with a row for every user it soon knows forty users by heart.</summary>
public sealed class SdmSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => HistoryRecommenderTests.Small((train, seed) => new Sdm(train, HistoryRecommenderTests.Few16 with { Dim = 4 }, heads: 2, shortMax: 4, seed), epochs: 40);
}

public sealed class TwoTowerRecommenderSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => new TwoTowerRecommender(
        new() { ValidationUsersMax = 0, EpochsMax = 30, BatchSize = 64 }, new() { Dim = 8, VectorDim = 8, HiddenColumns = [16], Rate = 5e-3f }, TestDevice.Torch);
}

public sealed class HistoryRecommenderTests
{
    private const int Items = 20;

    /// <summary>The paper's own loss reads nothing but grades, and is what it tells: those of each group's users are told apart.</summary>
    [TorchFact]
    public void An_autoencoder_of_grades_tells_them()
    {
        // Even users grade even items 5 and odd ones 1, odd users the other way round; each has left two items out.
        var rows = Enumerable.Range(0, 40).SelectMany(user => Enumerable.Range(0, Items)
            .Where(item => item != user % Items && item != (user + 1) % Items).Select(item => (user, item, user % 2 == item % 2 ? 5f : 1f))).ToArray();
        foreach (var ofItems in (bool[])[false, true])
        {
            var options = new AutoRecOptions { OfItems = ofItems, Unseen = 0, Hidden = 8, Regularisation = 0.01f, BatchSize = 10 };
            var model = Small((train, seed) => new AutoRec(train, options, seed), epochs: 1000, rate: 0.005f);
            var train = Few.Rows(40, Items, rows);
            model.Fit(train, 3);
            var scores = new float[Items];
            for (var user = 0; user < 40; user++)
            {
                model.Score(user, train.History(user), scores);
                // The two that the user left out are one of each kind.
                var (even, odd) = user % 2 == 0 ? (user % Items, (user + 1) % Items) : ((user + 1) % Items, user % Items);
                (user % 2 == 0 ? scores[even] - scores[odd] : scores[odd] - scores[even]).ShouldBeGreaterThan(1, $"user {user}, of items {ofItems}");
            }
        }
    }

    /// <summary>Who has had item i has i + 1 next: a translation along a circle.</summary>
    [TorchFact]
    public void A_translation_learns_what_comes_next()
    {
        var random = new Random(5);
        var train = Few.Histories(Items, [.. Enumerable.Range(0, 60).Select(_ =>
        {
            var first = random.Next(Items);
            return Enumerable.Range(first, random.Next(6, 15)).Select(item => item % Items).ToArray();
        })]);
        var model = Small((interactions, seed) => new TransRec(interactions, new() { Dim = 16, Negatives = 4, BatchSize = 64 }, seed), validationUsers: 12);
        var result = model.Fit(train, 3, null);
        result.Losses[^1].ShouldBeLessThan(result.Losses[0] / 2);
        result.BestValidation.ShouldBeGreaterThan(0.9);
    }

    /// <summary>The session's recurrent part tells the order, which a mean of the history does not.</summary>
    [TorchFact]
    public void Short_and_long_term_learns_what_comes_next()
    {
        var random = new Random(5);
        var train = Few.Histories(Items, [.. Enumerable.Range(0, 60).Select(_ =>
        {
            var first = random.Next(Items);
            return Enumerable.Range(first, random.Next(6, 15)).Select(item => item % Items).ToArray();
        })]);
        var options = Few16 with { SessionGapMs = 86_400_000 };
        var result = Small((interactions, seed) => new Sdm(interactions, options, heads: 2, shortMax: 4, seed), validationUsers: 12).Fit(train, 3, null);
        result.Losses[^1].ShouldBeLessThan(result.Losses[0] / 2);
        result.BestValidation.ShouldBeGreaterThan(0.9);
    }

    [Fact]
    public void Draws_follow_the_power_of_the_counts()
    {
        var sampler = new ItemSampler(Few.Histories(4, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]), 0.75);
        sampler.Probabilities[0].ShouldBe(8.0 / 9, 1e-9);
        var random = new Random(1);
        var drawn = new int[4];
        for (var i = 0; i < 9000; i++) drawn[sampler.Draw(random)]++;
        drawn[0].ShouldBeInRange(7850, 8150);
        (drawn[1], drawn[3]).ShouldBe((0, 0));
    }

    [TorchFact]
    public void A_training_that_ran_out_of_time_goes_on_from_its_checkpoint()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("history-training").FullName, "state");
        try
        {
            var train = Few.Histories(Items, [.. Enumerable.Range(0, 30).Select(user => Enumerable.Range(user % 10, 8).ToArray())]);
            var run = new TrainingRun { TimeMax = TimeSpan.Zero, CheckpointFile = file };
            HistoryRecommender Model() => Small((interactions, seed) => new TransRec(interactions, new() { Dim = 4 }, seed));
            Model().Fit(train, 3, null, run).Epochs.ShouldBe(1);
            Model().Fit(train, 3, null, run).Epochs.ShouldBe(2);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    [Fact]
    public void A_model_that_is_not_fitted_says_so() => Should.Throw<InvalidOperationException>(
        () => Small((train, seed) => new TransRec(train, new(), seed)).Score(0, [], new float[1])).Message.ShouldContain("not fitted");

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new HistoryOptions { ValidationUsersMax = -1 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new HistoryOptions { ValidationCutOff = 0 }.Check());
        new HistoryOptions().Check();
    }

    /// <summary>No dropout: it draws from libtorch's one generator, which tests beside this one use too.</summary>
    internal static readonly RetrievalOptions Few16 = new() { Dim = 16, HistoryMax = 12, Dropout = 0, Negatives = 16, BatchSize = 32 };

    internal static HistoryRecommender Small(Func<Interactions, ulong, IHistoryNetwork> network, int validationUsers = 0, int epochs = 60, float rate = 0.02f) => new(
        new() { ValidationUsersMax = validationUsers, Trainer = new() { EpochsMax = epochs, Rate = rate, Patience = 10 } }, network, TestDevice.Torch);
}
