using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Suites;

/// <summary>What every <see cref="IFeedCache"/> promises. A subclass says how to open one.</summary>
public abstract class FeedCacheSuite : IDisposable
{
    /// <summary>Lists per user in the cache of the suite.</summary>
    protected const int ListsPerUserMax = 6;

    private IFeedCache _cache;

    protected FeedCacheSuite() => _cache = Open(Encode);

    /// <summary>Opens the cache of this test: nothing in it the first time; the same folder when called again after a disposal.</summary>
    protected abstract IFeedCache Open(Action<FeedList, ByteWriter> encode);

    /// <summary>Override to remove what <see cref="Open"/> made; call the base first.</summary>
    public virtual void Dispose()
    {
        _cache.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void The_newest_list_of_each_surface_and_arm_is_found()
    {
        Get("u", "home", "a").ShouldBeNull();
        Put("u", "home", "a", 1);
        Put("u", "home", "b", 2);
        Put("u", "detail", "a", 3);
        Put("other", "home", "a", 4);
        Put("u", "home", "a", 5);
        Get("u", "home", "a").ShouldBe(5);
        Get("u", "home", "b").ShouldBe(2);
        Get("u", "detail", "a").ShouldBe(3);
        Get("other", "home", "a").ShouldBe(4);
        Get("u", "detail", "b").ShouldBeNull();
        Get("u", "homea", "").ShouldBeNull();
        Get("nobody", "home", "a").ShouldBeNull();
    }

    [Fact]
    public void A_list_may_grow_and_shrink()
    {
        foreach (var entries in (int[])[3, 50, 200, 1, 0, 90])
        {
            _cache.Put(List("u", "home", "a", entries, entries));
            Put("u", "detail", "a", entries);
            var into = new ByteWriter();
            _cache.TryGet("u", "home", "a", into).ShouldBeTrue();
            into.WrittenSpan.ToArray().ShouldBe(Encoded(List("u", "home", "a", entries, entries)));
            Get("u", "detail", "a").ShouldBe(entries);
        }
    }

    [Fact]
    public void Getting_appends()
    {
        Put("u", "home", "a", 9);
        var into = new ByteWriter();
        into.Byte(1);
        _cache.TryGet("u", "home", "a", into).ShouldBeTrue();
        into.WrittenSpan.ToArray().ShouldBe([1, .. Encoded(List("u", "home", "a", 9, 5))]);
        var length = into.Length;
        _cache.TryGet("u", "nowhere", "a", into).ShouldBeFalse();
        into.Length.ShouldBe(length);
    }

    [Fact]
    public void Deleting_a_user_removes_all_lists_of_that_user_only()
    {
        Put("u", "home", "a", 1);
        Put("u", "detail", "b", 2);
        Put("v", "home", "a", 3);
        _cache.Delete("u");
        _cache.Delete("nobody");
        Get("u", "home", "a").ShouldBeNull();
        Get("u", "detail", "b").ShouldBeNull();
        Get("v", "home", "a").ShouldBe(3);
        Put("u", "home", "a", 4);
        Get("u", "home", "a").ShouldBe(4);
        Get("u", "detail", "b").ShouldBeNull();
    }

    [Fact]
    public void Segments_and_users_do_not_meet()
    {
        Put("sports", "home", "a", 1);
        Put(IFeedCache.SegmentUser("sports"), "home", "a", 2);
        Get("sports", "home", "a").ShouldBe(1);
        Get(IFeedCache.SegmentUser("sports"), "home", "a").ShouldBe(2);
    }

    [Fact]
    public void A_user_without_a_name_is_refused() => Should.Throw<ArgumentException>(() => Put("", "home", "a", 1));

    [Fact]
    public void The_list_put_longest_ago_goes_when_a_user_has_too_many()
    {
        for (var i = 0; i < ListsPerUserMax; i++) Put("u", "home", $"arm {i}", i);
        Put("u", "home", "arm 0", 100);
        Put("u", "home", "one more", 101);
        Get("u", "home", "arm 1").ShouldBeNull();
        Get("u", "home", "arm 0").ShouldBe(100);
        Get("u", "home", "one more").ShouldBe(101);
        for (var i = 2; i < ListsPerUserMax; i++) Get("u", "home", $"arm {i}").ShouldBe(i);
    }

    [Fact]
    public async Task Lists_survive_a_checkpoint()
    {
        for (var i = 0; i < 300; i++)
        {
            Put($"user {i}", "home", "a", i);
            Put($"user {i}", "detail", "a", i + 1);
        }
        _cache.Delete("user 5");
        var token = await _cache.CheckpointAsync();
        Put("user 6", "home", "a", 999);
        _cache.Dispose();
        _cache = Open(Encode);
        await Should.ThrowAsync<InvalidDataException>(() => _cache.RecoverAsync("no-such-token"));
        await _cache.RecoverAsync(token);
        _cache.Prune([token]);
        for (var i = 0; i < 300; i++)
        {
            Get($"user {i}", "home", "a").ShouldBe(i == 5 ? null : i);
            Get($"user {i}", "detail", "a").ShouldBe(i == 5 ? null : i + 1);
        }
    }

    [Fact]
    public async Task Readers_see_whole_lists_while_they_change()
    {
        const int users = 4, versions = 400;
        for (var user = 0; user < users; user++) _cache.Put(List($"u{user}", "home", "a", 0, 0));
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            var into = new ByteWriter();
            var newest = new long[users];
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                into.Clear();
                _cache.TryGet($"u{i % users}", "home", "a", into).ShouldBeTrue();
                var version = VersionOf(into.WrittenSpan);
                version.ShouldBeGreaterThanOrEqualTo(newest[i % users]);
                newest[i % users] = version;
                into.WrittenSpan.SequenceEqual(Encoded(List($"u{i % users}", "home", "a", version, (int)version % 60))).ShouldBeTrue($"version {version} is whole");
            }
        })).ToArray();
        await Task.WhenAll(Enumerable.Range(0, users).Select(user => Task.Run(() =>
        {
            for (var version = 1; version <= versions; version++)
            {
                _cache.Put(List($"u{user}", "home", "a", version, version % 60));
                _cache.Put(List($"u{user}", "detail", "a", version, version % 50));
            }
        })));
        await stop.CancelAsync();
        await Task.WhenAll(readers);
        for (var user = 0; user < users; user++) Get($"u{user}", "home", "a").ShouldBe(versions);
    }

    private void Put(string user, string surface, string arm, long version) => _cache.Put(List(user, surface, arm, version, 5));

    private long? Get(string user, string surface, string arm)
    {
        var into = new ByteWriter();
        return _cache.TryGet(user, surface, arm, into) ? VersionOf(into.WrittenSpan) : null;
    }

    private static long VersionOf(ReadOnlySpan<byte> stored) => new ByteReader(stored).Int64();

    private static byte[] Encoded(FeedList list)
    {
        var into = new ByteWriter();
        Encode(list, into);
        return into.WrittenSpan.ToArray();
    }

    /// <summary>A stored form of this suite: the cache must not care which.</summary>
    private static void Encode(FeedList list, ByteWriter into)
    {
        into.Int64(list.Version);
        into.String(list.User);
        into.String(list.Surface);
        into.String(list.Arm);
        foreach (var entry in list.Entries)
        {
            into.String(entry.Item);
            into.UInt64(entry.ItemKey);
            into.Single(entry.Score);
        }
    }

    protected static FeedList List(string user, string surface, string arm, long version, int entries) => new()
    {
        User = user, Surface = surface, Arm = arm, Version = version, BuiltMs = version, LastEventMs = version,
        LastApplied = new LogPosition(0, version), Models = "test",
        Entries = [.. Enumerable.Range(0, entries).Select(i => new FeedEntry($"item {i} of {version}", (ulong)(i + version), i, "popular", 1))],
    };
}
