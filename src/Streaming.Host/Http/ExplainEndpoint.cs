using System.Text;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Feeds.Building;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>
/// <c>GET /v1/explain/{user}</c> and <c>GET /v1/explain/{user}/{item}</c>: why the items of the user's present list are in it, found by
/// leaving out what the user did, one item at a time (<see cref="FeedExplainer"/>).
/// </summary>
internal sealed class ExplainEndpoint(StreamingNode node, TimeProvider time)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public void Map(WebApplication app)
    {
        app.MapGet("/v1/explain/{user}", (HttpContext context, string user, string? surface, string? arm, int? limit, int? offset) =>
                HandleAsync(context, PathId.Of(context, 2, user), null, surface ?? "", arm, limit ?? 10, offset ?? 0))
            .WithSummary("Why the first items of the user's list are in it");
        app.MapGet("/v1/explain/{user}/{item}", (HttpContext context, string user, string item, string? surface, string? arm) =>
                HandleAsync(context, PathId.Of(context, 2, user), PathId.Of(context, 3, item), surface ?? "", arm, 1, 0))
            .WithSummary("Why an item is in the user's list").WithDescription(
                "The list is made again with the user's actions on one recent item left out, for one item after another: the omission that costs the item its place among the candidates, or most of its score, is the reason.");
    }

    private async Task<IResult> HandleAsync(HttpContext context, string user, string? item, string surface, string? arm, int limit, int offset)
    {
        if (user.Length is 0 or > EventLimits.IdCharsMax || user[0] == '\0')
            return Problem(400, "bad-user", $"user must have 1 to {EventLimits.IdCharsMax} characters and not start with NUL");
        if (!Paging.TryRead(limit, limit, FeedBuilder.StandingsMax, offset, out var page, out var refused)) return refused;
        if (surface.StartsWith('\0')) return Problem(400, "bad-surface", "a surface does not start with NUL");
        if (string.IsNullOrEmpty(arm)) arm = node.Lookup.ArmOf(user, surface);
        else if (!node.Lookup.TryForce(user, surface, arm, out arm, out var refusal)) return refusal.IsKnown ? Problem(403, "bad-arm", refusal.Reason) : Problem(400, "bad-arm", refusal.Reason);
        var bytes = new ByteWriter(16 * 1024);
        var outcome = await node.Lookup.FindAsync(new FeedRequest(user, surface, [], null, 0, arm), bytes, context.RequestAborted);
        var list = outcome == FeedOutcome.Empty ? null : FeedListCodec.Read(bytes.WrittenSpan);
        var entries = list is null ? [] : Passing(list.Entries, new FeedListView(bytes.WrittenSpan));
        var places = Places(entries, item, page);
        if (item is not null && places.Count == 0) return Problem(404, "not-in-list", $"item '{item}' is not in the present list of '{user}' (surface '{surface}', arm '{arm}')");
        var own = outcome == FeedOutcome.Own;
        var found = own && places.Count > 0 ? await node.ExplainAsync(user, surface, list!.Arm, [.. places.Select(p => entries[p].Item)], context.RequestAborted) : null;
        if (own && places.Count > 0 && found is null) return Problem(404, "unknown-user", $"there is no user '{user}', or their arm '{list!.Arm}' has ended");
        var items = places.Select((place, i) => ItemOf(entries[place], place, found?[i])).ToList();
        var head = new ListView(user, surface, list?.Arm ?? arm, own ? "own" : outcome == FeedOutcome.Empty ? "empty" : "segment", own ? list!.Version : 0, list?.BuiltMs ?? 0, list?.Models ?? "");
        if (item is not null) return Results.Json(new { list = head, item = items[0] }, Json);
        var end = page.Skip + places.Count;
        return Results.Json(new { list = head, offset = page.Skip, next = Paging.Next(context, end, end < entries.Length), items }, Json);
    }

    /// <summary>The list as a look-up shows it.</summary>
    private FeedEntry[] Passing(FeedEntry[] entries, FeedListView list)
    {
        var places = new int[entries.Length];
        var count = node.Gate.Passing(list, filter: null, time.GetUtcNow().ToUnixTimeMilliseconds(), places);
        return count < 0 ? entries : [.. places[..count].Select(place => entries[place])];
    }

    private static List<int> Places(FeedEntry[] entries, string? item, Paging page)
    {
        if (item is null) return [.. Enumerable.Range(page.Skip, Math.Clamp(entries.Length - page.Skip, 0, page.Limit))];
        var at = Array.FindIndex(entries, e => e.Item == item);
        return at < 0 ? [] : [at];
    }

    /// <summary>A list that is not the user's own knows nothing of them: its entries have no reasons.</summary>
    private static ExplainedView ItemOf(FeedEntry entry, int position, ExplainedItem? explained)
    {
        var events = explained is null ? [] : explained.Explanation.Omissions.Select((o, i) => OmissionOf(o, explained.Omitted[i])).ToList();
        var with = explained?.Explanation.With;
        return new ExplainedView(
            entry.Item, position, entry.Score, entry.Channel, with is { IsFound: true } found ? found.Channel : null, with?.Rank, with?.Score,
            explained?.Explanation.Reason is null ? null : events[0], events);
    }

    private static OmissionView OmissionOf(Omission omission, Item? item) => new(
        item?.Id, omission.Action.Action == EventKind.Custom ? "custom" : EventKinds.Name(omission.Action.Action), omission.Action.TimeMs,
        omission.Without.Rank, omission.Without.Score, omission.Drop, omission.Without.IsFound ? omission.Without.Channel : null);

    private static IResult Problem(int status, string type, string detail) => Results.Problem(detail, statusCode: status, type: "urn:streaming:" + type);

    /// <summary>The list that is explained.</summary>
    private sealed record ListView(string User, string Surface, string Arm, string Source, long ListVersion, long BuiltMs, string Models);

    /// <summary>One entry: as listed, and as it stands now.</summary>
    private sealed record ExplainedView(
        string Item, int Position, float Score, string Channel, string? ChannelNow, float? RankNow, float? ScoreNow, OmissionView? Because, IReadOnlyList<OmissionView> Events);

    /// <summary>What the entry would be without the actions on an item; <c>channel_without</c> is null where no channel would find it.</summary>
    private sealed record OmissionView(string? Item, string Action, long TimeMs, float RankWithout, float ScoreWithout, float Drop, string? ChannelWithout);
}
