using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Feeds.Recall;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class AgainTests
{
    private static readonly UsersSettings Users = new();

    private static UserState UserOf(World world)
    {
        foreach (var id in new[] { "old", "twice", "new" }) world.Add(id);
        var user = world.User();
        foreach (var (item, ago) in new[] { ("old", Users.LongHalfLifeMs), ("twice", Users.LongHalfLifeMs), ("twice", 0), ("new", 0) })
            user.History.Add(new PastAction(World.Key(item), EventKind.Click, 1, World.Now - ago));
        return user;
    }

    [Fact]
    public void Past_items_come_by_what_was_done_with_them_and_when()
    {
        var world = new World();
        var into = new Candidate[10];
        var found = into.AsSpan(0, new AgainChannel(Users).Recall(UserOf(world), new RecallRequest("", World.Now), into));
        world.Names(found).ShouldBe(["twice", "new", "old"]);
        found.ToArray().Select(c => c.Score).ShouldBe([1.5f, 1f, 0.5f], 1e-5);
    }

    [Theory]
    [InlineData(-1, 20, 0)]
    [InlineData(0, 0, 0)]
    [InlineData(0, 20, 3)]
    public void They_are_listed_where_clicked_items_may_come_back_and_the_channel_is_on(long afterMs, int quota, int listed)
    {
        var settings = new FeedsSettings { RepeatClickedAfterMs = afterMs, ExploreEvery = 0, Quotas = new() { [FeedChannels.Again] = quota } };
        var world = new World(settings);
        var user = UserOf(world);
        foreach (var id in new[] { "old", "twice", "new" }) user.Marks[World.Key(id)] = new ItemMarks(0, 1, 1, false, false, World.Now - 1);
        var list = world.Builder().Build(user, "", ArmPolicy.Learned.Name, World.Now);
        (list?.Entries.Count(e => e.Channel == FeedChannels.Again) ?? 0).ShouldBe(listed);
    }
}
