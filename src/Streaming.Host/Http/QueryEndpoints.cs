using System.Text.Json;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Wire;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Host.Http;

/// <summary>Questions beside the hot path: similar, popular, a user's state.</summary>
internal sealed class QueryEndpoints(StreamingNode node, TimeProvider time)
{
    /// <summary>Similar items on all pages together: a search for more takes the models from the learners for too long.</summary>
    private const int SimilarMax = 1000;

    public async Task<IResult> SimilarAsync(HttpContext context, string id, int? limit, int byDefault, int? offset)
    {
        if (!Paging.TryRead(limit, byDefault, SimilarMax, offset, out var page, out var problem)) return problem;
        var end = (int)Math.Min(page.From + page.Limit, SimilarMax);
        // One more says whether there are more.
        var similar = await node.AskModelsAsync(models => models.Catalog.TryGet(StableHash.Of(id), out _) ? models.Similar(id, Math.Min(end + 1, SimilarMax), node.ClockMs) : null)
            .ConfigureAwait(false);
        return similar is null
            ? Results.Problem($"there is no item '{id}'", statusCode: 404, type: "urn:streaming:unknown-item")
            : Results.Json(new
            {
                item = id, offset = page.Skip, next = Paging.Next(context, end, similar.Count > end), items = similar.Skip(page.Skip).Take(page.Limit).Select(s => new { item = s.Item, score = s.Score }),
            });
    }

    /// <summary>The item as a POST would take it, with <c>stub</c> where it is known from events alone.</summary>
    public async Task<IResult> ItemAsync(string id) =>
        await node.AskModelsAsync(models => models.Catalog.TryGet(StableHash.Of(id), out var item) ? item : null).ConfigureAwait(false) is { } item
            ? Results.Json(
                new
                {
                    item.Id, item.Tags, item.Categories, item.Author, Published = item.PublishedMs > 0 ? item.PublishedMs : (long?)null,
                    Expires = item.ExpiresMs < long.MaxValue ? item.ExpiresMs : (long?)null, Attributes = item.Attributes.DistinctBy(a => a.Key).ToDictionary(), Stub = item.IsStub,
                },
                Json)
            : Results.Problem($"there is no item '{id}'", statusCode: 404, type: "urn:streaming:unknown-item");

    public async Task PopularAsync(HttpContext context, string? surface, string? tag, int limit, int offset, string? exclude, string? categories)
    {
        if (limit is < 1 or > 1000 || offset < 0)
        {
            await Problems.Write(context, 400, "bad-page", "limit must be 1 to 1000, offset not negative").ConfigureAwait(false);
            return;
        }
        var list = new ByteWriter(16 * 1024);
        var found = node.Lookup.TryPopular(tag ?? "", surface ?? "", list) || (tag is not null && node.Lookup.TryPopular("", surface ?? "", list));
        context.Response.ContentType = "application/json";
        WritePopular(context, found ? list : null, ListFilter.Of(FeedEndpoint.Names(exclude), FeedEndpoint.Names(categories)), offset, limit);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    public async Task<IResult> UserAsync(string user, CancellationToken cancel)
    {
        var view = await node.AskUserAsync(user, state => state is null ? null : UserView.Of(state), cancel).ConfigureAwait(false);
        return view is null
            ? Results.Problem($"there is no user '{user}'", statusCode: 404, type: "urn:streaming:unknown-user")
            : Results.Json(view, Json);
    }

    /// <summary>How far a user's deletion has come.</summary>
    public IResult Deletion(string user) => node.DeletionOf(user) is { } receipt
        ? Results.Json(receipt, Json)
        : Results.Problem("there is no deletion of this user on record", statusCode: 404, type: "urn:streaming:unknown-deletion");

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private void WritePopular(HttpContext context, ByteWriter? list, ListFilter? filter, int offset, int limit)
    {
        var page = new ListPage(node.Gate, list is null ? default : new FeedListView(list.WrittenSpan), filter, offset, limit, time.GetUtcNow().ToUnixTimeMilliseconds());
        var items = new ByteWriter(4 * 1024);
        page.Write(items);
        var next = Paging.Next(context, page.From + page.Count, page.From + page.Count < page.Total);
        using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteNumber("offset"u8, offset);
        json.WriteNumber("total"u8, page.Total);
        if (next is { } further) json.WriteNumber("next"u8, further);
        else json.WriteNull("next"u8);
        json.WritePropertyName("items"u8);
        json.WriteRawValue(items.WrittenSpan);
        json.WriteEndObject();
    }
}

/// <summary>A user's state as the API shows it; item and interest keys in hexadecimal, as states hold no strings.</summary>
internal sealed record UserView
{
    public required string User { get; init; }
    public required long Events { get; init; }
    public required long Impressions { get; init; }
    public required long Positives { get; init; }
    public required long LastEventMs { get; init; }
    public required string LastApplied { get; init; }
    public required IReadOnlyList<string> Interests { get; init; }
    public required SessionView Session { get; init; }
    public required long SessionsClosed { get; init; }
    public required IReadOnlyList<ActionView> History { get; init; }
    public required int Pending { get; init; }
    public required IReadOnlyList<WeightView> LongTerm { get; init; }
    public required MarksView Marks { get; init; }
    public required float[] Embedding { get; init; }
    public required long ListVersion { get; init; }

    public static UserView Of(UserState state) => new()
    {
        User = state.User, Events = state.Events, Impressions = state.Impressions, Positives = state.Positives, LastEventMs = state.LastEventMs,
        LastApplied = state.LastApplied.ToString(), Interests = state.Profile?.Interests ?? [], SessionsClosed = state.SessionsClosed,
        Session = new SessionView(state.Session.Id, state.Session.StartMs, state.Session.LastMs, state.Session.Actions.Count),
        History = [.. state.History.TakeLast(50).Reverse().Select(a => new ActionView(a.ItemKey.ToString("x16"), a.Action.ToString(), a.Weight, a.TimeMs))],
        Pending = state.Pending.Count,
        LongTerm = [.. state.Interests.Select(i => new WeightView(i.Key.ToString("x16"), i.Value.Weight, i.Value.TimeMs)).OrderByDescending(w => w.Weight).Take(50)],
        Marks = new MarksView(
            state.Marks.Count(m => m.Value.Served > 0), state.Marks.Count(m => m.Value.Seen > 0), state.Marks.Count(m => m.Value.Clicked > 0),
            state.Marks.Count(m => m.Value.Disliked), state.Marks.Count(m => m.Value.Hidden)),
        Embedding = [.. state.Embedding], ListVersion = state.ListVersion,
    };
}

internal sealed record SessionView(string? Id, long StartMs, long LastMs, int Actions);

internal sealed record ActionView(string ItemKey, string Action, float Weight, long TimeMs);

internal sealed record WeightView(string Key, float Weight, long TimeMs);

internal sealed record MarksView(int Served, int Seen, int Clicked, int Disliked, int Hidden);
