using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

/// <summary>Reasons that were planted are the ones found.</summary>
public sealed class FeedExplainerTests
{
    private static readonly FeedsSettings CoVisited = new()
    {
        ListLength = 10, DiversityWindow = 0, MmrLambda = 1, ExploreEvery = 0, Quotas = new Dictionary<string, int> { [FeedChannels.ItemCf] = 10, [FeedChannels.Popular] = 1 },
    };

    /// <summary>Scores an item by the user's weights of its tags: it moves when interests do.</summary>
    private sealed class InterestRanker(IItemCatalog items) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> keys, string surface, long nowMs, Span<float> scores)
        {
            for (var i = 0; i < keys.Length; i++)
            {
                scores[i] = 0;
                if (!items.TryGet(keys[i], out var item)) continue;
                foreach (var tag in item.TagKeys) scores[i] += user.Interests.GetValueOrDefault(tag).Weight;
            }
        }
    }

    /// <summary>Who took "jazz-1" took "jazz-2"; who took "folk-1" took "folk-2"; "hit" is popular; the user took both first ones.</summary>
    private static (World World, UserState User) Planted()
    {
        var world = new World(CoVisited);
        foreach (var id in (string[])["jazz-1", "jazz-2", "folk-1", "folk-2", "hit"]) world.Add(id, [id.Split('-')[0]]);
        for (var i = 0; i < 5; i++)
        {
            world.Act("jazz-1");
            world.Act("folk-1");
            world.Act("jazz-2", userActions: 2, recent: "jazz-1");
            world.Act("folk-2", userActions: 2, recent: "folk-1");
        }
        for (var i = 0; i < 50; i++) world.Act("hit");
        world.Index.Refresh(World.Now);
        var user = world.User();
        foreach (var (id, weight) in ((string, float)[])[("folk-1", 1), ("jazz-1", 3)])
        {
            World.Like(user, id, weight);
            user.Interests[InterestKey.Tag(id.Split('-')[0])] = new Interest(weight, World.Now, 1);
            user.Marks[World.Key(id)] = new ItemMarks(0, 1, 1, false, false, World.Now);
        }
        return (world, user);
    }

    private static IReadOnlyList<Explanation> Explain(World world, UserState user, string arm, params string[] items)
    {
        var models = new FakeModels(world.Catalog);
        var builder = new FeedBuilder(world.Index, models, world.Vectors, new InterestRanker(world.Catalog), world.Settings);
        return new FeedExplainer(builder, models, world.Users)
            .Explain(LeaveOut.Snapshot(user), world.Vectors.Dim, user.User, "", arm, [.. items.Select(World.Key)], World.Now)!;
    }

    [Fact]
    public void The_item_without_which_another_would_not_have_been_found_is_the_reason()
    {
        var (world, user) = Planted();
        var found = Explain(world, user, "learned", "jazz-2", "folk-2", "hit");
        found[0].With.ShouldBe(new Standing(true, FeedChannels.ItemCf, 1, 3));
        found[0].Reason!.Action.ItemKey.ShouldBe(World.Key("jazz-1"));
        found[0].Reason!.Without.Score.ShouldBe(0);
        found[0].Reason!.Drop.ShouldBe(3);
        found[1].Reason!.Action.ItemKey.ShouldBe(World.Key("folk-1"));
        found[1].Reason!.Drop.ShouldBe(1);
        found[2].With.Channel.ShouldBe(FeedChannels.Popular);
        found[2].Reason.ShouldBeNull("nothing that the user did brought it");
        found.ShouldAllBe(e => e.Omissions.Count == 2);
    }

    [Fact]
    public void An_action_that_spoke_against_an_item_is_no_reason_for_it()
    {
        var (world, user) = Planted();
        // Of two tags one is liked and the other was marked down by the later action.
        world.Add("both", ["jazz", "folk"]);
        user.History[0] = user.History[0] with { Weight = -1 };
        user.Interests[InterestKey.Tag("folk")] = new Interest(-1, World.Now, 1);
        var explanation = Explain(world, user, "learned", "both").ShouldHaveSingleItem();
        explanation.With.ShouldBe(new Standing(false, "", 0, 2));
        explanation.Omissions.Select(o => o.Drop).ShouldBe([3f, -1f]);
        explanation.Reason!.Action.ItemKey.ShouldBe(World.Key("jazz-1"));
    }

    [Fact]
    public void The_popular_list_of_the_hold_out_has_no_reasons_in_the_user()
    {
        var (world, user) = Planted();
        var explanation = Explain(world, user, "holdout", "hit").ShouldHaveSingleItem();
        explanation.With.IsFound.ShouldBeTrue();
        explanation.With.Score.ShouldBeInRange(0.5f, 1f);
        explanation.Reason.ShouldBeNull();
    }

    [Fact]
    public void An_item_is_no_reason_for_itself_and_the_state_stays()
    {
        var (world, user) = Planted();
        var before = LeaveOut.Snapshot(user);
        Explain(world, user, "learned", "jazz-1").Single().Omissions.Select(o => o.Action.ItemKey).ShouldBe([World.Key("folk-1")]);
        LeaveOut.Snapshot(user).ShouldBe(before);
    }

    [Fact]
    public void Only_the_newest_items_are_left_out_each_once()
    {
        var (world, user) = Planted();
        for (var i = 0; i < 30; i++)
        {
            World.Like(user, $"x{i}");
            World.Like(user, "folk-1");
        }
        var omissions = Explain(world, user, "learned", "jazz-2").Single().Omissions;
        omissions.Count.ShouldBe(FeedExplainer.OmittedMax);
        omissions.Select(o => o.Action.ItemKey).ShouldBeUnique();
        omissions.ShouldAllBe(o => o.Action.Action == EventKind.Click);
    }
}
