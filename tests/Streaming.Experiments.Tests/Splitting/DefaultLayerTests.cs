using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;

namespace Streaming.Experiments.Tests.Splitting;

public sealed class DefaultLayerTests
{
    private static TrafficSplitter Splitter(double holdout, string salt = "streaming") =>
        new(new ExperimentsSettings { Salt = salt, HoldoutShare = holdout });

    [Fact]
    public void Buckets_are_fixed_because_they_outlive_the_process() =>
        new[] { "u1", "user-42", "日本" }.Select(Splitter(.05).BucketOf).ShouldBe([FixedU1, FixedUser42, FixedJapan]);

    // Read off the first build; a change would move users between arms in mid-experiment.
    private const int FixedU1 = 3991;
    private const int FixedUser42 = 4420;
    private const int FixedJapan = 3024;

    [Fact]
    public void The_holdout_gets_its_share()
    {
        var splitter = Splitter(.2);
        const int users = 100_000;
        var held = Enumerable.Range(0, users).Count(i => splitter.ArmOf($"u{i}") == TrafficSplitter.Holdout);
        // Five standard deviations of a binomial.
        Math.Abs(held - users * .2).ShouldBeLessThan(5 * Math.Sqrt(users * .2 * .8));
    }

    [Fact]
    public void Buckets_are_uniform_by_chi_square()
    {
        var splitter = Splitter(.05);
        var counts = new int[100];
        const int users = 200_000;
        for (var i = 0; i < users; i++) counts[splitter.BucketOf($"u{i}") % 100]++;
        var expected = users / 100.0;
        // 99 degrees of freedom: the 99.99 % point is 161.
        counts.Sum(c => (c - expected) * (c - expected) / expected).ShouldBeLessThan(161);
    }

    [Fact]
    public void A_larger_holdout_keeps_the_users_of_a_smaller_one()
    {
        var small = Splitter(.05);
        var large = Splitter(.2);
        for (var i = 0; i < 10_000; i++)
            if (small.ArmOf($"u{i}") == TrafficSplitter.Holdout) large.ArmOf($"u{i}").ShouldBe(TrafficSplitter.Holdout);
    }

    [Fact]
    public void Another_salt_is_another_split()
    {
        var a = Splitter(.5);
        var b = Splitter(.5, "other");
        var same = Enumerable.Range(0, 10_000).Count(i => a.ArmOf($"u{i}") == b.ArmOf($"u{i}"));
        same.ShouldBeInRange(4_700, 5_300);
    }

    [Fact]
    public void Without_a_holdout_everyone_learns() =>
        Enumerable.Range(0, 1000).ShouldAllBe(i => Splitter(0).ArmOf($"u{i}") == TrafficSplitter.Learned);

    [Fact]
    public void Arms_get_their_shares_and_the_others_keep_their_users()
    {
        var splitter = new TrafficSplitter(new ExperimentsSettings { HoldoutShare = .1, ArmShares = new() { ["drn"] = .2, ["din"] = .15 } });
        var without = Splitter(.1);
        const int users = 100_000;
        var counts = new Dictionary<string, int>();
        for (var i = 0; i < users; i++)
        {
            var arm = splitter.ArmOf($"u{i}");
            counts[arm] = counts.GetValueOrDefault(arm) + 1;
            if (arm is TrafficSplitter.Holdout or TrafficSplitter.Learned) arm.ShouldBe(without.ArmOf($"u{i}"));
        }
        foreach (var (arm, share) in new[] { ("holdout", .1), ("drn", .2), ("din", .15), ("learned", .55) })
            Math.Abs(counts[arm] - users * share).ShouldBeLessThan(5 * Math.Sqrt(users * share * (1 - share)));
    }

    [Fact]
    public void Shares_of_more_than_everybody_are_refused()
    {
        var problems = new SettingsProblems();
        new ExperimentsSettings { HoldoutShare = .5, ArmShares = new() { ["din"] = .6 } }.Validate(problems);
        problems.List.ShouldHaveSingleItem().ShouldContain("1.1");
    }
}
