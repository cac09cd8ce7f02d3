using System.Collections.Concurrent;
using Streaming.Host.Http;
using Streaming.Node;

namespace Streaming.Host.Tests.Http;

/// <summary>Posts that wait for a node that is behind.</summary>
public sealed class WaitingRoomTests
{
    [Fact]
    public async Task They_are_let_in_few_at_a_time_and_more_while_the_node_keeps_up()
    {
        var behind = true;
        var waiting = new ConcurrentQueue<int>();
        WaitingRoom room = null!;
        room = new WaitingRoom(
            () =>
            {
                if (Volatile.Read(ref behind)) return AdmissionState.Behind;
                waiting.Enqueue(room.Count);
                return AdmissionState.Open;
            },
            TimeSpan.FromMinutes(10), TimeProvider.System);
        var waiters = Enumerable.Range(0, 100).Select(_ => room.WaitAsync()).ToArray();
        waiters.ShouldAllBe(w => !w.IsCompleted);
        room.Count.ShouldBe(100);
        Volatile.Write(ref behind, false);
        await Task.WhenAll(waiters);
        waiting.ShouldBe([100, 92, 76, 44]);
        // With nobody before it, a post does not wait.
        room.WaitAsync().IsCompleted.ShouldBeTrue();
    }

    [Fact]
    public async Task Whom_the_node_stays_behind_waits_as_long_as_is_set_and_no_longer()
    {
        var room = new WaitingRoom(() => AdmissionState.Behind, TimeSpan.FromMilliseconds(50), TimeProvider.System);
        var since = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(room.WaitAsync(), room.WaitAsync());
        TimeProvider.System.GetElapsedTime(since).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(50));
        room.Count.ShouldBe(0);
        new WaitingRoom(() => AdmissionState.Behind, TimeSpan.Zero, TimeProvider.System).WaitAsync().IsCompleted.ShouldBeTrue();
    }
}
