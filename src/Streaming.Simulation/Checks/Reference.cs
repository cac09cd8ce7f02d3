using Streaming.Core.Settings;
using Streaming.Node;

namespace Streaming.Simulation.Checks;

/// <summary>
/// The undisturbed run: one node, one life, no faults, over the events and items that were accepted. Its rounds are cut where those were
/// cut whose effects have survived, because what a round learns depends on it; all else it has to find by itself.
/// </summary>
internal sealed class Reference(StreamingSettings settings, LogDisk inputs, ulong seed)
{
    /// <summary>Digest of the final state.</summary>
    public string Run(IReadOnlyList<RoundInput> rounds)
    {
        var world = new World(~seed);
        var faults = new Faults(Shape.None, seed, Plant.None) { AreOver = true };
        var life = new Life(world, 1, 0, () => TimeSpan.Zero, (_, _) => { });
        var parts = new NodeParts
        {
            Settings = settings, Log = new SimLog(world, life, inputs, faults), Users = new SimStateStore(world, life, new SnapshotDisk<byte[]>(), faults),
            Feeds = new SimFeedCache(world, life, new SnapshotDisk<CachedList[]>(), faults, settings.Storage.FeedListsPerUserMax, _ => { }),
            CheckpointDir = Simulation.CheckpointDir, Files = new SimFiles(world, life, new FileDisk(), faults), Time = life.Time, Threads = life.Threads,
        };
        var digest = life.Call("reference", async () =>
        {
            var node = await StreamingNode.OpenAsync(parts);
            foreach (var round in rounds) await node.RoundAgainAsync(round);
            return await node.DigestAsync();
        });
        world.Until(() => digest.IsCompleted, "the undisturbed run has ended");
        return digest.GetAwaiter().GetResult();
    }
}
