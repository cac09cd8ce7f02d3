using System.Diagnostics;
using System.Text;

namespace Streaming.Core.Metrics;

/// <summary>
/// Spans of an event's way: the request that brought it, its append to the log, its being applied by the user's actor, the list that it made stale, and
/// that list's being put into the cache. The log keeps a record's context in its JSON (<c>traceparent</c>, W3C Trace Context), so that the trace goes on wherever
/// the record is read, and producers on Kafka can start one. Only sampled requests write it, and without a listener nothing is looked for.
/// </summary>
public static class StreamingTraces
{
    public const string SourceName = "Streaming";

    public static readonly ActivitySource Source = new(SourceName);

    /// <summary>The member of a record.</summary>
    public const string Member = "traceparent";

    /// <summary>version (2), trace id (32), parent id (16), flags (2), and dashes between.</summary>
    private const int Characters = 55;

    private static ReadOnlySpan<byte> Marker => "\"traceparent\":\""u8;

    /// <summary>The context that a record carries, where anybody listens.</summary>
    public static bool TryFind(ReadOnlySpan<byte> record, out ActivityContext context)
    {
        context = default;
        if (!Source.HasListeners()) return false;
        var at = record.IndexOf(Marker);
        if (at < 0 || record.Length < at + Marker.Length + Characters) return false;
        return ActivityContext.TryParse(Encoding.ASCII.GetString(record.Slice(at + Marker.Length, Characters)), null, isRemote: true, out context);
    }
}
