using Streaming.Core.Ids;

namespace Streaming.Experiments.Tests;

public sealed class OffPolicyIntervalTests
{
    [Fact]
    public void It_covers_the_truth_as_often_as_it_says_though_a_users_rows_are_alike()
    {
        const int runs = 400;
        var covered = new int[OffPolicyInterval.Estimators.Count];
        for (var run = 0; run < runs; run++)
        {
            var (rows, users) = Log(StableHash.Combine(77, (ulong)run));
            var values = OffPolicyInterval.Of(rows, users);
            for (var e = 0; e < values.Length; e++)
                if (values[e].Holds(0.28)) covered[e]++;
        }
        foreach (var count in covered) count.ShouldBeInRange(runs * 91 / 100, runs * 98 / 100);
    }

    [Fact]
    public void Fewer_than_two_users_have_no_interval()
    {
        var value = OffPolicyInterval.Of([new LoggedAction(1, 0.5, 0.8)], [1UL])[0];
        value.Value.ShouldBe(1.6, 1e-12);
        double.IsNaN(value.Low).ShouldBeTrue();
    }

    /// <summary>Mean rates .3 and .1 of two actions, users around them; logged with .25 and .75; the target takes the first with .9: worth .28.</summary>
    private static (LoggedAction[] Rows, ulong[] Users) Log(ulong seed)
    {
        var (rows, users) = (new List<LoggedAction>(), new List<ulong>());
        for (var u = 0UL; u < 300; u++)
        {
            var taste = 0.4 + 1.2 * StableHash.Unit(StableHash.Combine(seed, u));
            for (var i = 0UL; i < 10; i++)
            {
                var draw = StableHash.Combine(StableHash.Combine(seed, u), i + 1);
                var first = StableHash.Unit(StableHash.Combine(draw, 1)) < 0.25;
                var reward = StableHash.Unit(StableHash.Combine(draw, 2)) < taste * (first ? 0.3 : 0.1) ? 1 : 0;
                rows.Add(new LoggedAction(reward, first ? 0.25 : 0.75, first ? 0.9 : 0.1, first ? 0.25 : 0.15, 0.9 * 0.25 + 0.1 * 0.15));
                users.Add(u);
            }
        }
        return ([.. rows], [.. users]);
    }
}
