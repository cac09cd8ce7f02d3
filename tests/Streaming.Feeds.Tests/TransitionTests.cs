using Streaming.Core.Events;
using Streaming.Core.Settings;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class TransitionTests
{
    private static readonly FeedsSettings Hourly = new() { TransitionHalfLifeMs = World.Hour, RecentDecay = 0.5 };

    private static Dictionary<string, float> Followers(World world, string item)
    {
        var into = new Candidate[20];
        var found = into.AsSpan(0, world.Index.Transitions.Followers(World.Key(item), into));
        var names = world.Names(found);
        var result = new Dictionary<string, float>();
        for (var i = 0; i < names.Length; i++) result.Add(names[i], found[i].Score);
        return result;
    }

    private static World Worked()
    {
        var world = new World(Hourly);
        foreach (var id in new[] { "a", "b", "c" }) world.Add(id);
        // a to b twice, an hour apart; a to c once, with weight 2, at the later time. Only the newest earlier item counts.
        world.Act("b", World.Now - World.Hour, recent: ["a"]);
        world.Act("b", World.Now, recent: ["a", "c"]);
        world.Act("c", World.Now, weight: 2, recent: ["a", "b"]);
        return world;
    }

    [Fact]
    public void Decayed_counts_equal_the_hand_worked_ones()
    {
        var world = Worked();
        // T_ab = 1/2 + 1, T_ac = 2, T_a = 3.5; nothing leads back.
        Followers(world, "a").ShouldBe(new Dictionary<string, float> { ["c"] = 2 / 3.5f, ["b"] = 1.5f / 3.5f }, Near);
        Followers(world, "b").ShouldBeEmpty();
        Followers(world, "c").ShouldBeEmpty();
        var index = world.Index.Transitions;
        double Of(string to, long nowMs, double prior, double weight) => index.Probability(World.Key("a"), World.Key(to), nowMs, prior, weight);
        Of("b", World.Now, 0, 0).ShouldBe(1.5 / 3.5, 1e-9);
        Of("b", World.Now, 0.1, 1).ShouldBe((1.5 + 0.1) / 4.5, 1e-9);
        // Two hours on, the counts are a quarter and the prior weighs as before.
        Of("b", World.Now + 2 * World.Hour, 0.1, 1).ShouldBe((1.5 / 4 + 0.1) / (3.5 / 4 + 1), 1e-9);
        Of("nobody", World.Now, 0.1, 1).ShouldBe(0.1 / 4.5, 1e-9);
        index.Probability(World.Key("nobody"), World.Key("b"), World.Now, 0.1, 1).ShouldBe(0.1);
    }

    [Fact]
    public void Recall_adds_up_the_followers_of_recent_items_and_leaves_those_out()
    {
        var world = Worked();
        world.Act("d", World.Now, recent: ["b"]);
        world.Add("d");
        var user = world.User();
        World.Like(user, "b");
        user.Session.Actions.Add(new PastAction(World.Key("a"), EventKind.Click, 1, World.Now));
        var into = new Candidate[10];
        // Seeds: a (session, newest), then b (x 0.5), which is a follower of a but no recommendation.
        var found = into.AsSpan(0, world.Index.Transitions.Recall(user, new RecallRequest("", World.Now), into));
        world.Names(found).ShouldBe(["c", "d"]);
        found[0].Score.ShouldBe(2 / 3.5f, 1e-5f);
        found[1].Score.ShouldBe(0.5f, 1e-5f);
    }

    [Fact]
    public void A_full_list_lets_the_weakest_go_once_it_has_decayed_below_a_newcomer()
    {
        var world = new World(Hourly with { TransitionFollowersMax = 2 });
        foreach (var id in new[] { "hub", "strong", "weak", "new" }) world.Add(id);
        world.Act("strong", World.Now, weight: 9, recent: ["hub"]);
        world.Act("weak", World.Now, weight: 3, recent: ["hub"]);
        world.Act("new", World.Now, weight: 1, recent: ["hub"]);
        Followers(world, "hub").Keys.ShouldBe(["strong", "weak"], ignoreOrder: true);
        // Three has halved twice.
        world.Act("new", World.Now + 2 * World.Hour, weight: 1, recent: ["hub"]);
        Followers(world, "hub").Keys.ShouldBe(["strong", "new"], ignoreOrder: true);
    }

    [Fact]
    public void Items_left_longest_ago_are_forgotten_and_the_number_stays_bounded()
    {
        var world = new World(Hourly with { TransitionItemsMax = 80 });
        for (var i = 1; i < 300; i++)
        {
            world.Add($"i{i}");
            world.Act($"i{i}", recent: [$"i{i - 1}"]);
        }
        world.Index.Transitions.Count.ShouldBeLessThanOrEqualTo(80);
        Followers(world, "i5").ShouldBeEmpty();
        Followers(world, "i298").Keys.ShouldBe(["i299"]);
    }

    [Fact]
    public void Negative_actions_and_first_actions_teach_nothing()
    {
        var world = new World(Hourly);
        world.Act("a");
        world.Act("b", weight: -2, recent: ["a"]);
        world.Index.Transitions.Count.ShouldBe(0);
    }

    private static readonly IEqualityComparer<KeyValuePair<string, float>> Near = EqualityComparer<KeyValuePair<string, float>>.Create(
        (a, b) => a.Key == b.Key && Math.Abs(a.Value - b.Value) < 1e-4f, e => e.Key.GetHashCode());
}
