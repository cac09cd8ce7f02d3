using Streaming.Core.Examples;
using Streaming.Core.Threads;

namespace Streaming.Node;

/// <summary>
/// The order in which a round's records are learned: merged over the partitions by their labels' event time, ties by partition,
/// so that it does not depend on which thread was first. A partition's own order stands, whatever its events' times say: repeats
/// are told by it.
/// </summary>
public sealed class LearningOrder
{
    private readonly List<(ExampleRecord Record, long TimeMs, int Partition, int Index)> _merged = [];

    /// <summary>Adds what one partition released in this round, in its order.</summary>
    public void Add(int partition, IReadOnlyList<ExampleRecord> records)
    {
        var latestMs = long.MinValue;
        for (var i = 0; i < records.Count; i++)
        {
            latestMs = Math.Max(latestMs, records[i].Example?.LabelMs ?? records[i].Interaction!.TimeMs);
            _merged.Add((records[i], latestMs, partition, i));
        }
    }

    /// <summary>Hands over all that was added, in order, and starts the next round.</summary>
    public void Take(Action<ExampleRecord> learn)
    {
        _merged.Sort(static (a, b) =>
            a.TimeMs != b.TimeMs ? a.TimeMs.CompareTo(b.TimeMs)
            : a.Partition != b.Partition ? a.Partition.CompareTo(b.Partition) : a.Index.CompareTo(b.Index));
        for (var i = 0; i < _merged.Count; i++)
        {
            learn(_merged[i].Record);
            if ((i & 15) == 15) BackgroundThread.StandBack();
        }
        _merged.Clear();
    }
}
