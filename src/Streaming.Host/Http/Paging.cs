using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace Streaming.Host.Http;

/// <summary>
/// Which page of a list is asked for, and where the next one is. A list that grows at its head is paged by <c>before</c>, the place where the page before it
/// ended, so that what comes meanwhile moves nothing; one that is ranked is paged by <c>offset</c>. Either way an answer's <c>next</c> is what to send for the page behind it,
/// null on the last one, and the header <c>Link</c> says the same as an address (RFC 8288).
/// </summary>
/// <param name="Limit">Entries of the page at most.</param>
/// <param name="From">Entries to pass over; or the cursor, <see cref="long.MaxValue"/> for the first page.</param>
internal readonly record struct Paging(int Limit, long From)
{
    private const string Offset = "offset", Before = "before";

    /// <summary>Entries to pass over.</summary>
    public int Skip => (int)From;

    /// <summary>A page of a ranked list.</summary>
    public static bool TryRead(int? limit, int byDefault, int limitMax, int? offset, out Paging page, [NotNullWhen(false)] out IResult? problem)
    {
        page = new Paging(limit ?? byDefault, offset ?? 0);
        problem = page.RefuseLimit(limitMax) ?? (page.From < 0 ? Refuse("bad-offset", $"offset is {offset}; it cannot be negative") : null);
        return problem is null;
    }

    /// <summary>A page of a list that grows.</summary>
    public static bool TryRead(int? limit, int byDefault, int limitMax, string? before, out Paging page, [NotNullWhen(false)] out IResult? problem)
    {
        var from = long.MaxValue;
        var known = before is null || (long.TryParse(before, NumberStyles.None, CultureInfo.InvariantCulture, out from) && before == Text(from));
        page = new Paging(limit ?? byDefault, from);
        problem = page.RefuseLimit(limitMax) ?? (known ? null : Refuse("bad-cursor", $"before is '{before}'; it must be what the page before this one answered as next"));
        return problem is null;
    }

    /// <summary>The next page's <c>offset</c>, in the header too; null where there is none.</summary>
    public static int? Next(HttpContext context, int end, bool isMore)
    {
        if (!isMore) return null;
        Link(context, Offset, Text(end));
        return end;
    }

    /// <summary>The next page's <c>before</c>, in the header too; null where there is none.</summary>
    public static string? Next(HttpContext context, long? before)
    {
        if (before is not { } cursor) return null;
        Link(context, Before, Text(cursor));
        return Text(cursor);
    }

    private IResult? RefuseLimit(int max) => Limit >= 1 && Limit <= max ? null : Refuse("bad-limit", $"limit is {Limit}; allowed is 1 to {max}");

    private static IResult Refuse(string type, string detail) => Results.Problem(detail, statusCode: 400, type: "urn:streaming:" + type);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The address as it was asked, without the host, which a proxy before the node may have changed, and with the cursor in the place of the one that it had.</summary>
    private static void Link(HttpContext context, string name, string value)
    {
        var path = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?', 2)[0];
        // A request line in absolute form, or one that a header cannot hold as it is.
        if (!path.StartsWith('/') || path.AsSpan().ContainsAnyExceptInRange('!', '~') || path.Contains('>')) path = context.Request.Path.ToUriComponent();
        var query = context.Request.Query.Where(q => !q.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).SelectMany(q => q.Value, (q, v) => KeyValuePair.Create(q.Key, v));
        context.Response.Headers.Link = $"<{path}{QueryString.Create(query.Append(KeyValuePair.Create<string, string?>(name, value)))}>; rel=\"next\"";
    }
}
