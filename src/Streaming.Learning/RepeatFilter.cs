using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Learning;

/// <summary>
/// Tells the records of <c>examples</c> that were written again after a crash: of each partition of <c>events</c> it remembers the last
/// offset and the (user, ordinal) pairs that it has had of it, because one event may end the windows of several users.
/// Repeats are told by the source, so all records of one source partition must come in order, as one partition of
/// <c>examples</c> keeps them.
/// </summary>
public sealed class RepeatFilter
{
    private const int PartitionsMax = 1 << 16;
    private const int TakenMax = 1 << 26;

    private readonly Dictionary<int, Mark> _marks = [];

    /// <summary>The newest source offset of a partition, and hashes of the (user, ordinal) pairs taken from it.</summary>
    private sealed class Mark
    {
        public long Offset = -1;
        public readonly HashSet<ulong> Taken = [];
    }

    /// <summary>Whether the record was had before; if not, it has been now.</summary>
    public bool IsRepeat(string user, LogPosition source, int ordinal)
    {
        if (!_marks.TryGetValue(source.Partition, out var mark)) _marks[source.Partition] = mark = new Mark();
        if (source.Offset > mark.Offset)
        {
            mark.Offset = source.Offset;
            mark.Taken.Clear();
        }
        return source.Offset != mark.Offset || !mark.Taken.Add(StableHash.Combine(StableHash.Of(user), (ulong)ordinal));
    }

    /// <summary>As a member of a part of a checkpoint.</summary>
    public void Save(CheckpointWriter writer)
    {
        writer.Int32(_marks.Count);
        foreach (var (partition, mark) in _marks.OrderBy(m => m.Key))
        {
            writer.Int32(partition);
            writer.Int64(mark.Offset);
            writer.Int32(mark.Taken.Count);
            foreach (var taken in mark.Taken.Order()) writer.Int64((long)taken);
        }
    }

    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static RepeatFilter Read(CheckpointReader reader)
    {
        var read = new RepeatFilter();
        for (var left = reader.Count(PartitionsMax); left > 0; left--)
        {
            var mark = read._marks[reader.Int32()] = new Mark { Offset = reader.Int64() };
            for (var taken = reader.Count(TakenMax); taken > 0; taken--) mark.Taken.Add((ulong)reader.Int64());
        }
        return read;
    }
}
