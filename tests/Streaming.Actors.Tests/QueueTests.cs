using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Actors.Tests;

/// <summary>The shard's queues and its hot set against the plainest thing that does the same, on random operations.</summary>
public sealed class QueueTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Wake_ups_come_in_order_of_time_also_after_saving_and_loading(int seed)
    {
        var random = new Random(seed);
        var queue = new WakeQueue();
        var plain = new List<(string User, long DueMs)>();
        var nowMs = 0L;
        for (var i = 0; i < 3_000; i++)
        {
            if (random.Next(3) > 0)
            {
                var (user, dueMs) = ($"u{random.Next(40)}", nowMs + random.Next(100));
                queue.Add(user, dueMs);
                plain.Add((user, dueMs));
                continue;
            }
            if (random.Next(20) == 0) queue = Reloaded(queue);
            nowMs += random.Next(20);
            while (queue.TryTake(nowMs, out var user, out var dueMs))
            {
                dueMs.ShouldBe(plain.Min(w => w.DueMs));
                plain.Remove((user, dueMs)).ShouldBeTrue();
            }
            plain.ShouldAllBe(w => w.DueMs > nowMs);
            queue.Count.ShouldBe(plain.Count);
        }
    }

    [Fact]
    public void Wake_ups_of_one_moment_come_in_an_order_that_does_not_depend_on_how_they_were_added()
    {
        var forth = new WakeQueue();
        var back = new WakeQueue();
        for (var i = 0; i < 100; i++) forth.Add($"u{i}", i / 10);
        for (var i = 99; i >= 0; i--) back.Add($"u{i}", i / 10);
        All(Reloaded(back)).ShouldBe(All(forth));

        static List<string> All(WakeQueue queue)
        {
            var all = new List<string>();
            while (queue.TryTake(long.MaxValue, out var user, out _)) all.Add(user);
            return all;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Stale_lists_come_once_each_urgent_first_also_after_saving_and_loading(int seed)
    {
        var random = new Random(seed);
        var queue = new RefreshQueue();
        var plain = new List<(string User, string Surface, bool Urgent, long SinceMs)>();
        for (var i = 0; i < 5_000; i++)
        {
            if (random.Next(5) > 1)
            {
                var (user, surface, urgent) = ($"u{random.Next(30)}", $"s{random.Next(2)}", random.Next(3) == 0);
                queue.Add(user, surface, urgent, i);
                var at = plain.FindIndex(r => r.User == user && r.Surface == surface);
                if (at >= 0 && (plain[at].Urgent || !urgent)) continue;
                if (at >= 0) plain.RemoveAt(at);
                plain.Add((user, surface, urgent, i));
                continue;
            }
            if (random.Next(20) == 0) queue = Reloaded(queue);
            var any = queue.TryTake(true, out var tookUser, out var tookSurface, out var sinceMs);
            any.ShouldBe(plain.Count > 0);
            if (!any) continue;
            var took = plain.Single(r => r.User == tookUser && r.Surface == tookSurface);
            took.SinceMs.ShouldBe(sinceMs);
            took.ShouldBe(plain.OrderByDescending(r => r.Urgent).First());
            plain.Remove(took);
            queue.Count.ShouldBe(plain.Count);
        }
    }

    [Fact]
    public void A_reloaded_refresh_queue_goes_on_in_the_same_order()
    {
        var random = new Random(7);
        var queue = new RefreshQueue();
        for (var i = 0; i < 2_000; i++)
        {
            if (random.Next(3) > 0) queue.Add($"u{random.Next(50)}", "", random.Next(2) == 0, i);
            else queue.TryTake(true, out _, out _, out _);
        }
        var copy = Reloaded(queue);
        copy.Count.ShouldBe(queue.Count);
        for (var i = 0; i < 2_000; i++)
        {
            var (user, urgent) = ($"u{random.Next(50)}", random.Next(2) == 0);
            queue.Add(user, "", urgent, i);
            copy.Add(user, "", urgent, i);
            queue.TryTake(true, out var took, out _, out _).ShouldBeTrue();
            copy.TryTake(true, out var copyTook, out _, out _).ShouldBeTrue();
            copyTook.ShouldBe(took);
        }
        while (queue.TryTake(true, out var user, out var surface, out var sinceMs))
        {
            copy.TryTake(true, out var copyUser, out var copySurface, out var copySinceMs).ShouldBeTrue();
            (copyUser, copySurface, copySinceMs).ShouldBe((user, surface, sinceMs));
        }
        copy.TryTake(true, out _, out _, out _).ShouldBeFalse();
    }

    [Fact]
    public void Requests_that_urgent_ones_overtook_do_not_pile_up()
    {
        var queue = new RefreshQueue();
        queue.Add("first", "", urgent: true, 0);
        for (var i = 0; i < 100_000; i++)
        {
            // There is always something urgent, so the quiet queue's turn never comes.
            queue.Add("u", "", urgent: false, i);
            queue.Add("u", "", urgent: true, i);
            queue.TryTake(true, out _, out _, out _).ShouldBeTrue();
        }
        queue.Queued.ShouldBeLessThan(1_000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_hot_set_knows_who_was_used_least_lately(int seed)
    {
        var random = new Random(seed);
        var hot = new HotUsers();
        var plain = new List<string>();
        for (var i = 0; i < 5_000; i++)
        {
            var user = $"u{random.Next(30)}";
            switch (random.Next(5))
            {
                case 0 when hot.TryPeek(user, out var gone):
                    hot.Remove(gone);
                    plain.Remove(user);
                    break;
                case 1:
                    hot.TryPeek(user, out _).ShouldBe(plain.Contains(user));
                    break;
                default:
                    hot.TryUse(user, out _).ShouldBe(plain.Remove(user));
                    if (!hot.TryPeek(user, out _)) hot.Add(new Resident(new UserState(user, 2)));
                    plain.Add(user);
                    break;
            }
            hot.Count.ShouldBe(plain.Count);
            hot.Oldest?.State.User.ShouldBe(plain.FirstOrDefault());
            hot.All.Select(r => r.State.User).ShouldBe(plain, ignoreOrder: true);
        }
        while (hot.Oldest is { } oldest)
        {
            oldest.State.User.ShouldBe(plain[0]);
            plain.RemoveAt(0);
            hot.Remove(oldest);
        }
        plain.ShouldBeEmpty();
    }

    private static WakeQueue Reloaded(WakeQueue queue)
    {
        var into = new ByteWriter();
        queue.Write(into);
        var from = new ByteReader(into.WrittenSpan);
        var again = new WakeQueue();
        again.Read(ref from);
        from.AtEnd.ShouldBeTrue();
        return again;
    }

    private static RefreshQueue Reloaded(RefreshQueue queue)
    {
        var into = new ByteWriter();
        queue.Write(into);
        var from = new ByteReader(into.WrittenSpan);
        var again = new RefreshQueue();
        again.Read(ref from);
        from.AtEnd.ShouldBeTrue();
        return again;
    }
}
