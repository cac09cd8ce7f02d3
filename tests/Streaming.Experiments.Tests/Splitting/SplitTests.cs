using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;
using Streaming.Suites;
using static Streaming.Experiments.Tests.Splitting.Definitions;

namespace Streaming.Experiments.Tests.Splitting;

public sealed class SplitTests
{
    private static readonly string[] Users = [.. Enumerable.Range(0, 20_000).Select(i => $"u{i}")];

    [Fact]
    public void Arms_are_fixed_because_they_outlive_the_process()
    {
        var splitter = Of(Experiment("rank", "ranking", .8), Experiment("mmr", "diversity", .5, ("off", 1), ("on", 3))).First().Splitter(.05);
        new[] { "u1", "user-42", "日本", "u7", "u8" }.Select(u => splitter.ArmOf(u)).ShouldBe(FixedArms);
    }

    // Read off the first build; a change would move users between arms in mid-experiment.
    private static readonly string[] FixedArms =
        ["learned~mmr:on", "learned~mmr:on", "learned~mmr:on~rank:new", "learned~mmr:on", "learned~mmr:on~rank:new"];

    [Fact]
    public void Without_experiments_the_default_layer_is_all_there_is()
    {
        var settings = new ExperimentsSettings { HoldoutShare = .1, ArmShares = new() { ["din"] = .3 } };
        var (plain, defined) = (new TrafficSplitter(settings), new TrafficSplitter(settings));
        defined.Apply(Of(Experiment("e", "l", 0)).First(), 1);
        foreach (var user in Users) defined.ArmOf(user).ShouldBe(plain.ArmOf(user));
        Users.Select(u => plain.ArmOf(u)).Distinct().Order().ShouldBe(["din", "holdout", "learned"]);
    }

    [Fact]
    public void Ramping_up_keeps_everybody_in_their_arm()
    {
        var version = Of(Experiment("e", "l", .01, ("a", 1), ("b", 2), ("c", 3.7))).First();
        var before = version.Splitter();
        foreach (var share in new[] { .013, .05, .2, .77, 1 })
        {
            version = version.Next(Of(Experiment("e", "l", share, ("a", 1), ("b", 2), ("c", 3.7))));
            var after = version.Splitter();
            foreach (var user in Users)
                if (before.ArmOf(user) != TrafficSplitter.Learned) after.ArmOf(user).ShouldBe(before.ArmOf(user));
            Users.Count(u => after.ArmOf(u) != TrafficSplitter.Learned).ShouldBeInRange((int)(Users.Length * share * .8) - 50, (int)(Users.Length * share * 1.2) + 50);
            before = after;
        }
    }

    [Fact]
    public void Changed_weights_move_only_those_who_must()
    {
        var version = Of(Experiment("e", "l", 1, ("a", 1), ("b", 1))).First();
        var before = version.Splitter();
        var after = version.Next(Of(Experiment("e", "l", 1, ("a", 3), ("b", 1)))).Splitter();
        foreach (var user in Users)
            if (before.ArmOf(user) == "learned~e:a") after.ArmOf(user).ShouldBe("learned~e:a");
        Users.Count(u => before.ArmOf(u) != after.ArmOf(u)).ShouldBeInRange(4_400, 5_600);
    }

    [Fact]
    public void Experiments_of_a_layer_exclude_each_other_and_layers_overlap()
    {
        var splitter = Of(Experiment("a", "one", .5), Experiment("b", "one", .5), Experiment("c", "two", .5)).First().Splitter();
        var arms = Users.Select(u => splitter.ArmOf(u)).ToList();
        arms.ShouldAllBe(a => a.Contains("~a:") != a.Contains("~b:"));
        arms.Count(a => a.Contains("~a:") && a.Contains("~c:")).ShouldBeInRange(4_600, 5_400);
        arms.Distinct().Count().ShouldBe(4 * 3);
        splitter.Now.Named.ShouldBe(12);
    }

