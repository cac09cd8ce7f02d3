using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Evaluation.ColdUsers;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class ColdRecallTests
{
    private static readonly ColdRecallCase Small = ColdRecallCase.Default with
    {
        Seeds = 2, Requests = 2500, Audience = ColdRecallCase.Default.Audience with { Items = 300, Users = 150, Authors = 40 },
    };

    private static readonly StreamingSettings Settings = new()
    {
        Users = new UsersSettings { AttributionWindowMs = 1000, LateWindowMs = 0, ExampleHistoryMax = 20 }, Learning = new LearningSettings { FtrlBits = 14 },
    };

    [TorchFact]
    public void New_users_are_served_better_by_the_two_towers_than_by_co_visitation_and_a_seed_fixes_it()
    {
        var groups = ColdRecall.Run(Small, Settings);
        groups[0].Group.ShouldBe("0-4 actions");
        groups[0].Clicks.ShouldBeGreaterThan(500);
        groups[0].Mean(FeedChannels.TwoTower).Mean.ShouldBeGreaterThan(groups[0].Mean(FeedChannels.ItemCf).Mean);
        // Co-visitation has nothing to start from.
        groups.Single(g => g.Group == "0").PerSeed[FeedChannels.ItemCf].ShouldAllBe(r => r == 0);
        groups[0].Clicks.ShouldBe(Enumerable.Range(0, 5).Sum(n => groups.Single(g => g.Group == $"{n}").Clicks));
        var again = ColdRecall.Run(Small with { Seeds = 1 }, Settings);
        foreach (var channel in ColdRecall.Channels) again[0].PerSeed[channel][0].ShouldBe(groups[0].PerSeed[channel][0], channel);
    }
}
