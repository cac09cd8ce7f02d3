using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Streaming.Client;

/// <summary>
/// The HTTP API of a node. Thread-safe; one for a process. What is refused is a <see cref="StreamingException"/>, what cannot be reached an
/// <see cref="HttpRequestException"/>. Events are sent under a key of their own, so that a caller may send the same again.
/// </summary>
/// <param name="http">With the node's address as its base; the caller's to dispose.</param>
/// <param name="apiKey">Sent with every request; null where the node asks for none.</param>
public sealed class StreamingClient(HttpClient http, string? apiKey = null)
{
    /// <summary>Answered once the events are durable.</summary>
    /// <param name="events">At most <c>Serving:BatchEventsMax</c> (10,000).</param>
    /// <param name="idempotencyKey">Of an earlier try of the same batch; null for a new one.</param>
    /// <param name="cancel">Gives up waiting; what was sent may be stored.</param>
    public Task<IngestResult> SendAsync(IReadOnlyCollection<StreamingEvent> events, string? idempotencyKey = null, CancellationToken cancel = default) =>
        CallAsync<IngestResult>(HttpMethod.Post, "v1/events", events, idempotencyKey ?? Guid.NewGuid().ToString(), cancel);

    /// <summary>One event; returns its position, which <see cref="FeedQuery.After"/> takes.</summary>
    /// <inheritdoc cref="SendAsync(IReadOnlyCollection{StreamingEvent}, string?, CancellationToken)"/>
    public async Task<string> SendAsync(StreamingEvent e, string? idempotencyKey = null, CancellationToken cancel = default) =>
        (await SendAsync([e], idempotencyKey, cancel).ConfigureAwait(false)).Results[0].Position!;

    /// <summary>Inserts or replaces items.</summary>
    public Task<IngestResult> PutItemsAsync(IReadOnlyCollection<CatalogItem> items, CancellationToken cancel = default) =>
        CallAsync<IngestResult>(HttpMethod.Post, "v1/items", items, null, cancel);

    /// <summary>The item is in no answer from now on.</summary>
    public Task<IngestResult> DeleteItemAsync(string id, CancellationToken cancel = default) =>
        CallAsync<IngestResult>(HttpMethod.Delete, $"v1/items/{Uri.EscapeDataString(id)}", null, null, cancel);

    /// <summary>Inserts or replaces a user's profile.</summary>
    public Task<IngestResult> PutUserAsync(string user, IReadOnlyList<string> interests, IReadOnlyDictionary<string, string>? attributes = null, CancellationToken cancel = default) =>
        CallAsync<IngestResult>(HttpMethod.Put, $"v1/users/{Uri.EscapeDataString(user)}", new { interests, attributes = attributes ?? new Dictionary<string, string>() }, null, cancel);

    /// <summary>Forgets a user: what is known of them, their lists, and what the log holds of them.</summary>
    public Task DeleteUserAsync(string user, CancellationToken cancel = default) =>
        CallAsync<JsonElement>(HttpMethod.Delete, $"v1/users/{Uri.EscapeDataString(user)}", null, null, cancel);

    /// <summary>A page of the user's list.</summary>
    public Task<FeedPage> GetFeedAsync(string user, FeedQuery? query = null, CancellationToken cancel = default) =>
        CallAsync<FeedPage>(HttpMethod.Get, $"v1/feed/{Uri.EscapeDataString(user)}{TextOf(query ?? new FeedQuery())}", null, null, cancel);

    /// <summary>All pages of the user's list, a page at a time.</summary>
    public async IAsyncEnumerable<FeedItem> GetAllAsync(string user, FeedQuery? query = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        query ??= new FeedQuery();
        for (int? offset = query.Offset ?? 0; offset is not null;)
        {
            var page = await GetFeedAsync(user, query with { Offset = offset }, cancel).ConfigureAwait(false);
            foreach (var item in page.Items) yield return item;
            offset = page.Next;
        }
    }

    /// <summary>The popular list of a surface or tag, best first, a page at a time.</summary>
    /// <param name="surface">Null for the default one.</param>
    /// <param name="tag">Null for all.</param>
    /// <param name="pageSize">1 to 1000; the node's default where null.</param>
    /// <param name="exclude">Ids of items that are not to come.</param>
    /// <param name="categories">Where there are any, an item has to have one of them.</param>
    /// <param name="cancel">Ends it.</param>
    public IAsyncEnumerable<FeedItem> GetPopularAsync(
        string? surface = null, string? tag = null, int? pageSize = null, IReadOnlyList<string>? exclude = null, IReadOnlyList<string>? categories = null,
        CancellationToken cancel = default) =>
        PagesAsync<FeedItem>(
            "v1/popular", "items", "offset", cancel, ("surface", surface), ("tag", tag), ("limit", Text(pageSize)), ("exclude", Joined(exclude ?? [])),
            ("categories", Joined(categories ?? [])));

