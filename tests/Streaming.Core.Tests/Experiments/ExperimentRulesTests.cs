using Streaming.Core.Experiments;
using Streaming.Core.Settings;

namespace Streaming.Core.Tests.Experiments;

public sealed class ExperimentRulesTests
{
    private static readonly ExperimentDefinition Sound = new()
    {
        Name = "mmr", Layer = "l", State = ExperimentState.Running, Share = .6,
        Arms = [new ArmDefinition { Name = "control" }, new ArmDefinition { Name = "wide", Settings = new() { ["Feeds:MmrLambda"] = "0.5", ["Feeds:Quotas:popular"] = "7" } }],
    };

    private static ExperimentDefinitions With(params ExperimentDefinition[] experiments) => new()
    {
        Layers = [new LayerDefinition { Name = "l" }, new LayerDefinition { Name = "m" }], Experiments = experiments,
    };

    private static IReadOnlyList<string> Check(ExperimentDefinitions definitions) =>
        ExperimentRules.Check(definitions, new StreamingSettings(), ["learned", "holdout"]);

    private static void Refused(ExperimentDefinitions definitions, params string[] said)
    {
        var problem = Check(definitions).ShouldHaveSingleItem();
        foreach (var text in said) problem.ShouldContain(text);
    }

    private static ExperimentDefinition Setting(string key, string value) => Sound with { Arms = [new ArmDefinition { Name = "a", Settings = new() { [key] = value } }] };

    [Fact]
    public void Sound_definitions_pass() => Check(With(Sound)).ShouldBeEmpty();

    [Fact]
    public void Names_are_checked()
    {
        Refused(With(Sound with { Arms = [new ArmDefinition { Name = "v1.2" }] }), "experiments:mmr:arms:v1.2", "no dot");
        Refused(With(Sound, Sound with { Share = .1 }), "twice");
        Refused(With(Sound with { Name = "default" }), "reserved");
        Refused(With(Sound) with { Holdouts = [new HoldoutDefinition { Name = "mmr", Share = .1 }] }, "twice");
        Refused(With(Sound with { Layer = "none" }), "experiments:mmr:layer", "no layer 'none'");
    }

    [Fact]
    public void Overlapping_buckets_are_refused()
    {
        Refused(With(Sound, Sound with { Name = "b", Share = .5 }), "layers:l", "overlap", "mmr 0.6, b 0.5", "1.1");
        Check(With(Sound, Sound with { Name = "b", Share = .4 })).ShouldBeEmpty();
        Check(With(Sound, Sound with { Name = "b", Share = .5, State = ExperimentState.Draft })).ShouldBeEmpty();
        var same = With(Sound);
        Check(same with { Layers = [.. same.Layers.Select(l => l with { Salt = "x" })] }).Count.ShouldBe(2);
    }

    [Fact]
    public void Weights_and_shares_are_checked()
    {
        Refused(With(Sound with { Arms = [Sound.Arms[0] with { Weight = -1 }, Sound.Arms[1]] }), "mmr:arms:control:weight");
        Refused(With(Sound with { Arms = [.. Sound.Arms.Select(a => a with { Weight = 0 })] }), "none has a weight");
        Refused(With(Sound with { Arms = [] }).With(Sound with { Name = "b", Arms = [], State = ExperimentState.Draft }) with { Experiments = [Sound with { Arms = [], State = ExperimentState.Draft }] }, "has none");
        Refused(With(Sound with { Share = 1.5, State = ExperimentState.Draft }), "mmr:share");
        Refused(With(Sound with { Starts = DateTimeOffset.UnixEpoch, Ends = DateTimeOffset.UnixEpoch }), "ends");
        Refused(With(Sound with { Forced = new() { ["u"] = "none" } }), "forced:u", "no arm 'none'");
        Refused(With(Sound) with { Domains = [new DomainDefinition { Name = "d", Share = .6 }, new DomainDefinition { Name = "e", Share = .6 }] }, "1.2");
        Refused(With(Sound) with { Layers = [new LayerDefinition { Name = "l", Buckets = 77 }] }, "buckets");
    }

