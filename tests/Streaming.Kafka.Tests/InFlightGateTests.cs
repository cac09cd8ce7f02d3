namespace Streaming.Kafka.Tests;

public sealed class InFlightGateTests
{
    [Fact]
    public async Task It_bounds_records_and_bytes_and_admits_in_turn()
    {
        var gate = new InFlightGate(recordsMax: 3, bytesMax: 100);
        gate.TryEnter(60).ShouldBeTrue();
        gate.TryEnter(50).ShouldBeFalse("110 bytes");
        var large = gate.EnterAsync(50, default).AsTask();
        gate.TryEnter(1).ShouldBeFalse("somebody waits already");
        var small = gate.EnterAsync(1, default).AsTask();
        large.IsCompleted.ShouldBeFalse();
        gate.Exit(60);
        await large;
        await small;
        gate.TryEnter(1).ShouldBeTrue();
        gate.TryEnter(1).ShouldBeFalse("three records");
    }

    [Fact]
    public void A_record_above_the_bound_fits_alone()
    {
        var gate = new InFlightGate(recordsMax: 3, bytesMax: 100);
        gate.TryEnter(1_000).ShouldBeTrue();
        gate.TryEnter(1).ShouldBeFalse();
        gate.Exit(1_000);
        gate.TryEnter(1).ShouldBeTrue();
        gate.TryEnter(1_000).ShouldBeFalse();
    }

    [Fact]
    public async Task Who_gives_up_waiting_holds_up_nobody()
    {
        var gate = new InFlightGate(recordsMax: 2, bytesMax: 100);
        gate.TryEnter(40).ShouldBeTrue();
        using var cancel = new CancellationTokenSource();
        var impatient = gate.EnterAsync(90, cancel.Token).AsTask();
        var patient = gate.EnterAsync(40, default).AsTask();
        patient.IsCompleted.ShouldBeFalse("the first in the line does not fit");
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await impatient);
        await patient;
        gate.Exit(40);
        gate.Exit(40);
        gate.TryEnter(1_000).ShouldBeTrue("empty again");
    }
}
