using Streaming.Core.Feeds;
using Streaming.Core.Settings;

namespace Streaming.Feeds.Tests;

public sealed class SettingsTests
{
    private static IReadOnlyList<string> Problems(FeedsSettings settings)
    {
        var problems = new SettingsProblems();
        settings.Validate(problems);
        return problems.List;
    }

    [Fact]
    public void TheDefaultsAreSound() => Problems(new FeedsSettings()).ShouldBeEmpty();

    [Fact]
    public void AnUnknownChannelIsAProblemWithItsPath()
    {
        Problems(new FeedsSettings { Quotas = { ["magic"] = 3 } }).ShouldHaveSingleItem().ShouldStartWith("Feeds:Quotas:magic: is no recall channel");
        var rule = new SurfaceRule { Quotas = { ["magic"] = 3 }, ListLength = 0 };
        Problems(new FeedsSettings { Surfaces = { ["mail"] = rule } }).Select(p => p.Split(": ")[0])
            .ShouldBe(["Feeds:Surfaces:mail:Quotas:magic", "Feeds:Surfaces:mail:ListLength"]);
    }

    [Fact]
    public void BoundsAreChecked()
    {
        Problems(new FeedsSettings { MmrLambda = 1.5 }).ShouldHaveSingleItem().ShouldStartWith("Feeds:MmrLambda");
        Problems(new FeedsSettings { Diversity = "none" }).ShouldHaveSingleItem().ShouldStartWith("Feeds:Diversity");
        Problems(new FeedsSettings { GoalFusion = "max" }).ShouldHaveSingleItem().ShouldStartWith("Feeds:GoalFusion");
        Problems(new FeedsSettings { GoalWeights = { ["positive"] = -1 } }).ShouldHaveSingleItem().ShouldStartWith("Feeds:GoalWeights:positive");
        Problems(new FeedsSettings { CandidatesMax = 10 }).ShouldHaveSingleItem().ShouldStartWith("Feeds:CandidatesMax");
        Problems(new FeedsSettings { TrendingHalfLifeMs = 86_400_000 * 2L }).ShouldHaveSingleItem().ShouldStartWith("Feeds:TrendingHalfLifeMs");
    }

    [Fact]
    public void TheIndexHasEveryChannelInTheDeclaredOrder() =>
        new World().Index.Channels.Select(c => c.Name).ShouldBe(FeedChannels.All);
}
