using System.Text;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Host.Security;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>Events, items and users coming in: answered only once durable.</summary>
internal sealed class IngestEndpoints(StreamingNode node, ServingSettings settings, TimeProvider time)
{
    private readonly InFlightRoom _room = new((long)settings.InFlightMbMax << 20);

    private readonly WaitingRoom _waiting = new(() => node.Ingest.State, TimeSpan.FromMilliseconds(settings.PutOffMs), time);

    /// <summary>Half of the cores parse posts at most: however many come at once, a look-up does not queue behind them all.</summary>
    private readonly SemaphoreSlim _turns = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>
    /// A batch of posts that are parsed or on their way to the disk: many times what the disk takes in one go, and little enough that a flood of
    /// posts does not make the collector's next pause long by what it holds.
    /// </summary>
    private readonly ByteGate _batch = new(BatchBytes);

    private const int BatchBytes = 2 << 20;
    private readonly IdempotencyKeys _keys = new((long)settings.IdempotencyMbMax << 20);

    /// <summary>Names a request, for who may have to send it again.</summary>
    public const string KeyHeader = "Idempotency-Key";

    /// <summary>On an answer that an earlier try was given.</summary>
    public const string ReplayedHeader = "Idempotent-Replayed";

    /// <summary>Characters of a request's <c>Idempotency-Key</c> at most: with an event's place and hash behind it, it is an event id.</summary>
    private const int KeyCharsMax = 255;

    public Task PostEventsAsync(HttpContext context)
    {
        string? key = context.Request.Headers[KeyHeader];
        if (key is not null && (key.Length is 0 or > KeyCharsMax || key.Any(c => c is <= ' ' or > '~')))
            return Problems.Write(context, 400, "bad-idempotency-key", $"an Idempotency-Key has 1 to {KeyCharsMax} printable ASCII characters without spaces, as a UUID has");
        return PostAsync(context, (records, cancel) => node.Ingest.EventsAsync(records, key, cancel), key);
    }

    public Task PostItemsAsync(HttpContext context) => PostAsync(context, node.Ingest.ItemsAsync);

    /// <summary>Insert or replace one item; the id of the path wins over one in the body.</summary>
    public async Task PutItemAsync(HttpContext context, string id)
    {
        if (await BodyAsync(context).ConfigureAwait(false) is not { } body) return;
        await OneItemAsync(context, WithId(body, id) ?? body).ConfigureAwait(false);
    }

