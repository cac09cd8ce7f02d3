using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Storage.Log;

/// <summary>
/// Committed positions of every group in one topic: one small file per group, replaced as a whole at each commit. Stored form:
/// version byte, CRC-32C (4 bytes) of the rest, count, then partition and offset as varints, by partition.
/// </summary>
internal sealed class GroupPositions
{
    private const byte Version = 1;
    private const string Extension = ".positions";

    private readonly string _folder;
    private readonly bool _sync;
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, SortedDictionary<int, long>> _groups = new(StringComparer.Ordinal);
    private readonly ByteWriter _body = new();
    private readonly ByteWriter _file = new();

    public GroupPositions(string folder, bool sync)
    {
        _folder = folder;
        _sync = sync;
        Directory.CreateDirectory(folder);
        foreach (var path in Directory.EnumerateFiles(folder, "*" + Extension))
            _groups.Add(Uri.UnescapeDataString(Path.GetFileNameWithoutExtension(path)), Parse(path));
    }

    public void Commit(string group, IReadOnlyList<LogPosition> next)
    {
        lock (_gate)
        {
            var merged = _groups.TryGetValue(group, out var before) ? new SortedDictionary<int, long>(before) : [];
            foreach (var position in next) merged[position.Partition] = position.Offset;
            _body.Clear();
            _body.Count(merged.Count);
            foreach (var (partition, offset) in merged)
            {
                _body.Count(partition);
                _body.VarInt((ulong)offset);
            }
            _file.Clear();
            _file.Byte(Version);
            _file.UInt32(Crc32C.Of(_body.WrittenSpan));
            _file.Raw(_body.WrittenSpan);
            AtomicFile.Write(Path.Combine(_folder, Uri.EscapeDataString(group) + Extension), _file.WrittenSpan, _sync);
            _groups[group] = merged;
        }
    }

    public LogPosition[] Committed(string group)
    {
        lock (_gate)
            return _groups.TryGetValue(group, out var positions) ? [.. positions.Select(entry => new LogPosition(entry.Key, entry.Value))] : [];
    }

    /// <summary>
    /// The offset below which no group needs a partition: <see cref="long.MaxValue"/> when the topic has no group. A group that has
    /// committed in the topic but not in this partition has read nothing of it yet and needs all of it.
    /// </summary>
    public long LowestNeeded(int partition)
    {
        lock (_gate)
            return _groups.Count == 0 ? long.MaxValue : _groups.Values.Min(positions => positions.GetValueOrDefault(partition, 0));
    }

    private static SortedDictionary<int, long> Parse(string path)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            var reader = new ByteReader(bytes);
            reader.Version(Version, "a file of group positions");
            if (reader.UInt32() != Crc32C.Of(bytes.AsSpan(5))) throw new FormatException("its checksum is wrong");
            var positions = new SortedDictionary<int, long>();
            for (var count = reader.Count(2); count > 0; count--) positions[(int)reader.VarInt()] = (long)reader.VarInt();
            return positions;
        }
        catch (FormatException e)
        {
            throw new EventLogException($"'{path}' is damaged ({e.Message}). Delete it to let the group start over, or restore it.", e);
        }
    }
}
