using System.Text.Json;
using Streaming.Core.Log;

namespace Streaming.Host.Http;

/// <summary>Errors as RFC 9457 problem documents: a stable <c>type</c> to switch on, and a sentence that says what to do.</summary>
internal static class Problems
{
    public static async Task Write(HttpContext context, int status, string type, string detail)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("type", "urn:streaming:" + type);
        json.WriteString("title", type.Replace('-', ' '));
        json.WriteNumber("status", status);
        json.WriteString("detail", detail);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted).ConfigureAwait(false);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>The log has refused: nothing may be assumed stored.</summary>
    public static Task LogUnavailable(HttpContext context, EventLogException problem)
    {
        context.Response.Headers.RetryAfter = "5";
        return Write(context, 503, "log-unavailable", problem.Message);
    }
}
