using Streaming.Core.Wire;

namespace Streaming.Experiments.Ledger;

/// <summary>
/// Event ids seen lately, as hashes: a sender that repeats an event must not count twice. Two generations; when the younger is full it becomes the
/// older, so between <c>max</c> / 2 and <c>max</c> ids are known.
/// </summary>
internal sealed class RecentEvents(int max)
{
    private HashSet<ulong> _young = [];
    private HashSet<ulong> _old = [];

    /// <summary>True for the first of its kind.</summary>
    public bool Add(ulong id)
    {
        if (_young.Contains(id) || _old.Contains(id)) return false;
        if (_young.Count >= Math.Max(1, max / 2)) (_old, _young) = (_young, []);
        _young.Add(id);
        return true;
    }

    public void Save(CheckpointWriter writer)
    {
        foreach (var generation in (HashSet<ulong>[])[_old, _young])
        {
            writer.Int32(generation.Count);
            writer.Values<ulong>(generation.ToArray());
        }
    }

    public void Load(CheckpointReader reader)
    {
        (_old, _young) = (Read(), Read());

        HashSet<ulong> Read()
        {
            var ids = new ulong[reader.Count(1 << 28)];
            reader.Values(ids.AsSpan());
            return [.. ids];
        }
    }
}
