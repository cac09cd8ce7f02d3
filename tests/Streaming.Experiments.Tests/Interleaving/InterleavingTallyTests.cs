using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Experiments.Interleaving;

namespace Streaming.Experiments.Tests.Interleaving;

public sealed class InterleavingTallyTests
{
    [Fact]
    public void A_user_counts_once_however_much_they_click()
    {
        var tally = new InterleavingTally(100);
        for (var i = 0; i < 50; i++) tally.Click(1, Team.A);
        tally.Click(2, Team.B);
        tally.Click(3, Team.B);
        tally.Click(3, Team.A);
        tally.Click(4, Team.None);
        var result = tally.Result();
        (result.Users, result.PreferA, result.PreferB, result.Ties, result.ClicksA, result.ClicksB).ShouldBe((3, 1, 1, 1, 51, 2));
        result.Preference.ShouldBe(0.5);
        result.PValue.ShouldBe(1);
    }

    [Fact]
    public void The_sign_test_equals_the_binomial_by_hand()
    {
        // P(X <= 2 | 10, 1/2) = (1 + 10 + 45) / 1024.
        InterleavingTest.PValue(8, 2).ShouldBe(2 * 56 / 1024.0, 1e-12);
        InterleavingTest.PValue(2, 8).ShouldBe(2 * 56 / 1024.0, 1e-12);
        InterleavingTest.PValue(5, 5).ShouldBe(1);
        InterleavingTest.PValue(0, 0).ShouldBe(1);
    }

    [Fact]
    public void It_is_bounded_and_says_what_it_left_out()
    {
        var tally = new InterleavingTally(2);
        foreach (var user in (ulong[])[1, 2, 3, 4, 1]) tally.Click(user, Team.A);
        (tally.Users, tally.Dropped).ShouldBe((2, 2L));
        tally.Result().ClicksA.ShouldBe(3);
    }

    [Fact]
    public void Without_a_preference_it_rings_at_the_promised_rate_and_at_the_promised_power_with_one()
    {
        var needed = (int)Math.Ceiling(InterleavingTest.UsersNeeded(0.42, 0.34));
        needed.ShouldBeInRange(900, 960);
        Share(needed, 0.38, 0.38, 1).ShouldBeInRange(0.02, 0.06);
        Share(needed, 0.42, 0.34, 2).ShouldBe(0.8, 0.04);
    }

    [Fact]
    public void The_interval_covers_the_preference()
    {
        var inside = 0;
        for (var run = 0; run < 1000; run++)
        {
            var (a, b) = Draw(300, 0.4, 0.3, StableHash.Combine(9, (ulong)run));
            var result = InterleavingTest.Of(300, a, b, 0, 0);
            if (result.Low <= 0.55 && 0.55 <= result.High) inside++;
        }
        inside.ShouldBeGreaterThanOrEqualTo(945);
    }

    private static double Share(int users, double shareA, double shareB, ulong seed)
    {
        var found = 0;
        for (var run = 0; run < 2000; run++)
        {
            var (a, b) = Draw(users, shareA, shareB, StableHash.Combine(seed, (ulong)run));
            if (InterleavingTest.PValue(a, b) < 0.05) found++;
        }
        return found / 2000.0;
    }

    private static (long A, long B) Draw(int users, double shareA, double shareB, ulong seed)
    {
        var (a, b) = (0L, 0L);
        for (var u = 0; u < users; u++)
        {
            var draw = StableHash.Unit(StableHash.Combine(seed, (ulong)u));
            if (draw < shareA) a++;
            else if (draw < shareA + shareB) b++;
        }
        return (a, b);
    }
}
