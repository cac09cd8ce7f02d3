using Streaming.Core.Settings;
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
