using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;
using Streaming.Models.Deep;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

public sealed class RetrievalChannelTests
{
    private readonly FakeTowers _towers = new();
    private readonly ItemCatalog _catalog = new();

    /// <summary>Vectors set by the test; the user's is that of the newest past item.</summary>
    private sealed class FakeTowers : IRetrievalModel
    {
        public readonly Dictionary<ulong, float[]> Items = [];
        public readonly List<ulong> Computed = [];
        public ulong[] SeenHistory = [];
        public int SeenInSession;

        /// <summary>Where there are any: the user's vectors, one after the other.</summary>
        public float[] Interests = [];

        public int VectorDim => 2;

        public int VectorsMax => Math.Max(1, Interests.Length / 2);

        public int UserVectors(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
        {
            if (Interests.Length == 0) UserVector(user, history, inSession, into);
            else Interests.CopyTo(into);
            return VectorsMax;
        }

        public bool Knows(ulong item) => Items.ContainsKey(item);

        public void ItemVector(ulong item, Span<float> into)
        {
            Computed.Add(item);
            Items[item].CopyTo(into);
        }

        public void UserVector(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
        {
            (SeenHistory, SeenInSession) = (history.ToArray(), inSession);
            (history.Length > 0 ? Items[history[0]] : [1, 0]).CopyTo(into);
        }
    }

    private RetrievalChannel Channel(int refreshMax = 100, int historyMax = 3) =>
        new(Core.Feeds.FeedChannels.TwoTower, _towers, _catalog, new FeedsSettings { IndexRefreshMax = refreshMax }, new UsersSettings { ExampleHistoryMax = historyMax });

    private Item Put(string id, long expiresMs = long.MaxValue) => _catalog.Apply(new ItemChange(id, new Item(id) { ExpiresMs = expiresMs }, 0))!;

    private void Vector(string id, float x, float y) => _towers.Items[World.Key(id)] = [x, y];

    private static ulong[] Found(RetrievalChannel channel, UserState? user = null)
    {
        var into = new Candidate[10];
        return [.. into.Take(channel.Recall(user ?? new UserState("u", 0), new RecallRequest("", World.Now), into)).Select(c => c.Item)];
    }

    [Fact]
    public void A_new_item_is_found_after_the_next_refresh_and_a_deleted_one_no_more()
    {
        var channel = Channel();
        foreach (var (id, y) in new[] { ("a", 0.5f), ("b", 0.1f) })
        {
            Vector(id, 1, y);
            channel.OnItem(Put(id));
        }
        Found(channel).ShouldBeEmpty();
        channel.Refresh(World.Now).ShouldBe(2);
        Found(channel).ShouldBe([World.Key("b"), World.Key("a")]);
        Vector("a", 1, 0);
        channel.Touch(World.Key("a"));
        channel.Refresh(World.Now);
        Found(channel).ShouldBe([World.Key("a"), World.Key("b")]);
        channel.OnItemDeleted(World.Key("a"));
        Found(channel).ShouldBe([World.Key("b")]);
    }

    [Fact]
    public void Of_several_interests_the_nearest_counts()
    {
        var channel = Channel();
        foreach (var (id, x, y) in new[] { ("east", 1f, 0f), ("north", 0f, 1f), ("between", 0.6f, 0.8f), ("south", 0f, -1f) })
        {
            Vector(id, x, y);
            channel.OnItem(Put(id));
        }
        channel.Refresh(World.Now);
        _towers.Interests = [1, 0, 0, 1.5f];
        var into = new Candidate[3];
        into[..channel.Recall(new UserState("u", 0), new RecallRequest("", World.Now), into)].Select(c => (c.Item, MathF.Round(c.Score, 3)))
            .ShouldBe([(World.Key("north"), 1.5f), (World.Key("between"), 1.2f), (World.Key("east"), 1)]);
    }

    [Fact]
    public void One_deleted_while_it_waits_stays_away()
    {
        var channel = Channel();
        Vector("a", 1, 0);
        channel.OnItem(Put("a"));
        channel.OnItemDeleted(World.Key("a"));
        channel.Refresh(World.Now).ShouldBe(0);
        Found(channel).ShouldBeEmpty();
    }

    [Fact]
    public void An_item_of_which_nothing_is_known_comes_in_once_something_is()
    {
        var channel = Channel();
        channel.OnItem(Put("a"));
        channel.Refresh(World.Now);
        channel.Refresh(World.Now);
        Found(channel).ShouldBeEmpty();
        Vector("a", 1, 0);
        channel.Refresh(World.Now);
        Found(channel).ShouldBe([World.Key("a")]);
    }

    [Fact]
    public void Expired_items_leave_the_index()
    {
        var channel = Channel();
        Vector("a", 1, 0);
        channel.OnItem(Put("a", World.Now + 10));
        channel.Refresh(World.Now);
        Found(channel).ShouldBe([World.Key("a")]);
        channel.Refresh(World.Now + 10);
        channel.Index.Count.ShouldBe(0);
    }

    [Fact]
    public void A_refresh_is_bounded_takes_touched_items_first_and_then_the_stalest_round_and_round()
    {
        var channel = Channel(refreshMax: 3);
        foreach (var i in Enumerable.Range(0, 5))
        {
            Vector($"i{i}", 1, i);
            channel.OnItem(Put($"i{i}"));
        }
        channel.Refresh(World.Now).ShouldBe(3);
        channel.Waiting.ShouldBe(2);
        channel.Refresh(World.Now).ShouldBe(3);
        _towers.Computed.ShouldBe([.. Enumerable.Range(0, 5).Select(i => World.Key($"i{i}")), World.Key("i0")]);
        _towers.Computed.Clear();
        channel.Touch(World.Key("i4"));
        channel.Touch(World.Key("i4"));
        channel.Refresh(World.Now);
        _towers.Computed.ShouldBe([World.Key("i4"), World.Key("i1"), World.Key("i2")]);
    }

    [Fact]
    public void Recall_gives_the_model_the_history_that_examples_carry()
    {
        var channel = Channel(historyMax: 3);
        var user = new UserState("u", 0);
        foreach (var (id, at) in new[] { ("a", 1), ("b", 2), ("c", 3), ("d", 4) })
        {
            Vector(id, at, 1);
            user.History.Add(new PastAction(World.Key(id), Streaming.Core.Events.EventKind.Click, 1, World.Now + at));
        }
        user.Session.StartMs = World.Now + 3;
        Found(channel, user);
        _towers.SeenHistory.ShouldBe([World.Key("d"), World.Key("c"), World.Key("b")]);
        _towers.SeenInSession.ShouldBe(2);
    }

    [Fact]
    public void A_refresh_with_room_leaves_no_vector_of_an_earlier_version()
    {
        var (channel, version) = (Channel(), 1L);
        channel.Version = () => version;
        foreach (var id in new[] { "a", "b", "c" })
        {
            Vector(id, 1, 0.5f);
            channel.OnItem(Put(id));
        }
        channel.Refresh(World.Now);
        channel.OldestVersion.ShouldBe(1);
        version = 2;
        // Items that do not come into the index take no other's turn.
        foreach (var id in new[] { "unknown", "expired" }) channel.OnItem(Put(id, id == "expired" ? 1 : long.MaxValue));
        channel.Refresh(World.Now);
        channel.OldestVersion.ShouldBe(2);

        var slow = Channel(refreshMax: 1);
        slow.Version = () => version;
        foreach (var id in new[] { "a", "b" }) slow.OnItem(Put(id));
        slow.Refresh(World.Now);
        slow.Refresh(World.Now);
        slow.OldestVersion.ShouldBe(2);
        version = 3;
        slow.Refresh(World.Now);
        slow.OldestVersion.ShouldBe(2, "one of the two has had no turn yet");
        slow.Refresh(World.Now);
        slow.OldestVersion.ShouldBe(3);
    }
}
