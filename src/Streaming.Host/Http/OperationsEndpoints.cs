using System.Text;
using Microsoft.Net.Http.Headers;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Live;
using Streaming.Host.Security;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>What operators watch and do: the stream of figures, dead letters, pausing the intake. What changes the node is in the audit, which is in the log.</summary>
internal sealed class OperationsEndpoints(StreamingNode node, LiveFigures figures, ServingSettings settings)
{
    private const int LettersMax = 200;
    private const int StepsMax = 1_000;

    /// <summary>Bytes of a letter's payload that are shown.</summary>
    private const int ExcerptBytes = 2_000;

    private static readonly byte[] EventStart = "event: "u8.ToArray();

    public void Map(WebApplication app)
    {
        app.MapGet("/v1/status/stream", (Delegate)StreamAsync).WithSummary("The node's figures every second, as server-sent events").WithDescription(
            "First an event 'history' with the last ten minutes, then the 'frame' of the last second, and another every second. Without 'Accept: text/event-stream' the next frame alone, as JSON.");
        app.MapGet("/v1/dead-letters", LettersAsync).WithSummary("The newest records that could not be used, with their reasons");
        app.MapPost("/v1/dead-letters/{offset}/retry", RetryAsync).WithSummary("Send a dead letter again, as it came: where its reason has gone");
        app.MapGet("/v1/operations", StepsAsync).WithSummary("Who paused the intake of which node and sent which dead letter again, newest first; experiments, models and weights have an audit of their own");
        app.MapPost("/v1/intake/{step}", IntakeAsync).WithSummary("pause: take no more events over HTTP; resume: take them again. What is in the log goes on");
    }

    private async Task StreamAsync(HttpContext context)
    {
        if (!figures.TryEnter(settings.WatchersMax))
        {
            context.Response.Headers.RetryAfter = "5";
            await Problems.Write(context, 503, "too-many-watchers", $"{settings.WatchersMax} are watching (Serving:WatchersMax)").ConfigureAwait(false);
            return;
        }
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, figures.Stopping);
        try
        {
            context.Response.Headers.CacheControl = "no-store";
            if (!MediaTypeHeaderValue.TryParseList(context.Request.Headers.Accept, out var accepted) || !accepted.Any(a => a.MediaType == "text/event-stream"))
            {
                context.Response.ContentType = "application/json";
                await context.Response.Body.WriteAsync(await figures.NextAsync(end.Token).ConfigureAwait(false), end.Token).ConfigureAwait(false);
                return;
            }
            context.Response.ContentType = "text/event-stream";
            // Proxies that collect a response before they pass it on would show every second late.
            context.Response.Headers["X-Accel-Buffering"] = "no";
            await SendAsync(context, "history"u8.ToArray(), figures.History(), end.Token).ConfigureAwait(false);
            if (await figures.LastAsync(end.Token).ConfigureAwait(false) is { } last) await SendAsync(context, "frame"u8.ToArray(), last, end.Token).ConfigureAwait(false);
            while (true) await SendAsync(context, "frame"u8.ToArray(), await figures.NextAsync(end.Token).ConfigureAwait(false), end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The watcher has gone, or the node stops.
        }
        finally
        {
            figures.Leave();
        }
    }

    /// <summary>JSON as it is written here has no line breaks, so an event is one line of data.</summary>
    private static async Task SendAsync(HttpContext context, byte[] name, byte[] json, CancellationToken cancel)
    {
        await context.Response.Body.WriteAsync((byte[])[.. EventStart, .. name, .. "\ndata: "u8, .. json, .. "\n\n"u8], cancel).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(cancel).ConfigureAwait(false);
    }

