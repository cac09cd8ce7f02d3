namespace Streaming.Simulation.Tests;

/// <summary>One seed, crashed at one point after another of its first life: continuations, messages, and steps of every port.</summary>
public sealed class CrashPointTests
{
    /// <summary>Of a small world with frequent checkpoints.</summary>
    private const ulong Seed = 16;

    [Fact]
    public void Wherever_the_first_life_ends_nothing_is_lost_or_doubled()
    {
        List<string> where = [];
        HashSet<string> kinds = [];
        // A prime stride, so that the points do not keep step with the rounds.
        for (var point = 1L; point <= 2_500; point += 83)
        {
            string? crash = null;
            var result = Simulation.Run(Seed, new SimulationOptions(CrashAt: point, Watch: line =>
            {
                if (crash is null && line.Split(' ')[1] is ['c', 'r', 'a', 's', 'h', ':', .. var at]) crash = at;
            }));
            if (result.Crashes == 0) break;
            kinds.Add(crash!);
            if (result.Violations.Count > 0) where.Add($"at point {point}, {crash}: {result.Violations[0]}");
        }
        where.ShouldBeEmpty();
        kinds.Count.ShouldBeGreaterThan(6, string.Join(' ', kinds));
    }
}
