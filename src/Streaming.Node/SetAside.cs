using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Node;

/// <summary>Dead letters that fit the log, whatever they hold.</summary>
internal static class SetAside
{
    /// <summary>Room for the reason and the framing.</summary>
    private const int OverheadBytes = 16 * 1024;

    /// <summary>
    /// Appends the stored form of a dead letter. A payload that would make it larger than a record may be is cut, and the
    /// reason says so: a record that can be neither used nor set aside would stop the node.
    /// </summary>
    public static void Write(string reason, string topic, LogPosition source, long timeMs, ReadOnlySpan<byte> payload, int recordBytesMax, ByteWriter into)
    {
        // In base64, the longer of the two forms, four bytes hold three.
        var bytesMax = (recordBytesMax - OverheadBytes) / 4 * 3;
        if (payload.Length > bytesMax)
        {
            reason += $" (of its {payload.Length} bytes the first {bytesMax} are kept)";
            payload = payload[..bytesMax];
        }
        new DeadLetter(reason, topic, source, timeMs, payload.ToArray()).Write(into);
    }
}