    private async Task<IResult> LettersAsync(HttpContext context, int? limit, string? before)
    {
        if (!Paging.TryRead(limit, 50, LettersMax, before, out var page, out var problem)) return problem;
        try
        {
            var found = await node.DeadLetters.NewestAsync(page.Limit, page.From, context.RequestAborted).ConfigureAwait(false);
            return Results.Json(new { letters = found.Letters.Select(ViewOf), next = Paging.Next(context, found.Next), found.Seen, Complete = found.IsComplete }, ReportJson.Options);
        }
        catch (EventLogException unanswered)
        {
            return Problem(503, "log-unavailable", unanswered.Message);
        }
    }

    private async Task<IResult> RetryAsync(HttpContext context, long offset)
    {
        try
        {
            var (who, why) = Author(context);
            var done = await node.DeadLetters.RetryAsync(offset, who, why, context.RequestAborted).ConfigureAwait(false);
            return done.Result switch
            {
                LetterRetry.Sent => Results.Json(new { offset, position = done.Position.ToString() }),
                LetterRetry.Unknown => Problem(404, "unknown-letter", $"none of the newest {DeadLetters.KeptMax} dead letters lies at {offset}"),
                LetterRetry.Again => Problem(409, "sent-already", "that letter has been sent again before"),
                LetterRetry.Broken => Problem(409, "still-broken", $"it would be set aside again: {done.Problem}"),
                _ => Problem(503, "paused", "the node takes no events now; try again later"),
            };
        }
        catch (EventLogException problem)
        {
            return Problem(503, "log-unavailable", problem.Message);
        }
    }

    private async Task<IResult> StepsAsync(HttpContext context, int? limit, string? before)
    {
        if (!Paging.TryRead(limit, 100, StepsMax, before, out var page, out var problem)) return problem;
        try
        {
            var (steps, next) = await node.Operations.NewestAsync(page.Limit, page.From, context.RequestAborted).ConfigureAwait(false);
            var operations = steps.Select(s => new { s.Offset, s.Operation.AtMs, s.Operation.Node, s.Operation.Who, s.Operation.Why, s.Operation.What });
            return Results.Json(new { operations, next = Paging.Next(context, next) }, ReportJson.Options);
        }
        catch (EventLogException unanswered)
        {
            return Problem(503, "log-unavailable", unanswered.Message);
        }
    }

    private async Task<IResult> IntakeAsync(HttpContext context, string step)
    {
        if (step is not ("pause" or "resume")) return Problem(400, "bad-step", $"there is no step '{step}'; there are pause and resume");
        var pauses = step == "pause";
        try
        {
            // In the audit first: nothing is changed that it does not say.
            var (who, why) = Author(context);
            if (pauses != node.Ingest.IsPaused)
                await node.Operations.AddAsync(who, why, pauses ? "intake paused" : "intake resumed", cancel: context.RequestAborted).ConfigureAwait(false);
        }
        catch (EventLogException unanswered)
        {
            return Problem(503, "log-unavailable", $"nothing was changed: {unanswered.Message}");
        }
        node.Ingest.IsPaused = pauses;
        return Results.Json(new { admission = node.Ingest.State.ToString() });
    }

    private static (string Who, string Why) Author(HttpContext context)
    {
        var who = ExperimentEndpoints.Text(context, ExperimentEndpoints.AuthorHeader);
        var key = context.Items.TryGetValue(AccessControl.KeyName, out var name) ? $" (key {name})" : "";
        return ((who.Length > 0 ? who : "unknown") + key, ExperimentEndpoints.Text(context, ExperimentEndpoints.WhyHeader));
    }

    private static object ViewOf(KeptLetter kept)
    {
        var letter = kept.Letter;
        var payload = letter.Payload.Span;
        return new
        {
            kept.Offset, letter.Reason, letter.Topic, Position = letter.Source.Partition < 0 ? null : letter.Source.ToString(), letter.TimeMs, kept.Retried, Bytes = payload.Length,
            Payload = Encoding.UTF8.GetString(payload[..Math.Min(ExcerptBytes, payload.Length)]),
        };
    }

    private static IResult Problem(int status, string type, string detail) => Results.Problem(detail, statusCode: status, type: "urn:streaming:" + type);
}
