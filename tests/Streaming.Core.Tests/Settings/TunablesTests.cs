using Streaming.Core.Settings;

namespace Streaming.Core.Tests.Settings;

public sealed class TunablesTests
{
    [Fact]
    public void An_arm_gets_its_values_and_the_settings_stay_as_they_were()
    {
        var settings = new StreamingSettings();
        var problems = new SettingsProblems();
        var changed = Tunables.Apply(settings, new Dictionary<string, string> { ["Feeds:MmrLambda"] = "0.25", ["Feeds:Quotas:popular"] = "3", ["Feeds:ExploreEvery"] = "0" }, "arm", problems);
        problems.List.ShouldBeEmpty();
        changed.Feeds.MmrLambda.ShouldBe(.25);
        changed.Feeds.ExploreEvery.ShouldBe(0);
        changed.Feeds.Quotas["popular"].ShouldBe(3);
        changed.Feeds.Quotas["trending"].ShouldBe(20);
        changed.Feeds.ListLength.ShouldBe(settings.Feeds.ListLength);
        changed.Users.ShouldBeSameAs(settings.Users);
        settings.Feeds.MmrLambda.ShouldBe(.9);
        settings.Feeds.Quotas["popular"].ShouldBe(40);
    }

    [Fact]
    public void An_arm_may_weigh_the_goals_that_there_are_and_no_others()
    {
        var settings = new StreamingSettings { Users = new UsersSettings { Goals = ["purchase"] } };
        var problems = new SettingsProblems();
        var values = new Dictionary<string, string> { ["Feeds:GoalWeights:purchase"] = "4", ["Feeds:GoalWeights:positive"] = "0.5", ["Feeds:GoalFusion"] = "multiplicative" };
        var changed = Tunables.Apply(settings, values, "arm", problems).Feeds;
        problems.List.ShouldBeEmpty();
        (changed.GoalWeights["purchase"], changed.GoalWeights["positive"], changed.GoalFusion).ShouldBe((4, .5, "multiplicative"));
        Tunables.Apply(settings, new Dictionary<string, string> { ["Feeds:GoalWeights:like"] = "4" }, "arm", problems);
        problems.List.ShouldHaveSingleItem().ShouldContain("like");
    }

    [Fact]
    public void The_list_of_tunables_is_what_the_attribute_marks() => Tunables.All.ShouldBe(
    [
        "Feeds:Diversity", "Feeds:DiversityMax", "Feeds:DiversityWindow", "Feeds:ExploreEpsilon", "Feeds:ExploreEvery", "Feeds:GoalFusion", "Feeds:GoalWeights:*", "Feeds:ListLength",
        "Feeds:MmrLambda", "Feeds:Quotas:*", "Feeds:RepeatClickedAfterMs", "Feeds:SeenMax", "Feeds:ServedMax",
        "Feeds:SlateShare",
    ]);
}