    /// <summary>Items like this one, best first, a page at a time.</summary>
    /// <param name="item">Id of the one.</param>
    /// <param name="pageSize">1 to 1000; the node's default where null.</param>
    /// <param name="cancel">Ends it.</param>
    public IAsyncEnumerable<SimilarItem> GetSimilarAsync(string item, int? pageSize = null, CancellationToken cancel = default) =>
        PagesAsync<SimilarItem>($"v1/items/{Uri.EscapeDataString(item)}/similar", "items", "offset", cancel, ("limit", Text(pageSize)));

    /// <summary>The newest records that could not be used, newest first, a page at a time; what is set aside meanwhile is not among them. Needs an operator's key.</summary>
    /// <param name="pageSize">1 to 200.</param>
    /// <param name="cancel">Ends it.</param>
    public IAsyncEnumerable<DeadLetterEntry> GetDeadLettersAsync(int? pageSize = null, CancellationToken cancel = default) =>
        PagesAsync<DeadLetterEntry>("v1/dead-letters", "letters", "before", cancel, ("limit", Text(pageSize)));

    /// <summary>Who changed the experiments, newest first, a page at a time; what is changed meanwhile is not among them. Needs an operator's key.</summary>
    /// <param name="pageSize">1 to 1000.</param>
    /// <param name="cancel">Ends it.</param>
    public IAsyncEnumerable<AuditEntry> GetAuditAsync(int? pageSize = null, CancellationToken cancel = default) =>
        PagesAsync<AuditEntry>("v1/experiments/audit", "entries", "before", cancel, ("limit", Text(pageSize)));

    /// <summary>Who paused the intake of which node and sent which dead letter again, newest first, a page at a time; what is done meanwhile is not among them. Needs an operator's key.</summary>
    /// <param name="pageSize">1 to 1000.</param>
    /// <param name="cancel">Ends it.</param>
    public IAsyncEnumerable<OperatorStep> GetOperationsAsync(int? pageSize = null, CancellationToken cancel = default) =>
        PagesAsync<OperatorStep>("v1/operations", "operations", "before", cancel, ("limit", Text(pageSize)));

    /// <summary>Why the first items of the user's list are in it.</summary>
    public async Task<IReadOnlyList<ItemReason>> ExplainAsync(string user, string? surface = null, int limit = 10, CancellationToken cancel = default) =>
        (await CallAsync<Reasons>(
            HttpMethod.Get, $"v1/explain/{Uri.EscapeDataString(user)}{Query(("surface", surface), ("limit", limit.ToString(CultureInfo.InvariantCulture)))}", null, null, cancel).ConfigureAwait(false)).Items;

    private async IAsyncEnumerable<T> PagesAsync<T>(
        string path, string entries, string cursor, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel, params (string Name, string? Value)[] asked)
    {
        for (string? next = null; ;)
        {
            var page = await CallAsync<JsonElement>(HttpMethod.Get, path + Query([.. asked, (cursor, next)]), null, null, cancel).ConfigureAwait(false);
            foreach (var entry in page.GetProperty(entries).Deserialize<T[]>(Wire.Json)!) yield return entry;
            if (page.GetProperty("next") is not { ValueKind: not JsonValueKind.Null } there) yield break;
            next = there.ToString();
        }
    }

    private sealed record Reasons(IReadOnlyList<ItemReason> Items);

    private async Task<T> CallAsync<T>(HttpMethod method, string path, object? body, string? idempotencyKey, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, path);
        if (apiKey is not null) request.Headers.Add("X-Api-Key", apiKey);
        if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
        if (body is not null) request.Content = JsonContent.Create(body, body.GetType(), options: Wire.Json);
        using var answer = await http.SendAsync(request, cancel).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode) throw await RefusalAsync(answer, cancel).ConfigureAwait(false);
        return await answer.Content.ReadFromJsonAsync<T>(Wire.Json, cancel).ConfigureAwait(false) ?? throw new StreamingException(0, "", "the answer is null", null);
    }

    private static async Task<StreamingException> RefusalAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        const string urn = "urn:streaming:";
        var (status, text) = ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(cancel).ConfigureAwait(false));
        var (type, detail) = ("", text);
        try
        {
            var problem = JsonSerializer.Deserialize<Problem>(text, Wire.Json);
            (type, detail) = (problem?.Type ?? "", problem?.Detail ?? problem?.Title ?? text);
        }
        catch (JsonException)
        {
            // Something before the node answered, in words of its own.
        }
        return new StreamingException(status, type.StartsWith(urn, StringComparison.Ordinal) ? type[urn.Length..] : type, detail, answer.Headers.RetryAfter?.Delta);
    }

    private sealed record Problem(string? Type, string? Title, string? Detail);

    private static string TextOf(FeedQuery query) => Query(
        ("surface", query.Surface), ("limit", Text(query.Limit)), ("offset", Text(query.Offset)), ("after", query.After),
        ("wait_ms", Text(query.WaitMs)), ("tags", Joined(query.Tags)), ("exclude", Joined(query.Exclude)), ("categories", Joined(query.Categories)), ("arm", query.Arm));

    private static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string? Joined(IReadOnlyList<string> names) => names.Count == 0 ? null : string.Join(',', names);

    private static string Query(params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in parameters)
            if (value is not null) text.Append(text.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        return text.ToString();
    }
}
