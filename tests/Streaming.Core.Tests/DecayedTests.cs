namespace Streaming.Core.Tests;

public sealed class DecayedTests
{
    [Fact]
    public void A_sum_halves_every_half_life()
    {
        var sum = new Decayed();
        sum.Add(1000, 8, halfLifeMs: 100);
        (sum.At(1000, 100), sum.At(1100, 100), sum.At(1300, 100)).ShouldBe((8d, 4d, 1d));
        sum.Add(1100, 1, 100);
        (sum.Value, sum.TimeMs).ShouldBe((5d, 1100L));
    }

    [Fact]
    public void Time_before_the_last_addition_does_not_grow_it()
    {
        var sum = new Decayed { Value = 3, TimeMs = 1000 };
        sum.At(500, 100).ShouldBe(3);
    }

    [Fact]
    public void A_late_addition_counts_what_is_left_of_it_and_order_does_not_matter()
    {
        var inOrder = new Decayed();
        inOrder.Add(1000, 2, 100);
        inOrder.Add(1200, 3, 100);
        var late = new Decayed();
        late.Add(1200, 3, 100);
        late.Add(1000, 2, 100);
        late.TimeMs.ShouldBe(1200);
        late.Value.ShouldBe(3.5);
        inOrder.Value.ShouldBe(3.5);
    }
}
