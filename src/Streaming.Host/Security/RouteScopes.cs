namespace Streaming.Host.Security;

/// <summary>The one table of what each route asks for. A route that is mapped and not in it stops the start.</summary>
internal static class RouteScopes
{
    /// <summary>"*" stands for every method.</summary>
    public static readonly IReadOnlyList<(string Method, string Route, Scopes Scope)> All =
    [
        ("GET", "/v1/feed/{user}", Scopes.Read),
        ("GET", "/v1/popular", Scopes.Read),
        ("GET", "/v1/items/{id}", Scopes.Read),
        ("GET", "/v1/items/{id}/similar", Scopes.Read),
        ("GET", "/v1/explain/{user}", Scopes.Read),
        ("GET", "/v1/explain/{user}/{item}", Scopes.Read),
        ("POST", "/v1/events", Scopes.Ingest),
        ("POST", "/v1/items", Scopes.Ingest),
        ("PUT", "/v1/items/{id}", Scopes.Ingest),
        ("DELETE", "/v1/items/{id}", Scopes.Ingest),
        ("PUT", "/v1/users/{user}", Scopes.Ingest),
        ("GET", "/v1/users/{user}", Scopes.Admin),
        ("DELETE", "/v1/users/{user}", Scopes.Admin),
        ("GET", "/v1/users/{user}/deletion", Scopes.Admin),
        ("GET", "/v1/experiments", Scopes.Admin),
        ("PUT", "/v1/experiments", Scopes.Admin),
        ("GET", "/v1/experiments/audit", Scopes.Admin),
        ("GET", "/v1/experiments/assignment", Scopes.Admin),
        ("GET", "/v1/experiments/{id}/report", Scopes.Admin),
        ("POST", "/v1/experiments/{name}/{step}", Scopes.Admin),
        ("POST", "/v1/models/{model}/{step}", Scopes.Admin),
        ("GET", "/v1/weights", Scopes.Admin),
        ("PUT", "/v1/weights/{name}", Scopes.Admin),
        ("DELETE", "/v1/weights/{name}", Scopes.Admin),
        ("GET", "/v1/status", Scopes.Admin),
        ("GET", "/v1/status/stream", Scopes.Admin),
        ("GET", "/v1/operations", Scopes.Admin),
        ("GET", "/v1/dead-letters", Scopes.Admin),
        ("POST", "/v1/dead-letters/{offset}/retry", Scopes.Admin),
        ("POST", "/v1/intake/{step}", Scopes.Admin),
        ("*", "/metrics", Scopes.Admin),
        ("GET", "/", Scopes.PublicPage),
        ("GET", "/dashboard", Scopes.AdminPage),
        ("GET", "/ui/{file}", Scopes.Open),
        ("GET", "/healthz", Scopes.Open),
        ("GET", "/readyz", Scopes.Open),
        ("GET", "/openapi/v1.json", Scopes.Read),
    ];

    /// <summary>Checks that every mapped endpoint is in the table.</summary>
    /// <exception cref="InvalidOperationException">One is not: a bug of whoever mapped it.</exception>
    public static void Check(IEnumerable<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints.OfType<RouteEndpoint>()) _ = ScopeOf(endpoint);
    }

    /// <summary>The endpoint's scope; null for one of the framework's own, which answers a wrong method.</summary>
    public static Scopes? Of(Endpoint endpoint) => endpoint is RouteEndpoint route ? ScopeOf(route) : null;

    private static Scopes ScopeOf(RouteEndpoint endpoint)
    {
        var route = "/" + endpoint.RoutePattern.RawText?.TrimStart('/');
        var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [];
        Scopes? scope = null;
        foreach (var method in methods.Count == 0 ? ["*"] : methods)
        {
            var found = All.Where(row => row.Route == route && (row.Method == "*" || row.Method == method)).ToList();
            if (found.Count != 1 || (scope is { } other && other != found[0].Scope))
                throw new InvalidOperationException($"{method} {route} has {found.Count} rows in RouteScopes; it needs one");
            scope = found[0].Scope;
        }
        return scope!.Value;
    }
}
