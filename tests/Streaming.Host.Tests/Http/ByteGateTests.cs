using Streaming.Host.Http;

namespace Streaming.Host.Tests.Http;

public sealed class ByteGateTests
{
    [Fact]
    public async Task Who_finds_no_room_waits_in_the_order_of_coming()
    {
        var gate = new ByteGate(10);
        gate.EnterAsync(6, CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue();
        var large = gate.EnterAsync(7, CancellationToken.None).AsTask();
        var small = gate.EnterAsync(1, CancellationToken.None).AsTask();
        gate.Waiting.ShouldBe(2);
        // There is room for the small one, but the large one would wait for ever if others passed it.
        small.IsCompleted.ShouldBeFalse();
        gate.Leave(6);
        await Task.WhenAll(large, small);
        gate.EnterAsync(3, CancellationToken.None).IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_larger_than_all_the_room_enters_alone()
    {
        var gate = new ByteGate(10);
        gate.EnterAsync(1, CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue();
        var huge = gate.EnterAsync(1000, CancellationToken.None).AsTask();
        huge.IsCompleted.ShouldBeFalse();
        gate.Leave(1);
        await huge;
        var next = gate.EnterAsync(1, CancellationToken.None).AsTask();
        next.IsCompleted.ShouldBeFalse();
        gate.Leave(1000);
        await next;
    }

    [Fact]
    public async Task Who_gives_up_takes_no_room_and_holds_up_nobody()
    {
        var gate = new ByteGate(10);
        await gate.EnterAsync(5, CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var first = gate.EnterAsync(9, gone.Token).AsTask();
        var second = gate.EnterAsync(5, CancellationToken.None).AsTask();
        second.IsCompleted.ShouldBeFalse();
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => first);
        await second;
        gate.Leave(5);
        gate.Leave(5);
        gate.EnterAsync(10, CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue();
        gate.Waiting.ShouldBe(0);
    }
}