    [Fact]
    public void Domains_and_holdouts_keep_users_out_of_layers()
    {
        var definitions = Of(Experiment("in", "apart", 1), Experiment("e", "l", 1), Experiment("f", "m", 1));
        definitions = definitions with
        {
            Domains = [new DomainDefinition { Name = "own", Share = .2 }],
            Holdouts = [new HoldoutDefinition { Name = "year", Share = .1 }, new HoldoutDefinition { Name = "q4", Share = .1, Layers = ["m"] }],
            Layers = [.. definitions.Layers.Select(l => l.Name == "apart" ? l with { Domain = "own" } : l)],
        };
        var splitter = definitions.First().Splitter(.05);
        var arms = Users.Select(u => splitter.ArmOf(u)).ToList();
        arms.Count(a => a == "holdout").ShouldBeInRange(800, 1_200);
        var rest = arms.Where(a => a != "holdout").ToList();
        rest.Count(a => a.Contains("~in:")).ShouldBeInRange((int)(rest.Count * .9 * .18), (int)(rest.Count * .9 * .22));
        rest.Where(a => a.Contains("~in:")).ShouldAllBe(a => !a.Contains("~e:") && !a.Contains("~f:"));
        rest.Where(a => a.Contains("year:held")).ShouldAllBe(a => !a.Contains("~in:") && !a.Contains("~e:") && !a.Contains("~f:"));
        rest.Count(a => a.Contains("year:held")).ShouldBeInRange(1_600, 2_200);
        rest.Where(a => a.Contains("q4:held")).ShouldAllBe(a => !a.Contains("~f:"));
        rest.Count(a => a.Contains("q4:held") && a.Contains("~e:")).ShouldBeInRange(1_000, 1_700);
        // The one domain's hold-out is not the other's layer of the same place.
        rest.Count(a => a.Contains("q4:held") && a.Contains("~in:")).ShouldBeInRange(200, 450);
    }

    [Fact]
    public void Targets_times_and_states_decide_who_takes_part()
    {
        var e = Experiment("e", "l", 1) with
        {
            Starts = DateTimeOffset.FromUnixTimeMilliseconds(100), Ends = DateTimeOffset.FromUnixTimeMilliseconds(200),
            Target = new TargetDefinition { Attributes = new() { ["country"] = ["de", "at"], ["age"] = ["old"] }, Surfaces = ["home"] },
        };
        var splitter = Of(e).First().Splitter(nowMs: 99);
        ulong[] german = [TraitKey.Of("age", "old"), TraitKey.Of("country", "de")];
        splitter.Now.NeedsTraits.ShouldBeTrue();
        splitter.Now.UntilMs.ShouldBe(100);
        splitter.ArmOf("u", "home", german).ShouldBe("learned");
        splitter.MoveTo(99).ShouldBeFalse();
        splitter.MoveTo(100).ShouldBeTrue();
        splitter.ArmOf("u", "home", german).ShouldStartWith("learned~e:");
        splitter.ArmOf("u", "detail", german).ShouldBe("learned");
        splitter.ArmOf("u", "home", [TraitKey.Of("country", "de")]).ShouldBe("learned");
        splitter.ArmOf("u", "home", [TraitKey.Of("age", "old"), TraitKey.Of("country", "fr")]).ShouldBe("learned");
        splitter.MoveTo(200).ShouldBeTrue();
        splitter.Now.UntilMs.ShouldBe(long.MaxValue);
        splitter.ArmOf("u", "home", german).ShouldBe("learned");
        foreach (var state in new[] { ExperimentState.Draft, ExperimentState.Stopped, ExperimentState.Killed })
            {
            var ended = Of(Experiment("e", "l", 1) with { State = state }).First().Splitter();
            foreach (var user in Users) ended.ArmOf(user).ShouldBe("learned");
        }
    }

    [Fact]
    public void A_stopped_arm_gives_its_users_back_and_leaves_the_others_alone()
    {
        var both = Of(Experiment("e", "l", 1)).First();
        var before = both.Splitter();
        var one = Experiment("e", "l", 1);
        var after = both.Next(Of(one with { Arms = [one.Arms[0], one.Arms[1] with { Stopped = true }] })).Splitter();
        foreach (var user in Users)
            after.ArmOf(user).ShouldBe(before.ArmOf(user) == "learned~e:new" ? "learned" : "learned~e:control");
    }

