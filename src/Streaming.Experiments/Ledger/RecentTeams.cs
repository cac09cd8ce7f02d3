using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Experiments.Ledger;

/// <summary>
/// Whose the slots of lists shown lately are: a click names its list and its item, not the team. Two generations, as <see cref="RecentEvents"/>: a click
/// that comes later than <c>max</c> / 2 slots after its list counts for nobody.
/// </summary>
internal sealed class RecentTeams(int max)
{
    private Dictionary<ulong, Team> _young = [];
    private Dictionary<ulong, Team> _old = [];

    /// <param name="slot">Hash of user, list and item.</param>
    /// <param name="team">Whose it is.</param>
    public void Put(ulong slot, Team team)
    {
        if (_young.Count >= Math.Max(1, max / 2)) (_old, _young) = (_young, []);
        _young[slot] = team;
    }

    public Team Of(ulong slot) => _young.TryGetValue(slot, out var team) ? team : _old.GetValueOrDefault(slot);

    public void Save(CheckpointWriter writer)
    {
        foreach (var generation in (Dictionary<ulong, Team>[])[_old, _young])
        {
            writer.Int32(generation.Count);
            foreach (var (slot, team) in generation)
            {
                writer.Int64((long)slot);
                writer.Byte((byte)team);
            }
        }
    }

    public void Load(CheckpointReader reader)
    {
        (_old, _young) = (Read(), Read());

        Dictionary<ulong, Team> Read()
        {
            var teams = new Dictionary<ulong, Team>();
            for (var left = reader.Count(1 << 28); left > 0; left--) teams[(ulong)reader.Int64()] = (Team)reader.Byte();
            return teams;
        }
    }
}
