using System.Collections.Concurrent;
using Streaming.Host.Http;

namespace Streaming.Host.Security;

/// <summary>
/// The door of the HTTP API, in front of every endpoint: the admin address, rate limits, keys. Nothing here allocates for a request that
/// passes without rate limits, but for operators' own and such as name themselves.
/// </summary>
/// <param name="next">The endpoint.</param>
/// <param name="keys">Read at every request.</param>
/// <param name="limits">Of addresses and keys.</param>
/// <param name="adminApart">Whether there is an admin address of its own.</param>
internal sealed class AccessControl(RequestDelegate next, ApiKeys keys, RateLimits limits, bool adminApart)
{
    /// <summary>Marks the connections of the admin address.</summary>
    public sealed class AdminConnection
    {
        public static readonly AdminConnection Mark = new();
    }

    /// <summary>Where the key's name stands among the request's items: of an operator, and of who sends under an <c>Idempotency-Key</c>.</summary>
    public static readonly object KeyName = new();

    /// <summary>As many as there are endpoints.</summary>
    private readonly ConcurrentDictionary<Endpoint, Scopes?> _scopes = new();

    public Task InvokeAsync(HttpContext context)
    {
        if (!limits.Admits(context.Connection.RemoteIpAddress)) return TooMany(context);
        // What is no endpoint (an unknown path, a wrong method) needs a key too, of whatever scope: strangers learn of no route.
        var needed = context.GetEndpoint() is { } endpoint ? _scopes.GetOrAdd(endpoint, RouteScopes.Of) : null;
        if (adminApart && needed is not (null or Scopes.Open) && (needed is Scopes.Admin or Scopes.AdminPage) != IsAdmin(context)) return Elsewhere(context);
        if (needed is Scopes.Open or Scopes.PublicPage or Scopes.AdminPage || !keys.Any) return next(context);
        if (keys.Find(Presented(context.Request.Headers)) is not { } key) return Unknown(context);
        if (!limits.Admits(key)) return TooMany(context);
        if (needed is { } must && (key.Scopes & must) != must) return Forbidden(context);
        // For the audit of what operators do, and since callers name their requests without knowing of each other.
        if (needed == Scopes.Admin || context.Request.Headers.ContainsKey(IngestEndpoints.KeyHeader)) context.Items[KeyName] = key.Name;
        return next(context);
    }

    private static bool IsAdmin(HttpContext context) => context.Features.Get<AdminConnection>() is not null;

    private static ReadOnlySpan<char> Presented(IHeaderDictionary headers)
    {
        const string bearer = "Bearer ";
        var authorization = headers.Authorization;
        if (authorization.Count == 1 && authorization[0] is { } value && value.StartsWith(bearer, StringComparison.OrdinalIgnoreCase)) return value.AsSpan(bearer.Length).Trim();
        return headers.TryGetValue("X-Api-Key", out var own) && own.Count == 1 ? own[0].AsSpan().Trim() : default;
    }

    private static Task Unknown(HttpContext context)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Refuse(context, 401, "unauthorized", "send a valid API key as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'");
    }

    private static Task Forbidden(HttpContext context) => Refuse(context, 403, "forbidden", "this key may not do that");

    private static Task Elsewhere(HttpContext context) => Refuse(context, 404, "not-here", "this address does not answer that");

    private static Task TooMany(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return Refuse(context, 429, "too-many-requests", "too many requests; try again in a second");
    }

    /// <summary>A body that was not read would be taken for the next request.</summary>
    private static Task Refuse(HttpContext context, int status, string type, string detail)
    {
        if (context.Request.ContentLength is > 0 || context.Request.Headers.TransferEncoding.Count > 0) context.Response.Headers.Connection = "close";
        return Problems.Write(context, status, type, detail);
    }
}
