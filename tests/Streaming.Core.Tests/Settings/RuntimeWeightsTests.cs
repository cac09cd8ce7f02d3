using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Settings;

/// <summary>Weights that are changed while the nodes run, and how a tick carries those of actions.</summary>
public sealed class RuntimeWeightsTests
{
    private static readonly StreamingSettings Settings = new() { Users = new UsersSettings { Goals = ["purchase", "like"] }, Feeds = new FeedsSettings { GoalWeights = new() { ["like"] = 7 } } };

    private static IReadOnlyList<string> Check(params (string Path, string Value)[] weights) =>
        ExperimentRules.Check(new ExperimentDefinitions { Weights = weights.ToDictionary(w => w.Path, w => w.Value) }, Settings, ["learned"]);

    [Fact]
    public void They_stand_in_for_the_settings_own_and_leave_these_as_they_were()
    {
        var problems = new SettingsProblems();
        var changed = RuntimeWeights.Apply(Settings, new Dictionary<string, string> { ["Users:ActionWeights:like"] = "4.5", ["Users:ActionWeights:mine"] = "-1", ["Feeds:Quotas:fresh"] = "3", ["Feeds:MmrLambda"] = "1" }, "weights", problems);
        problems.List.ShouldBeEmpty();
        (changed.Users.ActionWeights["like"], changed.Users.ActionWeights["mine"], changed.Users.ActionWeights["share"], changed.Feeds.Quotas["fresh"], changed.Feeds.MmrLambda).ShouldBe((4.5, -1, 3, 3, 1));
        (Settings.Users.ActionWeights["like"], Settings.Feeds.Quotas["fresh"], Settings.Feeds.MmrLambda).ShouldBe((2, 15, .9));
        RuntimeWeights.Apply(Settings, null, "weights", problems).ShouldBeSameAs(Settings);
    }

    [Theory]
    [InlineData("Users:ActionWeights:hide", "1", "hide")]
    [InlineData("Users:ActionWeights:purchase", "0", "no positive action")]
    [InlineData("Users:ActionWeights:like", "NaN", "like")]
    [InlineData("Users:ActionWeights:like", "a lot", "no number")]
    [InlineData("Users:ActionWeights:impression", "1", "no action")]
    [InlineData("Users:ActionWeights:", "1", "no weight that can be changed")]
    [InlineData("Users:SessionGapMs", "1", "no weight that can be changed")]
    [InlineData("Feeds:Quotas:nowhere", "1", "no recall channel")]
    [InlineData("Feeds:Quotas:fresh", "1.5", "whole number")]
    [InlineData("Feeds:GoalWeights:share", "1", "no goal")]
    [InlineData("Feeds:MmrLambda", "2", "MmrLambda")]
    public void What_is_not_sound_is_refused_and_named(string path, string value, string said) => Check((path, value)).ShouldContain(p => p.Contains(said));

    [Fact]
    public void There_are_no_more_than_a_tick_holds()
    {
        Check([.. Enumerable.Range(0, ChangedWeights.Max).Select(i => ($"Users:ActionWeights:t{i}", "1"))]).ShouldBeEmpty();
        Check([.. Enumerable.Range(0, ChangedWeights.Max + 1).Select(i => ($"Users:ActionWeights:t{i}", "1"))]).ShouldHaveSingleItem().ShouldContain("63 at most");
        Check(($"Users:ActionWeights:{new string('t', 201)}", "1")).ShouldHaveSingleItem().ShouldContain("200 characters");
    }

    [Fact]
    public void A_tick_carries_those_of_actions_to_the_last_bit_and_says_nothing_where_there_are_none()
    {
        var definitions = new ExperimentDefinitions().Weighted("Users:ActionWeights:like", "0.1").Weighted("Users:ActionWeights:ünusual:type", "3").Weighted("Feeds:MmrLambda", "1");
        var weights = RuntimeWeights.ActionsOf(Settings, definitions.Weights, 7);
        var json = new ByteWriter();
        EventWriter.Write(new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = 1_700_000_000_000, Context = weights.ToContext() }, json);
        EventParser.TryParse(json.WrittenSpan, 0, out var tick, out _).ShouldBeTrue();
        var read = ChangedWeights.Of(tick!)!;
        (read.Version, read.SaysTheSame(weights)).ShouldBe((7, true));
        read.Values.ShouldBe([new("like", .1), new("ünusual:type", 3)]);
        ChangedWeights.None.ToContext().ShouldBeEmpty();
        ChangedWeights.Of(new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = 1 }).ShouldBeNull();
        // None any more is said too, or a partition would keep what it was told last.
        ChangedWeights.Of(tick! with { Context = RuntimeWeights.ActionsOf(Settings, null, 8).ToContext() })!.Values.ShouldBeEmpty();
        ChangedWeights.Of(tick! with { Context = [new("version", "3"), new("Users:ActionWeights:like", "Infinity"), new("Users:ActionWeights:share", "x")] })!.Values.ShouldBeEmpty();
    }

    /// <summary>As a shard stores them: byte for byte.</summary>
    [Fact]
    public void Their_stored_form_stays()
    {
        var bytes = new ByteWriter();
        new ChangedWeights(5, [new("like", 4)]).Write(bytes);
        Convert.ToHexStringLower(bytes.WrittenSpan).ShouldBe("0500000000000000" + "01" + "056c696b65" + "0000000000001040");
        var reader = new ByteReader(bytes.WrittenSpan);
        var read = ChangedWeights.Read(ref reader);
        (read.Version, read.Values.Single()).ShouldBe((5, new("like", 4)));
        Should.Throw<FormatException>(() =>
        {
            var torn = new ByteReader(bytes.WrittenSpan[..^1]);
            ChangedWeights.Read(ref torn);
        });
    }

    [Fact]
    public void A_goal_without_a_weight_of_its_own_follows_its_action_and_unsound_ones_count_for_nothing()
    {
        var weights = new Dictionary<string, string> { ["Users:ActionWeights:purchase"] = "9", ["Users:ActionWeights:like"] = "9", ["Feeds:Quotas:fresh"] = "3" };
        RuntimeWeights.FeedsOf(Settings, weights).ShouldBe(new Dictionary<string, string> { ["Feeds:GoalWeights:purchase"] = "9", ["Feeds:Quotas:fresh"] = "3" }, ignoreOrder: true);
        weights["Feeds:Quotas:fresh"] = "-1";
        RuntimeWeights.FeedsOf(Settings, weights).ShouldBeEmpty();
        RuntimeWeights.ActionsOf(Settings, weights, 3).Values.ShouldBeEmpty();
    }

    [Fact]
    public void A_text_that_does_not_speak_of_them_leaves_them()
    {
        var before = new ExperimentDefinitions().Weighted("Feeds:MmrLambda", "0.5");
        ExperimentsJson.ReadDefinitions("""{"testers":["qa"]}"""u8, before).Weights.ShouldBe(new Dictionary<string, string> { ["Feeds:MmrLambda"] = "0.5" });
        ExperimentsJson.ReadDefinitions("""{"weights":{"Feeds:MmrLambda":0.25}}"""u8, before).Weights!["Feeds:MmrLambda"].ShouldBe("0.25");
        ExperimentsJson.ReadDefinitions("""{"weights":{}}"""u8, before).Weights.ShouldBeNull();
        ExperimentsJson.ReadVersion(ExperimentsJson.Write(new ExperimentsVersion { Version = 1, Definitions = before })).Definitions.Weights!["Feeds:MmrLambda"].ShouldBe("0.5");
        before.Weighted("Feeds:MmrLambda", null).Weights.ShouldBeNull();
    }
}