    public Task DeleteItemAsync(HttpContext context, string id)
    {
        var json = new ByteWriter();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("id", id);
            writer.WriteBoolean("deleted", true);
            writer.WriteEndObject();
        }
        return OneItemAsync(context, json.WrittenMemory);
    }

    /// <summary>Insert or replace a user's profile: <c>{"interests": [...], "attributes": {...}}</c>.</summary>
    public async Task PutUserAsync(HttpContext context, string user)
    {
        if (await BodyAsync(context).ConfigureAwait(false) is not { } body) return;
        var json = new ByteWriter();
        try
        {
            using var profile = JsonDocument.Parse(body);
            using var writer = new Utf8JsonWriter(json);
            writer.WriteStartObject();
            writer.WriteString("type", EventKinds.Name(EventKind.UserUpsert));
            writer.WriteString("user", user);
            writer.WritePropertyName("profile");
            profile.RootElement.WriteTo(writer);
            writer.WriteEndObject();
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            // The writer refuses an escape that is half of a surrogate pair only when it comes to it.
            await Problems.Write(context, 400, "bad-profile", $"the profile is not JSON: {problem.Message}").ConfigureAwait(false);
            return;
        }
        await OneEventAsync(context, json.WrittenMemory).ConfigureAwait(false);
    }

    /// <summary>Forgets the user: answers once state and lists are gone, and says where the receipt is.</summary>
    public async Task DeleteUserAsync(HttpContext context, string user)
    {
        var now = time.GetUtcNow();
        LogPosition position;
        try
        {
            position = await node.Ingest.EventAsync(
                new UserEvent { Kind = EventKind.UserDelete, Type = "user_delete", User = user, TimeMs = now.ToUnixTimeMilliseconds() },
                context.RequestAborted).ConfigureAwait(false);
        }
        catch (ArgumentException problem)
        {
            await Problems.Write(context, 400, "bad-user", problem.Message).ConfigureAwait(false);
            return;
        }
        catch (EventLogException problem)
        {
            await Problems.LogUnavailable(context, problem).ConfigureAwait(false);
            return;
        }
        var applied = await node.WaitAppliedAsync(position, TimeSpan.FromSeconds(10), context.RequestAborted).ConfigureAwait(false);
        context.Response.StatusCode = applied ? 200 : 202;
        await context.Response.WriteAsJsonAsync(
            new DeletionAnswer(
                user, position.ToString(), now, applied,
                ["actor state", "cached lists", "events of this user before the deletion are ignored when the log is read again"],
                $"/v1/users/{Uri.EscapeDataString(user)}/deletion"),
            context.RequestAborted).ConfigureAwait(false);
    }

    private async Task PostAsync(
        HttpContext context, Func<IReadOnlyList<ReadOnlyMemory<byte>>, CancellationToken, Task<IngestOutcome[]>> append, string? key = null)
    {
        // Before the body is read: under overload a refusal has to be cheap, and what waits to be read takes memory.
        if (await PutOffAsync(context).ConfigureAwait(false)) return;
        using var room = _room.Take(context.Request.ContentLength ?? settings.RequestBytesMax);
        if (room is null)
        {
            await Later(context, 429, "overloaded", "1", "too many bytes are being taken in; try again in a second").ConfigureAwait(false);
            return;
        }
        if (await BodyAsync(context, _batch).ConfigureAwait(false) is not { } body) return;
        long held = body.Count;
        try
        {
            var lines = context.Request.ContentType?.Contains("ndjson", StringComparison.OrdinalIgnoreCase) ?? false;
            var records = RequestBody.Records(body, lines, settings.BatchEventsMax);
            if (records.Count > settings.BatchEventsMax)
            {
                await Problems.Write(context, 413, "batch-too-large", $"a batch may have {settings.BatchEventsMax} records; split it").ConfigureAwait(false);
                return;
            }
            // Else the log may hold on to what it was to take.
            if (await AnswerAsync(context, AppendAsync).ConfigureAwait(false)) RequestBody.Return(body);

            async Task<IngestOutcome[]?> AppendAsync()
            {
                try
                {
                    return key is null
                        ? await append(records, context.RequestAborted).ConfigureAwait(false)
                        : await OnceAsync(context, key, body, () => append(records, CancellationToken.None)).ConfigureAwait(false);
                }
                finally
                {
                    // Now, and not once the answer is written: who reads it slowly keeps nobody out.
                    Leave();
                }
            }
        }
        finally
        {
            Leave();
        }

        void Leave() => _batch.Leave(Interlocked.Exchange(ref held, 0));
    }

    /// <summary>
    /// The outcomes of a request that names itself: those of an earlier try where there was one, and null where the key is another request's. Who gives up waiting is
    /// who asks again, so the append goes on without them.
    /// </summary>
    private async Task<IngestOutcome[]?> OnceAsync(HttpContext context, string key, ReadOnlyMemory<byte> body, Func<Task<IngestOutcome[]>> append)
    {
        // Callers do not know of each other's keys.
        var mine = context.Items.TryGetValue(AccessControl.KeyName, out var name) ? $"{name} {key}" : key;
        using var claim = await _keys.ClaimAsync(mine, body, context.RequestAborted).ConfigureAwait(false);
        if (claim.IsConflict) return null;
        if (claim.Answer is { } answered)
        {
            context.Response.Headers[ReplayedHeader] = "true";
            return answered;
        }
        var outcomes = await append().ConfigureAwait(false);
        claim.Fulfil(outcomes);
        return outcomes;
    }

    private async Task OneEventAsync(HttpContext context, ReadOnlyMemory<byte> json)
    {
        if (await PutOffAsync(context).ConfigureAwait(false)) return;
        await AnswerAsync(context, async () => await node.Ingest.EventsAsync([json], context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task OneItemAsync(HttpContext context, ReadOnlyMemory<byte> json)
    {
        if (await PutOffAsync(context).ConfigureAwait(false)) return;
        await AnswerAsync(context, async () => await node.Ingest.ItemsAsync([json], context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
    }

    /// <summary>Returns whether nobody holds on to the records any more: the log has answered for them, or they were not for it.</summary>
    private async Task<bool> AnswerAsync(HttpContext context, Func<Task<IngestOutcome[]?>> append)
    {
        IngestOutcome[]? outcomes;
        try
        {
            outcomes = await InTurnAsync(append, context.RequestAborted).ConfigureAwait(false);
        }
        catch (EventLogException problem)
        {
            await Problems.LogUnavailable(context, problem).ConfigureAwait(false);
            return false;
        }
        await (outcomes is null
            ? Problems.Write(context, 422, "idempotency-key-reused", "another request was sent under this Idempotency-Key; nothing of this one was stored, send it under a key of its own")
            : WriteAsync(context, outcomes)).ConfigureAwait(false);
        return true;
    }

    private static async Task WriteAsync(HttpContext context, IngestOutcome[] outcomes)
    {
        var rejected = outcomes.Count(o => o.Problem is not null);
        if (outcomes is [{ Problem: { } reason }])
        {
            await Problems.Write(context, 400, "rejected", reason).ConfigureAwait(false);
            return;
        }
        context.Response.StatusCode = rejected == outcomes.Length && rejected > 0 ? 400 : 200;
        context.Response.ContentType = "application/json";
        WriteOutcomes(context.Response.BodyWriter, outcomes, rejected);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Starts an append, which parses its records on this thread, when it is its turn; waiting for the disk takes none.</summary>
    private async Task<IngestOutcome[]?> InTurnAsync(Func<Task<IngestOutcome[]?>> append, CancellationToken cancel)
    {
        Task<IngestOutcome[]?> appending;
        await _turns.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            appending = append();
        }
        finally
        {
            _turns.Release();
        }
        return await appending.ConfigureAwait(false);
    }

    /// <summary>Answers "later" when the node takes no events now, nor within <c>Serving:PutOffMs</c>.</summary>
    private async Task<bool> PutOffAsync(HttpContext context)
    {
        await _waiting.WaitAsync().WaitAsync(context.RequestAborted).ConfigureAwait(false);
        switch (node.Ingest.State)
        {
            case AdmissionState.Behind:
                await Later(context, 429, "overloaded", "1", "the actors are too far behind; try again in a second").ConfigureAwait(false);
                return true;
            case AdmissionState.DiskLow:
                await Later(context, 503, "disk-low", "5", "the node's disk is nearly full (Storage:FreeMbMin); nothing was stored").ConfigureAwait(false);
                return true;
            case AdmissionState.Paused:
                await Later(context, 503, "paused", "5", "an operator has paused this node's intake; nothing was stored").ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    private static Task Later(HttpContext context, int status, string type, string seconds, string detail)
    {
        context.Response.Headers.RetryAfter = seconds;
        return Problems.Write(context, status, type, detail);
    }

    private static void WriteOutcomes(System.Buffers.IBufferWriter<byte> into, IngestOutcome[] outcomes, int rejected)
    {
        using var json = new Utf8JsonWriter(into);
        json.WriteStartObject();
        json.WriteNumber("accepted"u8, outcomes.Length - rejected);
        json.WriteNumber("rejected"u8, rejected);
        json.WriteStartArray("results"u8);
        foreach (var outcome in outcomes)
        {
            json.WriteStartObject();
            if (outcome.Problem is { } problem) json.WriteString("error"u8, problem);
            else json.WriteString("position"u8, outcome.Position.ToString());
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private async Task<ArraySegment<byte>?> BodyAsync(HttpContext context, ByteGate? gate = null)
    {
        ArraySegment<byte>? body;
        try
        {
            body = await RequestBody.RentAsync(context.Request, settings.RequestBytesMax, gate, context.RequestAborted).ConfigureAwait(false);
        }
        catch (BadHttpRequestException problem) when (problem.StatusCode == 413)
        {
            // A chunked body: the server counts it as it comes.
            body = null;
        }
        if (body is null)
        {
            // The rest of the body is not read, so nothing else can come over this connection.
            context.Response.Headers.Connection = "close";
            await Problems.Write(context, 413, "request-too-large", $"a request may have {settings.RequestBytesMax} bytes (Serving:RequestBytesMax)").ConfigureAwait(false);
        }
        return body;
    }

    /// <summary>The object with its id replaced; null when the body is no JSON object, which the item parser then says better.</summary>
    private static ReadOnlyMemory<byte>? WithId(ReadOnlyMemory<byte> body, string id)
    {
        try
        {
            using var item = JsonDocument.Parse(body);
            if (item.RootElement.ValueKind != JsonValueKind.Object) return null;
            var json = new ByteWriter();
            using (var writer = new Utf8JsonWriter(json))
            {
                writer.WriteStartObject();
                writer.WriteString("id", id);
                foreach (var member in item.RootElement.EnumerateObject())
                    if (member.Name != "id") member.WriteTo(writer);
                writer.WriteEndObject();
            }
            return json.WrittenMemory;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}

/// <summary>What a deletion has done at once.</summary>
/// <param name="User">Who.</param>
/// <param name="Position">Where the deletion stands in the log.</param>
/// <param name="At">When it was asked for.</param>
/// <param name="Applied">False: it is durable and will be applied, but was not yet when this answer was due.</param>
/// <param name="Removed">What goes.</param>
/// <param name="Receipt">Where to ask how far it has come on the disk.</param>
public sealed record DeletionAnswer(string User, string Position, DateTimeOffset At, bool Applied, IReadOnlyList<string> Removed, string Receipt);