    [Fact]
    public void Arms_may_change_tunable_settings_only()
    {
        Refused(With(Setting("Feeds:MmrLamda", "1")), "settings:Feeds:MmrLamda", "did you mean 'Feeds:MmrLambda'");
        Refused(With(Setting("Users:SessionGapMs", "1000")), "is no tunable setting", "Feeds:MmrLambda");
        Refused(With(Setting("Feeds:MmrLambda", "2")), "Feeds:MmrLambda", "0 to 1");
        Refused(With(Setting("Feeds:MmrLambda", "wide")), "'wide' is no number");
        Refused(With(Setting("Feeds:Quotas:nowhere", "1")), "no recall channel");
        Refused(With(Setting("Feeds:Quotas", "1")), "no such setting");
        Refused(With(Sound with { Arms = [new ArmDefinition { Name = "a", Policy = "din" }] }), "policy", "learned, holdout");
    }

    [Fact]
    public void Arms_may_name_a_version_of_a_model_that_ranks()
    {
        var settings = new StreamingSettings { Deep = new DeepSettings { Models = ["din", "two_tower"] } };
        IReadOnlyList<string> Check(ArmDefinition arm) => ExperimentRules.Check(With(Sound with { Arms = [arm] }), settings, ["learned", "holdout", "din", "two_tower"]);
        Check(new ArmDefinition { Name = "a", Policy = "din@1200" }).ShouldBeEmpty();
        Check(new ArmDefinition { Name = "a", Policy = "din@1200", Interleave = "din" }).ShouldBeEmpty();
        Check(new ArmDefinition { Name = "a", Policy = "din", Interleave = "din@7" }).ShouldBeEmpty();
        foreach (var none in (string[])["din@", "din@0", "din@-3", "din@x", "two_tower@5", "drn@5", "@5", "learned@5"])
            Check(new ArmDefinition { Name = "a", Policy = none }).ShouldHaveSingleItem().ShouldContain("'din@1200'", customMessage: none);
        Check(new ArmDefinition { Name = "a", Policy = "din@5", Interleave = "din@5" }).ShouldHaveSingleItem().ShouldContain("interleave");
    }

    [Fact]
    public void A_rollback_names_one_version_of_a_model_that_ranks()
    {
        var settings = new StreamingSettings { Deep = new DeepSettings { Models = ["din", "drn", "two_tower"] } };
        IReadOnlyList<string> Check(params string[] rollbacks) => ExperimentRules.Check(new ExperimentDefinitions { Rollbacks = rollbacks }, settings, ["learned", "holdout", "din"]);
        Check("din@1200", "drn@3").ShouldBeEmpty();
        Check("din@1", "din@2").ShouldHaveSingleItem().ShouldContain("two versions of 'din'");
        foreach (var none in (string[])["din", "din@0", "two_tower@5", "gone@5"]) Check(none).ShouldHaveSingleItem().ShouldContain(none);
        var both = new ExperimentDefinitions().RolledBack("din", 7).RolledBack("drn", 3).RolledBack("din", 8);
        both.Rollbacks.ShouldBe(["drn@3", "din@8"]);
        both.RolledBack("din", null).RolledBack("drn", null).Rollbacks.ShouldBeNull();
        // A text that does not speak of them leaves them; one that names none ends them; and who has none writes what builds before them read.
        ExperimentsJson.ReadDefinitions("{}"u8, both).Rollbacks.ShouldBe(["drn@3", "din@8"]);
        ExperimentsJson.ReadDefinitions("""{"rollbacks":[]}"""u8, both).Rollbacks.ShouldBeNull();
        ExperimentsJson.Write(new ExperimentDefinitions()).ShouldNotContain("rollbacks");
    }

    [Fact]
    public void A_setting_belongs_to_one_layer() =>
        Refused(With(Sound, Sound with { Name = "b", Layer = "m", Arms = [new ArmDefinition { Name = "x", Settings = new() { ["Feeds:MmrLambda"] = "0.9" } }] }), "Feeds:MmrLambda", "l and m");

    [Fact]
    public void Combinations_are_bounded()
    {
        var arms = Enumerable.Range(0, 19).Select(i => new ArmDefinition { Name = $"a{i}" }).ToArray();
        var layers = Enumerable.Range(0, 4).Select(i => new LayerDefinition { Name = $"l{i}" }).ToArray();
        var experiments = layers.Select(l => Sound with { Name = $"e-{l.Name}", Layer = l.Name, Arms = arms }).ToArray();
        Refused(new ExperimentDefinitions { Layers = layers, Experiments = experiments }, "320000 combinations");
    }
}