    [Fact]
    public void Forced_users_are_where_the_definition_or_their_lookup_says()
    {
        var running = Experiment("e", "l", .5) with { Forced = new() { ["qa"] = "new" } };
        var draft = Experiment("d", "m", 0) with { State = ExperimentState.Draft };
        var dead = Experiment("k", "n", 0) with { State = ExperimentState.Killed };
        var splitter = (Of(running, draft, dead) with { Testers = ["tess"] }).First().Splitter();
        splitter.ArmOf("qa").ShouldBe("learned~e:new");
        splitter.TryForce("tess", "", default, "d:new,e:control", out var arm, out _).ShouldBeTrue();
        arm.ShouldBe("learned~d:new~e:control");
        splitter.TryForce("qa", "", default, "e:control", out arm, out _).ShouldBeTrue();
        arm.ShouldBe("learned~e:control");
        Refused("qa", "d:new").ShouldBe((true, "user 'qa' is neither one of the testers nor forced in experiment 'd'"));
        Refused("tess", "k:new").ShouldBe((true, "experiment 'k' is killed: nobody sees its arms"));
        Refused("tess", "e:none").ShouldBe((false, "'e:none' names no arm; there are learned, holdout, e:control, e:new, d:control, d:new"));
        // Who is forced into one experiment learns of no other.
        Refused("qa", "e:none").ShouldBe((false, "'e:none' names no arm; there are e:control, e:new"));
        Refused("qa", "x:none").ShouldBe((true, "user 'qa' is neither one of the testers nor forced in an experiment of this name"));

        (bool, string) Refused(string user, string wanted)
        {
            splitter.TryForce(user, "", default, wanted, out _, out var refusal).ShouldBeFalse();
            return (refusal.IsKnown, refusal.Reason);
        }
    }

    [Fact]
    public void Testers_ask_for_arms_of_the_default_layer_too()
    {
        var settings = new ExperimentsSettings { HoldoutShare = .3, ArmShares = new() { ["din"] = .3, ["dpp"] = 0 } };
        var version = (Of(Experiment("e", "l", 1)) with { Testers = [.. Users.Take(200)] }).First();
        var splitter = version.Splitter(settings);
        splitter.ChoicesOf(Users[0]).ShouldBe(["learned", "holdout", "din", "dpp", "e:control", "e:new"]);
        foreach (var user in Users.Take(200))
        {
            var own = splitter.ArmOf(user);
            // Whatever they have by themselves; who leaves the hold-out for a look has the experiments' arms that they would have, and who enters it has none.
            Forced(user, "learned").ShouldMatch("^learned~e:(control|new)$");
            Forced(user, "din")["din".Length..].ShouldBe(Forced(user, "learned")["learned".Length..]);
            if (own != "holdout") Forced(user, "learned")["learned".Length..].ShouldBe(own[own.IndexOf('~')..]);
            Forced(user, "holdout").ShouldBe("holdout");
            Forced(user, "dpp,e:new").ShouldBe("dpp~e:new");
            Forced(user, "e:new, dpp").ShouldBe("dpp~e:new");
            splitter.ArmOf(user).ShouldBe(own);
        }
        splitter.ChoicesOf("bob").ShouldBeEmpty();
        splitter.TryForce("bob", "", default, "learned", out _, out var refusal).ShouldBeFalse();
        refusal.IsKnown.ShouldBeTrue();
        // Where everybody tests, so does bob.
        var open = version.Splitter(settings with { EverybodyTests = true });
        open.ChoicesOf("bob").ShouldBe(splitter.ChoicesOf(Users[0]));
        open.TryForce("bob", "", default, "dpp,e:new", out var arm, out _).ShouldBeTrue();
        arm.ShouldBe("dpp~e:new");

        string Forced(string user, string wanted)
        {
            splitter.TryForce(user, "", default, wanted, out var forced, out _).ShouldBeTrue();
            return forced;
        }
    }

    [Fact]
    public void Explained_and_assigned_are_the_same()
    {
        var definitions = Of(Experiment("a", "one", .5), Experiment("c", "two", .5)) with { Holdouts = [new HoldoutDefinition { Name = "h", Share = .1 }] };
        var splitter = definitions.First().Splitter(.1);
        foreach (var user in Users.Take(3_000)) splitter.Now.Explain(user, "", default).Key.ShouldBe(splitter.ArmOf(user));
    }

    /// <summary>Four layers' worth of work for the look-up's path, and not a byte.</summary>
    [Fact]
    public void Assignment_allocates_nothing()
    {
        var splitter = Of([.. Enumerable.Range(0, 4).Select(i => Experiment($"e{i}", $"l{i}", .5) with
        {
            Target = i == 3 ? new TargetDefinition { Attributes = new() { ["a"] = ["x", "y"] }, Surfaces = ["home"] } : new(),
        })]).First().Splitter(.05);
        ulong[] traits = [TraitKey.Of("a", "y"), TraitKey.Of("b", "z")];
        foreach (var user in Users) splitter.ArmOf(user, "home", traits);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1_000; i++) splitter.ArmOf(Users[i], "home", traits);
        }).ShouldBe(0);
    }
}
