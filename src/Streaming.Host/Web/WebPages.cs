using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Streaming.Host.Web;

/// <summary>
/// The two pages, live feed (<c>/</c>) and dashboard (<c>/dashboard</c>), and what they load. All of it is built beforehand (Web/ui) and
/// lies in the assembly, so a node needs no files beside it. The pages hold no data: they ask the API, with the visitor's key.
/// </summary>
internal static class WebPages
{
    /// <summary>
    /// Scripts, styles, pictures and requests of the page's own origin, and nothing inline: text that an id or an attribute brings along cannot
    /// become code.
    /// </summary>
    private const string Policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

    private static readonly FrozenDictionary<string, WebFile> Files = Load();

    /// <summary>Names of what <c>/ui/{file}</c> serves.</summary>
    public static IEnumerable<string> Names => Files.Keys.Where(name => !name.EndsWith(".html", StringComparison.Ordinal));

    /// <param name="app">Gets the routes.</param>
    /// <param name="apart">Whether operators have an address of their own: then neither page links to the other.</param>
    /// <param name="asksForKeys">Whether requests need a key.</param>
    public static void Map(WebApplication app, bool apart, bool asksForKeys)
    {
        MapPage(app, "/", "index.html", apart, asksForKeys);
        MapPage(app, "/dashboard", "dashboard.html", apart, asksForKeys);
        app.MapGet("/ui/{file}", (HttpContext context, string file) =>
        {
            if (!Files.TryGetValue(file, out var found) || file.EndsWith(".html", StringComparison.Ordinal)) return Results.NotFound();
            // The name has a hash of the content in it, but for two texts that nobody's page loads.
            context.Response.Headers.CacheControl = found.IsHashed ? "public, max-age=31536000, immutable" : "no-cache";
            return Answer(context, found);
        }).ExcludeFromDescription();
    }

    private static void MapPage(WebApplication app, string route, string name, bool apart, bool asksForKeys)
    {
        var html = Encoding.UTF8.GetString(Files[name].Bytes)
            .Replace("<html ", $"<html {(apart ? "data-admin=\"apart\" " : "")}{(asksForKeys ? "data-keys=\"asked\" " : "")}", StringComparison.Ordinal);
        var page = new WebFile(name, Encoding.UTF8.GetBytes(html));
        app.MapGet(route, (HttpContext context) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = Policy;
            headers.CacheControl = "no-cache";
            headers["Referrer-Policy"] = "no-referrer";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            return Answer(context, page);
        }).ExcludeFromDescription();
    }

    private static IResult Answer(HttpContext context, WebFile file)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ETag = file.Tag;
        headers.Vary = "Accept-Encoding";
        if (context.Request.Headers.IfNoneMatch == file.Tag) return Results.StatusCode(304);
        if (!context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase)) return Results.Bytes(file.Bytes, file.Type);
        headers.ContentEncoding = "gzip";
        return Results.Bytes(file.Zipped, file.Type);
    }

    private static FrozenDictionary<string, WebFile> Load()
    {
        const string prefix = "web/";
        var assembly = typeof(WebPages).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name =>
        {
            using var from = assembly.GetManifestResourceStream(name)!;
            var bytes = new byte[from.Length];
            from.ReadExactly(bytes);
            return new WebFile(name[prefix.Length..], bytes);
        }).ToFrozenDictionary(file => file.Name, StringComparer.Ordinal);
    }

    /// <summary>A file as it is sent; compressed when somebody first asks for it so.</summary>
    private sealed class WebFile(string name, byte[] bytes)
    {
        private readonly Lazy<byte[]> _zipped = new(() =>
        {
            using var into = new MemoryStream();
            using (var zip = new GZipStream(into, CompressionLevel.Optimal)) zip.Write(bytes);
            return into.ToArray();
        });

        public string Name => name;
        public byte[] Bytes => bytes;
        public byte[] Zipped => _zipped.Value;
        public string Tag { get; } = $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 8))}\"";
        public bool IsHashed => Type is not "text/plain; charset=utf-8";

        public string Type => Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        };
    }
}
