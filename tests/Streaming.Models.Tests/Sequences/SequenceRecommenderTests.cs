using Streaming.Models.Offline;
using Streaming.Models.Sequences;
using Streaming.Models.Tests.Offline;
using Streaming.Models.Training;
using Streaming.Suites;

namespace Streaming.Models.Tests.Sequences;

public sealed class SasRecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => SequenceRecommenderTests.Small(SequenceRecommenderTests.SasRec);
}

public sealed class Gru4RecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => SequenceRecommenderTests.Small(SequenceRecommenderTests.Gru4Rec);
}

/// <summary>A mini-batch tells only the masked items: it takes more epochs, and the few users held out would stop it early.</summary>
public sealed class Bert4RecSuite : TorchRecommenderSuite
{
    protected override IRecommender Create() => SequenceRecommenderTests.Small(SequenceRecommenderTests.Bert4Rec, validationUsers: 0, epochs: 100);
}

public sealed class SequenceRecommenderTests
{
    private const int Users = 60, Items = 20;

    /// <summary>Who has had item i has i + 1 next: what popularity and co-visitation cannot tell. Histories are longer than a network reads.</summary>
    [TorchFact]
    public void What_comes_next_is_learned_from_the_order()
    {
        LearnsTheOrder(SasRec);
        LearnsTheOrder(Gru4Rec);
        LearnsTheOrder(Bert4Rec);
    }

    private static void LearnsTheOrder(Func<int, ulong, ISequenceNetwork> network)
    {
        var model = Small(network);
        var result = model.Fit(Cycles(), 3, null);
        result.Losses[^1].ShouldBeLessThan(result.Losses[0] / 2);
        result.BestValidation.ShouldBeGreaterThan(0.9);
        var right = 0;
        for (var item = 0; item < Items; item++)
        {
            var scores = new float[Items];
            model.Score(0, [.. Enumerable.Range(0, 8).Select(back => (item - 7 + back + Items) % Items)], scores);
            // Of what the history does not hold, as lists are.
            for (var back = 0; back < 8; back++) scores[(item - back + Items) % Items] = float.NegativeInfinity;
            if (Array.IndexOf(scores, scores.Max()) == (item + 1) % Items) right++;
        }
        right.ShouldBeGreaterThanOrEqualTo(Items - 2);
    }

    [TorchFact]
    public void A_training_that_ran_out_of_time_goes_on_from_its_checkpoint()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("sequence-training").FullName, "state");
        try
        {
            var run = new TrainingRun { TimeMax = TimeSpan.Zero, CheckpointFile = file };
            Small(SasRec).Fit(Cycles(), 3, null, run).Epochs.ShouldBe(1);
            Small(SasRec).Fit(Cycles(), 3, null, run).Epochs.ShouldBe(2);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    [Fact]
    public void A_model_that_is_not_fitted_says_so() =>
        Should.Throw<InvalidOperationException>(() => Small(SasRec).Score(0, [], new float[1])).Message.ShouldContain("not fitted");

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new SequenceOptions { BatchSize = 0 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new SequenceOptions { MaskShare = 1 }.Check());
        Should.Throw<ArgumentOutOfRangeException>(() => new SequenceOptions { ValidationUsersMax = -1 }.Check());
        new SequenceOptions().Check();
    }

    /// <summary>No dropout: it draws from libtorch's one generator, which tests beside this one use too.</summary>
    internal static SequenceRecommender Small(Func<int, ulong, ISequenceNetwork> network, int validationUsers = 15, int epochs = 60) => new(
        new() { BatchSize = 8, MaskShare = 0.3, ValidationUsersMax = validationUsers, Trainer = new() { EpochsMax = epochs, Rate = 0.01f, Patience = 8 } },
        network, TestDevice.Torch);

    internal static ISequenceNetwork SasRec(int items, ulong seed) => new SasRec(items, 16, 1, 2, 8, 0, seed);

    internal static ISequenceNetwork Gru4Rec(int items, ulong seed) => new Gru4Rec(items, 16, 16, 8, 0, seed);

    internal static ISequenceNetwork Bert4Rec(int items, ulong seed) => new Bert4Rec(items, 16, 1, 2, 8, 0, seed);

    private static Interactions Cycles()
    {
        var random = new Random(5);
        return Few.Histories(Items, [.. Enumerable.Range(0, Users).Select(_ =>
        {
            var first = random.Next(Items);
            return Enumerable.Range(first, random.Next(6, 15)).Select(item => item % Items).ToArray();
        })]);
    }
}
