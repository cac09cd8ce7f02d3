using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>
/// <c>GET /v1/feed/{user}</c>: the hot path. The cached list holds its entries already rendered, so a page is one copy; only the
/// envelope around it is written per request.
/// </summary>
internal sealed class FeedEndpoint(StreamingNode node, ServingSettings settings, TimeProvider time)
{
    private static readonly JsonWriterOptions Plain = new() { SkipValidation = true };

    /// <summary>A tester's choice of arm where it cannot be in the query.</summary>
    private const string ArmHeader = "X-Streaming-Arm";

    [ThreadStatic]
    private static ByteWriter? _list;

    [ThreadStatic]
    private static ByteWriter? _page;

    [ThreadStatic]
    private static Utf8JsonWriter? _json;

    private long _nonce = time.GetUtcNow().ToUnixTimeMilliseconds() << 20;

    public Task HandleAsync(
        HttpContext context, string user, string? surface, int? limit, int? offset, string? after, int? waitMs, string? tags, string? arm, string? exclude, string? categories)
    {
        var started = Stopwatch.GetTimestamp();
        if (user.Length is 0 or > EventLimits.IdCharsMax || user[0] == '\0')
            return Problems.Write(context, 400, "bad-user", $"user must have 1 to {EventLimits.IdCharsMax} characters and not start with NUL");
        var take = limit ?? settings.DefaultLimit;
        var skip = offset ?? 0;
        if (take is < 1 or > 1000) return Problems.Write(context, 400, "bad-limit", $"limit is {take}; allowed is 1 to 1000");
        if (skip < 0) return Problems.Write(context, 400, "bad-offset", $"offset is {skip}; it cannot be negative");
        LogPosition? position = null;
        if (after is not null)
        {
            if (!node.Ingest.TryResolve(after, out var found) || found.Partition >= node.Partitions)
                return Problems.Write(context, 400, "bad-after", $"after '{after}' is neither a position 'partition:offset' nor an event id that this node took lately");
            position = found;
        }
        surface ??= "";
        if (surface.StartsWith('\0')) return Problems.Write(context, 400, "bad-surface", "a surface does not start with NUL");
        arm ??= context.Request.Headers[ArmHeader];
        var isForced = !string.IsNullOrEmpty(arm);
        if (!isForced) arm = node.Lookup.ArmOf(user, surface);
        else if (!node.Lookup.TryForce(user, surface, arm!, out arm, out var refusal)) return refusal.IsKnown ? Problems.Write(context, 403, "bad-arm", refusal.Reason) : Problems.Write(context, 400, "bad-arm", refusal.Reason);
        var request = new FeedRequest(
            user, surface, Names(tags), position, waitMs ?? settings.FreshnessWaitMsMax, arm, isForced);
        var wanted = new Wanted(ListFilter.Of(Names(exclude), Names(categories)), Names(categories), skip, take);
        var list = _list ??= new ByteWriter(16 * 1024);
        list.Clear();
        var finding = node.Lookup.FindAsync(request, list, context.RequestAborted);
        if (finding.IsCompletedSuccessfully) return Answer(context, request, finding.Result, list, wanted, started);
        // The wait outlives this thread's buffer: give it away.
        _list = null;
        return AnswerLater(context, request, finding, list, wanted, started);
    }

    /// <summary>Which part of a list a caller wants.</summary>
    private readonly record struct Wanted(ListFilter? Filter, string[] Categories, int Skip, int Take);

    /// <summary>Names of a query parameter, with commas.</summary>
    internal static string[] Names(string? text) => text is null ? [] : text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private async Task AnswerLater(
        HttpContext context, FeedRequest request, ValueTask<FeedOutcome> finding, ByteWriter list, Wanted wanted, long started) =>
        await Answer(context, request, await finding.ConfigureAwait(false), list, wanted, started).ConfigureAwait(false);

    private Task Answer(HttpContext context, in FeedRequest request, FeedOutcome outcome, ByteWriter list, Wanted wanted, long started)
    {
        var nowMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (outcome == FeedOutcome.Own && wanted.Categories.Length > 0 && new ListPage(node.Gate, new FeedListView(list.WrittenSpan), wanted.Filter, 0, 1, nowMs).Total == 0)
            outcome = OfCategories(request, wanted, list);
        StreamingMeters.CountLookup(outcome switch
        {
            FeedOutcome.Own => LookupResult.Personal,
            FeedOutcome.Segment => LookupResult.Segment,
            FeedOutcome.Empty => LookupResult.Empty,
            _ => LookupResult.NotYet,
        });
        if (outcome == FeedOutcome.NotYet)
        {
            context.Response.Headers.RetryAfter = "1";
            return Problems.Write(context, 503, "not-yet", "no list has seen that event yet; ask again");
        }
        var response = context.Response;
        response.ContentType = "application/json";
        var page = _page ??= new ByteWriter(16 * 1024);
        page.Clear();
        if (outcome == FeedOutcome.Empty) WriteEmpty(page, request);
        else WriteList(page, request, outcome, new FeedListView(list.WrittenSpan), wanted, nowMs);
        // A known length spares the client chunked decoding and the server a second write.
        response.ContentLength = page.Length;
        response.BodyWriter.Write(page.WrittenSpan);
        StreamingMeters.LookupSeconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        return response.BodyWriter.FlushAsync(context.RequestAborted).AsTask();
    }

