namespace Streaming.Simulation.Tests;

/// <summary>The checker finds faults that are planted in the machine: what it calls sound means something.</summary>
public sealed class PlantedFaultTests
{
    [Theory]
    [InlineData(Plant.AckBeforeDurable, "what was acknowledged")]
    [InlineData(Plant.LostUpsert, "that of an undisturbed run of the same log is")]
    [InlineData(Plant.UndeletedUser, "the log says")]
    [InlineData(Plant.RereadRecord, "the node counts")]
    [InlineData(Plant.SkippedRecord, "the node counts")]
    public void Each_is_found_within_a_few_seeds(Plant planted, string says)
    {
        // The checker tells of at most twenty violations a seed.
        var found = Enumerable.Range(1, 4).Select(seed => Simulation.Run((ulong)seed, new SimulationOptions(planted))).ToList();
        found.SelectMany(r => r.Violations).ShouldContain(v => v.Contains(says));
    }
}
