using Streaming.Models.Training;

namespace Streaming.Models.Tests.Training;

public class TrainingBudgetTests
{
    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void Without_a_time_limit_every_epoch_is_the_same_part_of_the_schedule_whatever_it_took()
    {
        var budget = new TrainingBudget(new TrainerOptions { EpochsMax = 4 }, first: 1);
        foreach (var (epoch, elapsed) in ((int, double)[])[(1, 0), (2, 100), (3, 5000)])
        {
            Assert.True(budget.Allows(Seconds(elapsed)));
            budget.BeginEpoch(Seconds(elapsed));
            Assert.Equal(epoch / 4.0, budget.Place(0));
            Assert.Equal((epoch + 0.5) / 4.0, budget.Place(0.5));
        }
    }

    [Theory]
    [InlineData(0, 60, 10, 6)]
    [InlineData(0, 65, 10, 6)]
    [InlineData(19, 60, 10, 6)]
    [InlineData(0, 1e6, 10, 50)] // more time than the epochs need: they are what ends it
    public void With_one_the_schedule_ends_with_the_last_epoch_that_there_is_time_for(int first, double limit, double each, int epochs)
    {
        var options = new TrainerOptions { EpochsMax = 50, TimeMax = Seconds(limit) };
        var budget = new TrainingBudget(options, first);
        var (place, done) = (first / 50.0, 0);
        for (; first + done < options.EpochsMax && budget.Allows(Seconds(done * each)); done++)
        {
            budget.BeginEpoch(Seconds(done * each));
            Assert.Equal(place, budget.Place(0), 1e-9);
            Assert.True(budget.Place(1) >= place + 1.0 / 50 - 1e-9);
            place = budget.Place(1);
        }
        Assert.Equal(epochs, done);
        Assert.Equal(1, place, 1e-9);
    }

    [Fact]
    public void One_epoch_runs_however_short_the_time_and_slower_epochs_than_foreseen_end_it_early()
    {
        var budget = new TrainingBudget(new TrainerOptions { EpochsMax = 10, TimeMax = Seconds(30) }, first: 0);
        Assert.True(budget.Allows(TimeSpan.Zero));
        budget.BeginEpoch(TimeSpan.Zero);
        Assert.True(budget.Allows(Seconds(10)));
        budget.BeginEpoch(Seconds(10));
        Assert.InRange(budget.Place(1), 0.5, 0.6);
        Assert.False(budget.Allows(Seconds(31)));

        var hasty = new TrainingBudget(new TrainerOptions { EpochsMax = 10, TimeMax = TimeSpan.Zero }, first: 0);
        Assert.True(hasty.Allows(TimeSpan.Zero));
        hasty.BeginEpoch(TimeSpan.Zero);
        Assert.False(hasty.Allows(Seconds(1)));
    }
}
