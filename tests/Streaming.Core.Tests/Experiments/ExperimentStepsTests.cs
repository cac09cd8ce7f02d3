using Streaming.Core.Experiments;

namespace Streaming.Core.Tests.Experiments;

public sealed class ExperimentStepsTests
{
    private static ExperimentDefinition Of(ExperimentState state, double share = .1) => new() { Name = "e", Layer = "l", State = state, Share = share };

    private static (ExperimentState, double) Take(ExperimentDefinition? experiment, string step, double? share = null)
    {
        var after = ExperimentSteps.Take(experiment, "e", step, share);
        return (after.State, after.Share);
    }

    [Fact]
    public void A_life_from_draft_to_end()
    {
        Take(Of(ExperimentState.Draft), "start").ShouldBe((ExperimentState.Running, .1));
        Take(Of(ExperimentState.Draft, 0), "start", .2).ShouldBe((ExperimentState.Running, .2));
        Take(Of(ExperimentState.Running), "ramp", .5).ShouldBe((ExperimentState.Running, .5));
        Take(Of(ExperimentState.Running), "stop").ShouldBe((ExperimentState.Stopped, .1));
        Take(Of(ExperimentState.Stopped), "start").ShouldBe((ExperimentState.Running, .1));
        Take(Of(ExperimentState.Stopped), "kill").ShouldBe((ExperimentState.Killed, .1));
    }

    [Fact]
    public void Steps_that_cannot_be_taken_say_why()
    {
        Refused(() => Take(null, "start"), "no experiment 'e'");
        Refused(() => Take(Of(ExperimentState.Killed), "start"), "killed");
        Refused(() => Take(Of(ExperimentState.Killed), "stop"), "killed");
        Refused(() => Take(Of(ExperimentState.Draft, 0), "start"), "no share");
        Refused(() => Take(Of(ExperimentState.Draft), "ramp", .2), "not running");
        Refused(() => Take(Of(ExperimentState.Running), "ramp"), "needs a share");
        Refused(() => Take(Of(ExperimentState.Running), "kill", .2), "takes no share");
        Refused(() => Take(Of(ExperimentState.Running), "dance"), "start, ramp, stop, kill");

        static void Refused(Func<object> step, string why) => Should.Throw<FormatException>(() => step()).Message.ShouldContain(why);
    }
}