    /// <summary>Of a list that has nothing of the categories: what is popular in the first of them that has a list.</summary>
    private FeedOutcome OfCategories(in FeedRequest request, in Wanted wanted, ByteWriter list)
    {
        list.Clear();
        foreach (var category in wanted.Categories)
            if (node.Lookup.TryPopular(category, request.Surface, list)) return FeedOutcome.Segment;
        return FeedOutcome.Empty;
    }

    private void WriteEmpty(ByteWriter into, in FeedRequest request)
    {
        using var json = new Utf8JsonWriter(into, Plain);
        json.WriteStartObject();
        var arm = request.Arm!;
        json.WriteString("request_id"u8, RequestId.Format(arm, 0, Nonce()));
        json.WriteString("user"u8, request.User);
        json.WriteString("surface"u8, request.Surface);
        json.WriteString("arm"u8, arm);
        json.WriteString("source"u8, "empty"u8);
        json.WriteNumber("list_version"u8, 0);
        json.WriteNumber("age_ms"u8, 0);
        json.WriteNumber("last_event_ms"u8, 0);
        json.WriteString("models"u8, ""u8);
        json.WriteNumber("offset"u8, 0);
        json.WriteNumber("total"u8, 0);
        json.WriteNull("next"u8);
        json.WriteStartArray("items"u8);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteList(ByteWriter into, in FeedRequest request, FeedOutcome outcome, in FeedListView view, in Wanted wanted, long now)
    {
        var page = new ListPage(node.Gate, view, wanted.Filter, wanted.Skip, wanted.Take, now);
        // While a look-up waited, its user's arm may have changed: a list says itself whose it is.
        var arm = outcome != FeedOutcome.Own || Ascii.Equals(view.Arm, request.Arm!) ? request.Arm! : Encoding.UTF8.GetString(view.Arm);
        // A segment's list is nobody's own: version 0 says that no actor knows it.
        var version = outcome == FeedOutcome.Own ? view.Version : 0;
        var requestId = RequestId.Format(arm, version, Nonce());
        StreamingMeters.FeedAgeSeconds.Record(Math.Max(0, now - view.BuiltMs) / 1000.0);
        var json = _json ??= new Utf8JsonWriter(into, Plain);
        json.Reset(into);
        json.WriteStartObject();
        json.WriteString("request_id"u8, requestId);
        json.WriteString("user"u8, request.User);
        json.WriteString("surface"u8, request.Surface);
        json.WriteString("arm"u8, arm);
        json.WriteString("source"u8, outcome == FeedOutcome.Own ? "own"u8 : "segment"u8);
        json.WriteNumber("list_version"u8, version);
        json.WriteNumber("age_ms"u8, Math.Max(0, now - view.BuiltMs));
        json.WriteNumber("last_event_ms"u8, view.LastEventMs);
        if (outcome == FeedOutcome.Own) json.WriteString("last_event"u8, view.LastApplied.ToString());
        json.WriteString("models"u8, view.Models);
        json.WriteNumber("offset"u8, page.From);
        json.WriteNumber("total"u8, page.Total);
        // No header Link: this is the hot path, and the member says it.
        if (page.From + page.Count < page.Total) json.WriteNumber("next"u8, page.From + page.Count);
        else json.WriteNull("next"u8);
        json.WritePropertyName("items"u8);
        json.Flush();
        page.Write(into);
        into.Raw("}"u8);
        StreamingMeters.CountArm(ArmMoment.Served, arm);
        if (outcome == FeedOutcome.Own && page.Count > 0) LogServed(request, view, requestId, page, now);
    }

    private void LogServed(in FeedRequest request, in FeedListView view, string requestId, in ListPage page, long nowMs)
    {
        if (!node.Served.IsNew(StableHash.Of(request.User), view.Version, page.From, page.Count)) return;
        var items = new ShownItem[page.Count];
        for (var i = 0; i < items.Length; i++)
        {
            var place = page.Place(i);
            items[i] = new ShownItem(view.Item(place), page.From + i, view.Propensity(place), view.Team(place));
        }
        node.Served.Add(new UserEvent
        {
            Kind = EventKind.Served, Type = "served", User = request.User, TimeMs = nowMs, Surface = request.Surface, RequestId = requestId, Items = items,
        });
    }

    private ulong Nonce() => (ulong)Interlocked.Increment(ref _nonce);
}
