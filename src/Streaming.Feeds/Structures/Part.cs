using Streaming.Core.Wire;

namespace Streaming.Feeds.Structures;

/// <summary>Reads and writes a learner's part of the checkpoint.</summary>
internal static class Part
{
    private const int FlushBytes = 256 * 1024;

    public delegate void Reader(ref ByteReader from);

    /// <summary>Hands full buffers to the stream, so that a large part never lies in memory whole.</summary>
    public static void Flush(this ByteWriter writer, Stream into, bool end = false)
    {
        if (!end && writer.Length < FlushBytes) return;
        into.Write(writer.WrittenSpan);
        writer.Clear();
    }

    /// <exception cref="InvalidDataException">The part is torn, corrupt, or goes on after its end.</exception>
    public static void Load(Stream from, string name, Reader read)
    {
        using var all = new MemoryStream();
        from.CopyTo(all);
        try
        {
            var reader = new ByteReader(all.GetBuffer().AsSpan(0, (int)all.Length));
            read(ref reader);
            if (!reader.AtEnd) throw new FormatException($"{reader.Remaining} bytes are left over");
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"the checkpoint part '{name}' is corrupt: {e.Message}", e);
        }
    }

    public static void Expect(bool sound, string problem)
    {
        if (!sound) throw new FormatException(problem);
    }
}
