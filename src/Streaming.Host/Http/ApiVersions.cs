namespace Streaming.Host.Http;

/// <summary>
/// Versions of the API, the first part of a path. Within one, members and parameters are only added; what would break a caller makes a new version, and
/// the one before is answered beside it until a release says otherwise.
/// </summary>
internal static class ApiVersions
{
    /// <summary>What this build answers.</summary>
    private const string Known = "/v1";

    /// <summary>Whether a path names a version that there is not.</summary>
    public static bool IsUnknown(PathString path)
    {
        var text = path.Value.AsSpan();
        if (text.Length < 3 || text[0] != '/' || text[1] != 'v') return false;
        var version = text[..(text[1..].IndexOf('/') is var end and >= 0 ? end + 1 : text.Length)];
        return version[2..].IndexOfAnyExceptInRange('0', '9') < 0 && !version.SequenceEqual(Known);
    }

    public static Task Refuse(HttpContext context) => Problems.Write(context, 404, "unknown-version", $"there is no such version of the API; this node answers {Known}");
}
