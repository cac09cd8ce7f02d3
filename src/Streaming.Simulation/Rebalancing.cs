using Streaming.Core.Ids;

namespace Streaming.Simulation;

/// <summary>What moving shards costs, in the sizes that <c>cluster-check</c> and <c>/v1/status</c> measure.</summary>
/// <param name="Shards">Partitions of <c>events</c>.</param>
/// <param name="Nodes">With the role users, before the event.</param>
/// <param name="RoundMs">A round under load, ms: a node hands over between two.</param>
/// <param name="CommitMs">Of the transaction that hands over, ms.</param>
/// <param name="GroupMs">From the last member's coming back to everybody's knowing their partitions, ms.</param>
/// <param name="SessionTimeoutMs">Kafka:SessionTimeoutMs.</param>
/// <param name="TakeOverMs">Of one shard at the node that it comes to: positions asked, the last records read, ms.</param>
/// <param name="TakeOversAtOnce">Of one node.</param>
/// <param name="Seed">Of where in their rounds the nodes are.</param>
public sealed record RebalancePlan(
    int Shards = 10_000, int Nodes = 100, double RoundMs = 200, double CommitMs = 20, double GroupMs = 200, double SessionTimeoutMs = 10_000, double TakeOverMs = 30,
    int TakeOversAtOnce = 8, long Seed = 1);

/// <summary>How a rebalance went.</summary>
/// <param name="Event">What happened: a node "joined", was "killed" or "left".</param>
/// <param name="Moved">Shards that have another leader than before.</param>
/// <param name="MovedNodes">Nodes that gave some up.</param>
/// <param name="TookMs">From the event to every shard's being led.</param>
/// <param name="PauseMsP50">Of the moved ones: from the last round at the old leader to the first at the new one. The others do not pause.</param>
/// <param name="PauseMsP99">The same.</param>
/// <param name="PauseMsMax">The same.</param>
/// <param name="Spread">Shards of the node that has most, less those of the node that has least.</param>
public sealed record RebalanceOutcome(string Event, int Moved, int MovedNodes, double TookMs, double PauseMsP50, double PauseMsP99, double PauseMsMax, int Spread);

/// <summary>
/// Rebalancing on virtual time: the group's sticky assignment (as few moves as balance allows; KIP-429) and the hand-over of a node, shard by shard. For
/// sizes that no test machine holds.
/// </summary>
public sealed class Rebalancing
{
    private readonly RebalancePlan _plan;
    private readonly List<List<int>> _nodes;
    private long _draws;

    public Rebalancing(RebalancePlan plan)
    {
        if (plan.Shards < 1 || plan.Nodes < 1 || plan.Nodes > plan.Shards) throw new ArgumentException($"needs 1 to {plan.Shards} nodes for {plan.Shards} shards; there are {plan.Nodes}");
        _plan = plan;
        _nodes = [.. Enumerable.Range(0, plan.Nodes).Select(n => Enumerable.Range(0, plan.Shards).Where(s => s % plan.Nodes == n).ToList())];
    }

    /// <summary>Shards by node, now.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Nodes => _nodes;

    /// <summary>A further node comes: what is too much elsewhere is asked back, handed over, and taken over there.</summary>
    public RebalanceOutcome Join()
    {
        _nodes.Add([]);
        var moved = Surplus();
        // The first meeting of the group tells who gives up what. All come to the second one when they have handed over.
        var handedOver = moved.GroupBy(m => m.From!).ToDictionary(g => g.Key, _ => _plan.GroupMs + Draw() * _plan.RoundMs + _plan.CommitMs);
        var given = handedOver.Values.DefaultIfEmpty(0).Max() + _plan.GroupMs;
        return Outcome("joined", moved, given, move => handedOver[move.From!] - _plan.CommitMs);
    }

    /// <summary>A node ends without a word: the group notices by its silence.</summary>
    public RebalanceOutcome Kill(int node) => Remove(node, "killed", Draw() * _plan.RoundMs, _plan.SessionTimeoutMs);

    /// <summary>A node is stopped in order: it hands everything over and leaves.</summary>
    public RebalanceOutcome Leave(int node)
    {
        var handedOver = Draw() * _plan.RoundMs + _plan.CommitMs;
        return Remove(node, "left", handedOver - _plan.CommitMs, handedOver);
    }

    private RebalanceOutcome Remove(int node, string what, double lastRoundMs, double noticedMs)
    {
        if (_nodes.Count == 1) throw new InvalidOperationException("nobody is left to lead");
        var orphans = _nodes[node];
        _nodes.RemoveAt(node);
        var moved = new List<Move>();
        foreach (var shard in orphans)
        {
            var to = _nodes.MinBy(n => n.Count)!;
            to.Add(shard);
            moved.Add(new Move(shard, null, to));
        }
        return Outcome(what, moved, noticedMs + _plan.GroupMs, _ => lastRoundMs);
    }

    private sealed record Move(int Shard, List<int>? From, List<int> To);

    /// <summary>Takes from nodes that have more than their share, and gives to those that have less.</summary>
    private List<Move> Surplus()
    {
        var (share, more) = (_plan.Shards / _nodes.Count, _plan.Shards % _nodes.Count);
        var moved = new List<Move>();
        // Those that have most keep the one shard more that some must have.
        foreach (var (node, rank) in _nodes.OrderByDescending(n => n.Count).Select((n, i) => (n, i)).ToList())
        {
            var keeps = share + (rank < more ? 1 : 0);
            while (node.Count > keeps)
            {
                var to = _nodes.MinBy(n => n.Count)!;
                moved.Add(new Move(node[^1], node, to));
                to.Add(node[^1]);
                node.RemoveAt(node.Count - 1);
            }
        }
        return moved;
    }

    private RebalanceOutcome Outcome(string what, List<Move> moved, double givenMs, Func<Move, double> lastRoundMs)
    {
        var pauses = new List<double>();
        var took = givenMs;
        foreach (var coming in moved.GroupBy(m => m.To))
        {
            // A node works on so many at once; each is led with the round after.
            foreach (var (move, place) in coming.Select((m, i) => (m, i)))
            {
                var led = givenMs + (place / _plan.TakeOversAtOnce + 1) * _plan.TakeOverMs + Draw() * _plan.RoundMs;
                took = Math.Max(took, led);
                pauses.Add(led - lastRoundMs(move));
            }
        }
        pauses.Sort();
        double At(double share) => pauses.Count == 0 ? 0 : pauses[Math.Min(pauses.Count - 1, (int)(share * pauses.Count))];
        return new RebalanceOutcome(
            what, moved.Count, moved.Where(m => m.From is not null).Select(m => m.From).Distinct().Count(), took, At(.5), At(.99), At(1), _nodes.Max(n => n.Count) - _nodes.Min(n => n.Count));
    }

    private double Draw() => (StableHash.Finalise(StableHash.Combine((ulong)_plan.Seed, (ulong)_draws++)) >> 11) * (1.0 / (1UL << 53));
}
