using Microsoft.AspNetCore.Http.Features;

namespace Streaming.Host.Http;

/// <summary>
/// Ids in paths. The server decodes every escape of a path but <c>%2F</c>, so an id with a slash would arrive as it was sent, and
/// the same as the id that has "%2F" in its name; such a path is read again from the request line.
/// </summary>
internal static class PathId
{
    /// <param name="context">The request.</param>
    /// <param name="segment">Zero-based place of the id among the path's segments.</param>
    /// <param name="routed">The id as routing gave it.</param>
    public static string Of(HttpContext context, int segment, string routed)
    {
        if (!routed.Contains('%', StringComparison.Ordinal)) return routed;
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var segments = target.Split('?', 2)[0].Split('/');
        // A request line in absolute form, or one with dot segments, has others; then routing's reading stands.
        return target.StartsWith('/') && segments.Length > segment + 1 ? Uri.UnescapeDataString(segments[segment + 1]) : routed;
    }
}
