using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Streaming.Host.Security;

namespace Streaming.Host.Http;

/// <summary>
/// The API's description, <c>/openapi/v1.json</c>: routes, parameters and summaries as they are mapped, and over them what mapping cannot say (schemas,
/// answers, examples), from <c>openapi.overlay.json</c>. What stands in both would be one idea in two places, so the overlay names no route and no parameter that
/// is not mapped.
/// </summary>
internal static class ApiDescription
{
    private const string Overlay = "openapi.overlay.json";

    /// <summary>In the overlay: of an operation's parameters, by name; headers, which no handler names, stand whole.</summary>
    private const string Parameters = "x-parameters";

    /// <summary>What a key needs for the operation.</summary>
    private const string Scope = "x-scope";

    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Map(WebApplication app)
    {
        var text = new Lazy<Task<string>>(() => DescribeAsync(app.Services));
        app.MapGet("/openapi/v1.json", async (HttpContext context) =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(await text.Value, context.RequestAborted);
        }).ExcludeFromDescription();
    }

    private static async Task<string> DescribeAsync(IServiceProvider services)
    {
        var document = await services.GetRequiredKeyedService<IOpenApiDocumentProvider>("v1").GetOpenApiDocumentAsync();
        using var stream = typeof(ApiDescription).Assembly.GetManifestResourceStream(Overlay)!;
        var (mapped, overlay) = ((JsonObject)JsonNode.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1))!, (JsonObject)JsonNode.Parse(stream)!);
        foreach (var (path, operations) in (JsonObject)overlay["paths"]!)
            foreach (var (method, operation) in (JsonObject)operations!)
                Describe((JsonObject?)mapped["paths"]?[path]?[method] ?? throw Strange($"{method} {path}"), (JsonObject)operation!, path);
        Merge(mapped, overlay);
        foreach (var (path, operations) in (JsonObject)mapped["paths"]!)
            foreach (var (method, operation) in (JsonObject)operations!)
                operation![Scope] = RouteScopes.All.First(r => r.Route == path && r.Method == method.ToUpperInvariant()).Scope.ToString().ToLowerInvariant();
        return mapped.ToJsonString(Written) + "\n";
    }

    private static void Describe(JsonObject mapped, JsonObject operation, string path)
    {
        var parameters = mapped["parameters"] as JsonArray;
        foreach (var parameter in parameters ?? []) Plain((JsonObject)parameter!["schema"]!);
        if (operation[Parameters] is not JsonObject said) return;
        operation.Remove(Parameters);
        foreach (var (name, what) in said)
        {
            var known = parameters?.FirstOrDefault(p => (string?)p!["name"] == name);
            if (known is not null) Merge((JsonObject)known, (JsonObject)what!);
            else if ((string?)what!["in"] == "header") (parameters ??= Added(mapped)).Add(Merge(new JsonObject { ["name"] = name }, (JsonObject)what));
            else throw Strange($"{path} {name}");
        }
    }

    private static JsonArray Added(JsonObject operation) => (JsonArray)(operation["parameters"] = new JsonArray());

    /// <summary>A number of a query is a number, whatever else its reader would take.</summary>
    private static void Plain(JsonObject schema)
    {
        if (schema["type"] is not JsonArray { Count: > 1 } types) return;
        schema["type"] = types.Select(t => (string)t!).First(t => t != "string");
        schema.Remove("pattern");
    }

    /// <summary>JSON merge patch (RFC 7396), without removals: objects are merged, all else is replaced.</summary>
    private static JsonObject Merge(JsonObject into, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is JsonObject inner && into[name] is JsonObject existing) Merge(existing, inner);
            else into[name] = value?.DeepClone();
        }
        return into;
    }

    private static InvalidOperationException Strange(string what) => new($"{Overlay} describes {what}, which is not mapped");
}
