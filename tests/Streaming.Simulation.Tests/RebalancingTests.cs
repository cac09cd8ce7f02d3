namespace Streaming.Simulation.Tests;

/// <summary>Ten thousand shards over a hundred nodes, on virtual time.</summary>
public sealed class RebalancingTests
{
    [Fact]
    public void As_few_shards_move_as_balance_allows_and_each_has_one_leader()
    {
        var nodes = new Rebalancing(new RebalancePlan());
        var before = nodes.Nodes.Select(n => n.ToHashSet()).ToList();
        var joined = nodes.Join();
        joined.Moved.ShouldBe(10_000 / 101, "the new one's share, and nothing else");
        nodes.Nodes[^1].Count.ShouldBe(joined.Moved);
        for (var n = 0; n < 100; n++) nodes.Nodes[n].ShouldAllBe(s => before[n].Contains(s), "nobody else is given any");
        foreach (var outcome in (RebalanceOutcome[])[joined, nodes.Kill(17), nodes.Leave(3), nodes.Join()])
        {
            outcome.Spread.ShouldBeLessThanOrEqualTo(1, outcome.Event);
            outcome.Moved.ShouldBeInRange(98, 102, outcome.Event);
            nodes.Nodes.SelectMany(n => n).Order().ShouldBe(Enumerable.Range(0, 10_000), outcome.Event);
        }
    }

    [Fact]
    public void Pauses_are_what_the_steps_of_a_move_add_up_to()
    {
        var plan = new RebalancePlan(Shards: 4, Nodes: 1, RoundMs: 0, CommitMs: 5, GroupMs: 100, SessionTimeoutMs: 1_000, TakeOverMs: 10, TakeOversAtOnce: 1);
        var nodes = new Rebalancing(plan);
        // Asked back at 100, handed over at 105, given at 205, led at 215 and 225; the last rounds ended at 100.
        nodes.Join().ShouldBe(new RebalanceOutcome("joined", 2, 1, 225, 125, 125, 125, 0));
        nodes.Kill(1).ShouldBe(new RebalanceOutcome("killed", 2, 0, 1_120, 1_120, 1_120, 1_120, 0), "silence, the group's meeting, and one after the other");
        Should.Throw<InvalidOperationException>(() => nodes.Leave(0));
        Should.Throw<ArgumentException>(() => new Rebalancing(plan with { Nodes = 5 }));
    }

    [Fact]
    public void A_node_that_hands_over_costs_no_silence()
    {
        var (killed, left) = (new Rebalancing(new RebalancePlan()).Kill(0), new Rebalancing(new RebalancePlan()).Leave(0));
        killed.Moved.ShouldBe(left.Moved);
        killed.PauseMsP50.ShouldBeGreaterThan(9_000);
        left.PauseMsMax.ShouldBeLessThan(1_000);
    }
}
