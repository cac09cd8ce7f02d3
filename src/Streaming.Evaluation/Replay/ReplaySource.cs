using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Wire;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Replay;

/// <summary>One record as the live path receives it.</summary>
/// <param name="Index">Zero-based place in the replay, the same at every start: a resume goes on from here.</param>
/// <param name="Key">The user in UTF-8; empty where the line is raw and its user is for the receiver to find.</param>
/// <param name="Json">The event's wire form, or the raw line. Stays valid.</param>
/// <param name="TimeMs">Event time, Unix ms; 0 for a raw line.</param>
public readonly record struct ReplayRecord(long Index, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Json, long TimeMs);

/// <summary>
/// A data set as a replay: the catalogue first, then one record after the other (user profiles, then events). Deterministic for a
/// set and a seed, so that a replay that was cut can go on at an index, and <see cref="Fingerprint"/> says whether it is the same replay.
/// </summary>
public sealed class ReplaySource(IDataSet set, long seed)
{
    public IDataSet Set { get; } = set;
    public long Seed { get; } = seed;

    /// <summary>Events among the records (profiles come on top); null while that is not known.</summary>
    public long? EventCount => Set.RowCount;

    /// <summary>
    /// Hash, in hex, of the set's name, the seed, and every file's name and size; a checkpoint keeps it and a resume compares it.
    /// Contents are not read: a file changed in place to the same size goes unnoticed.
    /// </summary>
    public string Fingerprint()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{Set.Name}\n{Seed}\n");
        foreach (var file in Set.Files)
        {
            var info = new FileInfo(file);
            if (!info.Exists) throw new DataSetException(file, 0, "there is no such file");
            text.Append(CultureInfo.InvariantCulture, $"{info.Name}\n{info.Length}\n");
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..32];
    }

    /// <summary>The catalogue, to be applied before the first record.</summary>
    public IEnumerable<ItemChange> Items() => Set.Items();

    /// <summary>
    /// The records from <paramref name="from"/> on. Earlier ones are read, because their order may depend on the seed, but neither
    /// written nor copied.
    /// </summary>
    public IEnumerable<ReplayRecord> Records(long from = 0)
    {
        var index = 0L;
        if (Set is IRawDataSet raw)
        {
            foreach (var line in raw.Lines())
                if (index++ >= from) yield return new ReplayRecord(index - 1, default, line, 0);
            yield break;
        }
        var arena = new Arena();
        var writer = new ByteWriter(1024);
        foreach (var e in Set.Profiles().Concat(Set.Events(Seed)))
            if (index++ >= from) yield return Write(index - 1, e, writer, arena);
    }

    /// <summary>Everything as a node's replay takes it: the catalogue's changes in wire form, then the records with their user and time.</summary>
    public IEnumerable<Node.ReplayRecord> NodeRecords()
    {
        var json = new ByteWriter();
        foreach (var change in Items())
        {
            json.Clear();
            ItemWriter.Write(change, json);
            yield return new Node.ReplayRecord(Encoding.UTF8.GetBytes(change.Id), json.WrittenSpan.ToArray(), change.TimeMs, IsItem: true);
        }
        var timeMs = EventLimits.TimeMsMin;
        foreach (var record in Records())
        {
            if (record.TimeMs > 0)
            {
                yield return new Node.ReplayRecord(record.Key, record.Json, record.TimeMs);
                continue;
            }
            // A raw line: its user and time are inside, if it is sound; else it goes on as it is and is set aside with its reason.
            var key = Array.Empty<byte>();
            if (EventParser.TryParse(record.Json.Span, timeMs, out var e, out _)) (key, timeMs) = (Encoding.UTF8.GetBytes(e.User), Math.Max(timeMs, e.TimeMs));
            yield return new Node.ReplayRecord(key, record.Json, timeMs);
        }
    }

    private static ReplayRecord Write(long index, UserEvent e, ByteWriter writer, Arena arena)
    {
        writer.Clear();
        EventWriter.Write(e, writer);
        var key = arena.Take(Encoding.UTF8.GetByteCount(e.User));
        Encoding.UTF8.GetBytes(e.User, key.Span);
        return new ReplayRecord(index, key, arena.Copy(writer.WrittenSpan), e.TimeMs);
    }
}
