using System.Globalization;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Host.Cli;
using Streaming.Models.Ranking;

namespace Streaming.Host.Tests.Cli;

/// <summary>What <c>demo --arms</c> takes: whatever recalls, ranks or re-ranks.</summary>
public sealed class DemoArmsTests
{
    [Fact]
    public void Every_model_of_the_live_path_and_every_way_to_re_rank_is_an_arm()
    {
        string[] all = ["din", .. Rankers.Live, .. FeedChannels.Retrieval, "prm", "drn", "mmr", "dpp"];
        DemoVerb.ArmsOf([string.Join(", ", all)]).ShouldBe(all);
        foreach (var arm in all)
        {
            // As the verb gives them to the settings' loader.
            var given = DemoVerb.ArmSettings([arm]).ToList();
            string[] goals = [.. given.Where(s => s.Key.StartsWith("Users:Goals:", StringComparison.Ordinal)).Select(s => s.Value)];
            goals.ShouldBe(Rankers.All.Any(r => r.Name == arm && r.IsMultiTask) ? ["like", "purchase"] : [], arm);
            var settings = new StreamingSettings
            {
                Users = new UsersSettings { Goals = goals },
                Deep = new DeepSettings { Models = [.. given.Where(s => s.Key.StartsWith("Deep:Models:", StringComparison.Ordinal)).Select(s => s.Value)] },
                Experiments = new ExperimentsSettings
                {
                    HoldoutShare = 0.25, ArmShares = given.Where(s => s.Key.StartsWith("Experiments:", StringComparison.Ordinal)).ToDictionary(s => s.Key.Split(':')[^1], s => double.Parse(s.Value, CultureInfo.InvariantCulture)),
                },
            };
            settings.Validate().ShouldBeEmpty(arm);
            settings.Deep.Models.Count.ShouldBe(FeedsSettings.Diversities.Contains(arm) ? 0 : 1, arm);
            settings.Experiments.ArmShares.ShouldBe(new() { [arm] = 0.375 });
        }
        DemoVerb.ArmsOf(["youtube-dnn,youtube_dnn", "two-tower"]).ShouldBe(["youtube_dnn", "two_tower"]);
        Should.Throw<FormatException>(() => DemoVerb.ArmsOf(["lr,nobody"])).Message.ShouldContain("--arms nobody");
    }
}
