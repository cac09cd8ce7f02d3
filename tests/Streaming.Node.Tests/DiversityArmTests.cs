using System.Globalization;
using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Node.Splitting;

namespace Streaming.Node.Tests;

/// <summary>Ways to re-rank as arms of the default layer.</summary>
public sealed class DiversityArmTests : IDisposable
{
    private static readonly StreamingSettings Settings = NodeRig.Settings with
    {
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { ["mmr"] = .3, ["dpp"] = .3 } },
        // Far from relevance, so that the two differ.
        Feeds = NodeRig.Settings.Feeds with { MmrLambda = 0.3, DiversityWindow = 0, ExploreEvery = 0 },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Each_has_users_and_lists_that_it_re_ranks_whatever_weights_are_changed()
    {
        Settings.Validate().ShouldBeEmpty();
        await using var rig = await NodeRig.OpenAsync(_folder.Path, Settings);
        var arms = Enumerable.Range(0, 100).Select(i => rig.Node.Splitter.ArmOf(string.Create(CultureInfo.InvariantCulture, $"v{i}"))).ToHashSet();
        arms.ShouldBe(["mmr", "dpp", "learned"], ignoreOrder: true);
        var policies = rig.Node.Models.Policies;
        policies.Names.ShouldBe(["learned", "holdout", "mmr", "dpp"]);
        Diversities(policies).ShouldBe(["mmr", "dpp"]);
        policies.Apply(ExperimentsVersion.None with { Version = 1, Definitions = new ExperimentDefinitions { Weights = new Dictionary<string, string> { ["Feeds:MmrLambda"] = "0.5" } } });
        Diversities(policies).ShouldBe(["mmr", "dpp"]);
        policies.Of("dpp")!.Settings!.MmrLambda.ShouldBe(0.5);
    }

    [Fact]
    public void Without_shares_there_are_no_such_arms_and_others_are_refused()
    {
        (Settings with { Experiments = new ExperimentsSettings { ArmShares = new() { ["ddp"] = .1 } } }).Validate().ShouldHaveSingleItem().ShouldContain("Experiments:ArmShares:ddp");
    }

    private static string[] Diversities(ArmPolicies policies) => [.. new[] { "mmr", "dpp" }.Select(arm => policies.Of(arm)!.Settings!.Diversity)];
}
