using System.Buffers;
using System.Text.Json;

namespace Streaming.Host.Http;

/// <summary>Reads a request's body, bounded, and cuts it into its JSON records.</summary>
internal static class RequestBody
{
    /// <summary>The whole body; null when it is larger than <paramref name="bytesMax"/>.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int bytesMax, CancellationToken cancel) =>
        await RentAsync(request, bytesMax, gate: null, cancel).ConfigureAwait(false) is { } rented ? (ReadOnlyMemory<byte>)rented : null;

    /// <summary>
    /// The same in an array that can be given back (<see cref="Return"/>): under load hundreds of bodies wait for the disk at once, and what waits
    /// through a collection of the garbage makes it longer. Who does not give it back lets the collector have it.
    /// </summary>
    /// <param name="request">Read to its end.</param>
    /// <param name="bytesMax">Of the body.</param>
    /// <param name="gate">Entered with the body's length once all of it has come, so that a slow sender keeps nobody out; null for none. With a body as the answer the caller leaves it.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<ArraySegment<byte>?> RentAsync(HttpRequest request, int bytesMax, ByteGate? gate, CancellationToken cancel)
    {
        if (request.ContentLength > bytesMax) return null;
        var reader = request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(cancel).ConfigureAwait(false);
            var length = result.Buffer.Length;
            if (length > bytesMax) return null;
            if (result.IsCompleted)
            {
                if (gate is not null) await gate.EnterAsync(length, cancel).ConfigureAwait(false);
                var body = new ArraySegment<byte>(ArrayPool<byte>.Shared.Rent((int)length), 0, (int)length);
                result.Buffer.CopyTo(body);
                reader.AdvanceTo(result.Buffer.End);
                return body;
            }
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>Nobody reads it any more.</summary>
    public static void Return(ArraySegment<byte> body) => ArrayPool<byte>.Shared.Return(body.Array!);

    /// <summary>
    /// The records of a body: the elements of a JSON array, the lines of NDJSON, or the body itself. An array that is not whole
    /// JSON is one (bad) record, so that it is set aside as it came.
    /// </summary>
    public static List<ReadOnlyMemory<byte>> Records(ReadOnlyMemory<byte> body, bool lines, int recordsMax)
    {
        var records = new List<ReadOnlyMemory<byte>>();
        var span = body.Span;
        if (lines)
        {
            foreach (var range in span.Split((byte)'\n'))
            {
                var line = body[range];
                if (!line.Span.Trim(" \t\r"u8).IsEmpty) records.Add(line);
                if (records.Count > recordsMax) break;
            }
            return records;
        }
        var start = span.IndexOfAnyExcept(" \t\r\n"u8);
        if (start < 0 || span[start] != '[' || !TryElements(body, records, recordsMax))
        {
            records.Clear();
            records.Add(body);
        }
        return records;
    }

    private static bool TryElements(ReadOnlyMemory<byte> body, List<ReadOnlyMemory<byte>> into, int recordsMax)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = 64 });
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var from = (int)reader.TokenStartIndex;
                reader.Skip();
                into.Add(body[from..(int)reader.BytesConsumed]);
                if (into.Count > recordsMax) return true;
            }
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
