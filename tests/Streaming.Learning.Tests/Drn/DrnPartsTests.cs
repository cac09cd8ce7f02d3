using Streaming.Learning.Drn;

namespace Streaming.Learning.Tests.Drn;

/// <summary>The pure parts of DRN, against what the paper says of them.</summary>
public sealed class DrnPartsTests
{
    private const long DayMs = 86_400_000;

    [Fact]
    public void Activeness_stays_at_its_start_with_one_return_a_period()
    {
        var model = new UserActiveness(DayMs);

        // Zheng et al. 2018, section 4.3: lambda0 = 1.2e-5 per second, S0 = 0.5, Sa = 0.32, T0 = 24 h.
        (model.HazardPerMs * 1000).ShouldBe(1.2e-5, 1e-12);
        var level = UserActiveness.Start;
        for (var day = 0; day < 30; day++) level = model.Returned(level, DayMs);
        level.ShouldBe(0.5, 0.01);
        model.Decayed(0.5, DayMs).ShouldBe(0.5 * Math.Exp(-1.0368), 1e-9);
        model.Returned(0.9, 0).ShouldBe(1);
        new UserActiveness(DayMs / 24).Decayed(0.5, DayMs / 24).ShouldBe(model.Decayed(0.5, DayMs), 1e-9);
    }

    [Fact]
    public void Interleaving_takes_from_both_rankings_and_repeats_nothing()
    {
        var interleave = new ProbabilisticInterleave(3);
        int[] current = [0, 1, 2, 3, 4, 5, 6, 7], perturbed = [7, 6, 5, 4, 3, 2, 1, 0];
        var firsts = new int[8];
        var second = 0;

        for (var draw = 1UL; draw <= 4000; draw++)
        {
            var (list, from) = (new int[5], new bool[5]);
            interleave.Fill(current, perturbed, draw, list, from);
            list.Distinct().Count().ShouldBe(5);
            firsts[list[0]]++;
            second += from.Count(f => f);
        }

        // The first slot: half of each ranking's top at 1 / (1 + 2^-3 + ... + 8^-3) = 0.8427, and half of the other's rank 8.
        (firsts[0] / 4000.0).ShouldBe(0.4219, 0.03);
        (firsts[7] / 4000.0).ShouldBe(0.4219, 0.03);
        (second / 20_000.0).ShouldBe(0.5, 0.02);
    }

    [Fact]
    public void A_sharp_interleaving_of_equal_rankings_is_the_ranking()
    {
        var (list, from) = (new int[4], new bool[4]);

        new ProbabilisticInterleave(100).Fill([3, 1, 0, 2], [3, 1, 0, 2], 5, list, from);

        list.ShouldBe([3, 1, 0, 2]);
    }

    [Fact]
    public void The_future_is_the_target_networks_view_of_the_current_networks_choice()
    {
        DoubleQ.Future([1f, 3f, 2f], [10f, 20f, 30f]).ShouldBe(20f);
        DoubleQ.Future([], []).ShouldBe(0f);
        DoubleQ.Future([2f, 2f], [1f, 5f]).ShouldBe(1f);
    }

    [Fact]
    public void Defaults_are_sound_and_bounds_are_named()
    {
        var problems = new Core.Settings.SettingsProblems();
        new DrnSettings().Validate(problems);
        problems.List.ShouldBeEmpty();

        new DrnSettings { Gamma = 1, BatchLists = 0 }.Validate(problems);
        problems.List.Count.ShouldBe(2);
        problems.List[0].ShouldContain("Drn:Gamma");
    }
}
