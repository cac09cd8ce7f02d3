using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Node.Tests;

public sealed class FreshListsTests
{
    private static FeedList List(string user, long offset, string surface = "", int partition = 0) => new()
    {
        User = user, Surface = surface, Arm = "learned", Version = 1, BuiltMs = 1, LastEventMs = 1, LastApplied = new LogPosition(partition, offset),
        Models = "", Entries = [],
    };

    [Fact]
    public void A_wait_ends_with_a_list_that_has_seen_its_event_and_no_other()
    {
        var fresh = new FreshLists(10);
        var wait = fresh.Wait("ann", "home", new LogPosition(0, 10))!;
        fresh.Signal(List("ann", 9, "home"));
        fresh.Signal(List("ann", 10));
        fresh.Signal(List("bob", 10, "home"));
        fresh.Signal(List("ann", 10, "home", partition: 1));
        wait.IsCompleted.ShouldBeFalse();
        fresh.Waiting().ShouldBe([("ann", "home", new LogPosition(0, 10))]);
        fresh.Signal(List("ann", 11, "home"));
        wait.IsCompletedSuccessfully.ShouldBeTrue();
        fresh.Waiting().ShouldBeEmpty();
    }

    /// <summary>One that was set aside shows in no list: a round that asked every time would build lists for as long as somebody waits.</summary>
    [Fact]
    public void A_list_is_asked_for_once_the_event_is_applied_and_then_not_again()
    {
        var fresh = new FreshLists(10);
        fresh.Wait("bob", "", new LogPosition(0, 10)).ShouldNotBeNull();
        fresh.Wait("ann", "home", new LogPosition(0, 10)).ShouldNotBeNull();
        fresh.Wait("ann", "", new LogPosition(1, 3)).ShouldNotBeNull();
        fresh.Wait("ann", "", new LogPosition(7, 3)).ShouldNotBeNull();
        fresh.TakeApplied([10, 3]).ShouldBeEmpty();
        fresh.TakeApplied([11, 4]).ShouldBe([("ann", ""), ("ann", "home"), ("bob", "")]);
        fresh.TakeApplied([20, 20]).ShouldBeEmpty();
    }

    [Fact]
    public void No_more_wait_than_the_bound_and_every_end_makes_room()
    {
        var fresh = new FreshLists(2);
        var a = fresh.Wait("a", "", new LogPosition(0, 1))!;
        fresh.Wait("a", "", new LogPosition(0, 2)).ShouldNotBeNull();
        fresh.Wait("b", "", new LogPosition(0, 1)).ShouldBeNull();
        fresh.Abandon("a", a);
        fresh.Abandon("a", a);
        fresh.Wait("b", "", new LogPosition(0, 1)).ShouldNotBeNull();
        fresh.Wait("c", "", new LogPosition(0, 1)).ShouldBeNull();
        fresh.Signal(List("a", 2));
        fresh.Signal(List("b", 2));
        for (var i = 0; i < 2; i++) fresh.Wait("c", "", new LogPosition(0, 1)).ShouldNotBeNull();
        fresh.Wait("c", "", new LogPosition(0, 1)).ShouldBeNull();
    }

    [Fact]
    public async Task Nobody_is_left_waiting_whatever_the_threads_do()
    {
        const int waits = 20_000;
        var fresh = new FreshLists(waits);
        var applied = new long[8];
        using var stop = new CancellationTokenSource();
        var signaller = Task.Run(() =>
        {
            // Like the shards: the list first, the signal after.
            while (!stop.IsCancellationRequested)
                for (var u = 0; u < applied.Length; u++) fresh.Signal(List($"u{u}", Interlocked.Increment(ref applied[u])));
        });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(t => Task.Run(async () =>
        {
            var random = new Random(t);
            for (var i = 0; i < waits / 4; i++)
            {
                var u = random.Next(applied.Length);
                var after = Interlocked.Read(ref applied[u]) + random.Next(3);
                var wait = fresh.Wait($"u{u}", "", new LogPosition(0, after)).ShouldNotBeNull();
                if (random.Next(4) == 0 || Interlocked.Read(ref applied[u]) >= after) fresh.Abandon($"u{u}", wait);
                await wait.WaitAsync(TimeSpan.FromSeconds(60));
            }
        })));
        await stop.CancelAsync();
        await signaller;
        fresh.Waiting().ShouldBeEmpty();
        for (var i = 0; i < waits; i++) (fresh.Wait("full", "", new LogPosition(0, 1)) is not null).ShouldBeTrue();
        (fresh.Wait("full", "", new LogPosition(0, 1)) is null).ShouldBeTrue();
    }

    [Fact]
    public async Task A_signal_is_remembered_once_and_never_lost()
    {
        var signal = new AsyncSignal(TimeProvider.System);
        signal.Set();
        signal.Set();
        var at = System.Diagnostics.Stopwatch.StartNew();
        await signal.WaitAsync(TimeSpan.FromMinutes(1), default);
        await signal.WaitAsync(TimeSpan.FromMilliseconds(1), default);
        at.Elapsed.TotalSeconds.ShouldBeLessThan(50);

        // Work is published before the signal: whoever wakes sees it, and nobody sleeps while there is some.
        long published = 0, seen = 0;
        var setters = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                Interlocked.Increment(ref published);
                signal.Set();
            }
        })).ToArray();
        while (seen < 20_000)
        {
            await signal.WaitAsync(TimeSpan.FromMinutes(1), default);
            seen = Interlocked.Read(ref published);
        }
        await Task.WhenAll(setters);
        at.Elapsed.TotalSeconds.ShouldBeLessThan(50);
    }
}
