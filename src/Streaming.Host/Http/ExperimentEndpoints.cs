using System.Globalization;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;
using Streaming.Node.Splitting;

namespace Streaming.Host.Http;

/// <summary>
/// <c>/v1/experiments</c>: definitions as a whole, with their version as ETag, and steps of single experiments (start, ramp, stop, kill)
/// that need none. Everything answers once it is in force on this node; the others follow within a round of theirs.
/// </summary>
internal sealed class ExperimentEndpoints(StreamingNode node, ServingSettings settings)
{
    /// <summary>Names the author for the audit.</summary>
    public const string AuthorHeader = "X-Streaming-Author";

    /// <summary>Says why, for the audit.</summary>
    public const string WhyHeader = "X-Streaming-Why";

    private const int AuditMax = 1000;
    private const int TextMax = 1000;

    public void Map(WebApplication app)
    {
        app.MapGet("/v1/experiments", (Delegate)((HttpContext context) => WriteAsync(context, 200, node.Experiments.Current)))
            .WithSummary("Definitions of experiments, their version (ETag) and how many buckets each arm has");
        app.MapPut("/v1/experiments", (Delegate)PutAsync).Accepts<object>("application/json")
            .WithSummary("Replace the definitions; If-Match must be the version that they are based on");
        app.MapGet("/v1/experiments/audit", AuditAsync).WithSummary("Who changed what and when, newest first");
        app.MapGet("/v1/experiments/assignment", Assignment).WithSummary("A user's arms on a surface, with their buckets, and the arms that they may ask for");
        app.MapPost("/v1/models/{model}/{step}", (HttpContext context, string model, string step, long? version) => ModelAsync(context, PathId.Of(context, 2, model), step, version))
            .WithSummary("rollback (version=1200): serve an earlier version of a deep model wherever an arm names it; newest: serve what is learned again");
        app.MapPost("/v1/experiments/{name}/{step}", (HttpContext context, string name, string step, double? share, string? arm) => StepAsync(context, name, step, share, arm))
            .WithSummary("One step of an experiment: start, ramp (share=0.2), stop, kill, promote (arm=b)");
    }

    /// <summary>A version of a model in the place of its newest, and back; a change of the definitions, so durable, on every node, and in their audit.</summary>
    private async Task ModelAsync(HttpContext context, string model, string step, long? version) => await ChangeAsync(
        context, null, definitions => step switch
        {
            "rollback" when version is null => throw new FormatException("a rollback needs a version that lists or /v1/status have named, as version=1200"),
            "rollback" => definitions.RolledBack(model, version),
            "newest" when version is not null => throw new FormatException("'newest' takes no version"),
            "newest" => definitions.RolledBack(model, null),
            _ => throw new FormatException($"there is no step '{step}'; there are rollback and newest"),
        }).ConfigureAwait(false);

    private async Task PutAsync(HttpContext context)
    {
        if (context.Request.Headers.IfMatch.ToString() is not { Length: > 0 } match)
        {
            await Problems.Write(context, 428, "if-match-required", "send If-Match with the ETag of the version that the definitions are based on").ConfigureAwait(false);
            return;
        }
        if (!EntityTagHeaderValue.TryParse(match, out var tag) || !long.TryParse(tag.Tag.AsSpan().Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var basedOn))
        {
            await Problems.Write(context, 400, "bad-if-match", $"If-Match is {match}; it must be one version in quotation marks, as GET answers it").ConfigureAwait(false);
            return;
        }
        if (await RequestBody.ReadAsync(context.Request, settings.RequestBytesMax, context.RequestAborted).ConfigureAwait(false) is not { } body)
        {
            await Problems.Write(context, 413, "request-too-large", $"a request may have {settings.RequestBytesMax} bytes (Serving:RequestBytesMax)").ConfigureAwait(false);
            return;
        }
        await ChangeAsync(context, basedOn, before => ExperimentsJson.ReadDefinitions(body.Span, before)).ConfigureAwait(false);
    }

    private async Task StepAsync(HttpContext context, string name, string step, double? share, string? arm)
    {
        if (node.Experiments.Current.Definitions.Find(name) is null)
        {
            await Problems.Write(context, 404, "unknown-experiment", $"there is no experiment '{name}'").ConfigureAwait(false);
            return;
        }
        await ChangeAsync(context, null, definitions => definitions.With(ExperimentSteps.Take(definitions.Find(name), name, step, share, arm))).ConfigureAwait(false);
    }

    private async Task ChangeAsync(HttpContext context, long? basedOn, Func<ExperimentDefinitions, ExperimentDefinitions> change)
    {
        if (await ChangeAsync(node, context, basedOn, change, "bad-experiments").ConfigureAwait(false) is { } done)
            await WriteAsync(context, done.Result == ExperimentChangeResult.NotYet ? 202 : 200, done.Version).ConfigureAwait(false);
    }

    /// <summary>Changes the definitions by whom and why the request says. Null where that is refused, which the response then says.</summary>
    /// <param name="invalid">Problem type of a change that is not sound.</param>
    internal static async Task<ExperimentChange?> ChangeAsync(
        StreamingNode node, HttpContext context, long? basedOn, Func<ExperimentDefinitions, ExperimentDefinitions> change, string invalid)
    {
        var (who, why) = (Text(context, AuthorHeader), Text(context, WhyHeader));
        try
        {
            var done = await node.Experiments.ChangeAsync(who.Length > 0 ? who : "unknown", why, basedOn, change, context.RequestAborted).ConfigureAwait(false);
            if (done.Result == ExperimentChangeResult.Invalid) await Problems.Write(context, 400, invalid, string.Join("\n", done.Problems)).ConfigureAwait(false);
            else if (done.Result == ExperimentChangeResult.Conflict)
                await Problems.Write(context, 412, "changed-meanwhile", $"version {done.Version.Version} by '{done.Version.ChangedBy}' is in force; fetch it and change that").ConfigureAwait(false);
            else return done;
        }
        catch (EventLogException problem)
        {
            await Problems.LogUnavailable(context, problem).ConfigureAwait(false);
        }
        return null;
    }

    private async Task<IResult> AuditAsync(HttpContext context, int? limit, string? before)
    {
        if (!Paging.TryRead(limit, 100, AuditMax, before, out var page, out var problem)) return problem;
        try
        {
            // One more says whether there are more.
            var found = await node.Experiments.AuditAsync(page.Limit + 1, page.From, context.RequestAborted).ConfigureAwait(false);
            var entries = found.Take(page.Limit).ToList();
            return Results.Json(new { entries, next = Paging.Next(context, found.Count > page.Limit ? entries[^1].Offset : null) }, ReportJson.Options);
        }
        catch (EventLogException unanswered)
        {
            return Results.Problem(unanswered.Message, statusCode: 503, type: "urn:streaming:log-unavailable");
        }
    }

    private IResult Assignment(string? user, string? surface)
    {
        if (user is null or { Length: 0 or > EventLimits.IdCharsMax } || user[0] == '\0')
            return Results.Problem($"user must have 1 to {EventLimits.IdCharsMax} characters and not start with NUL", statusCode: 400, type: "urn:streaming:bad-user");
        var assignment = node.Lookup.Explain(user, surface ?? "");
        return Results.Json(
            new
            {
                user, surface = surface ?? "", version = node.Experiments.Current.Version, arm = assignment.Key, @base = assignment.Base,
                base_bucket = node.Splitter.BucketOf(user), assignment.Domain, assignment.Holdouts, assignment.Layers,
                choices = node.Lookup.ChoicesOf(user),
            },
            ExperimentsJson.Options);
    }

    private static Task WriteAsync(HttpContext context, int status, ExperimentsVersion version)
    {
        context.Response.StatusCode = status;
        context.Response.Headers.ETag = $"\"{version.Version}\"";
        return context.Response.WriteAsJsonAsync(
            new
            {
                version.Version, version.ChangedMs, version.ChangedBy, version.Why, version.Changes, version.Definitions,
                Buckets = version.Layers.ToDictionary(l => l.Key, l => l.Value.Owners.ToDictionary(o => o, l.Value.CountOf)),
            },
            ExperimentsJson.Options, context.RequestAborted);
    }

    /// <summary>A header's text, unescaped and bounded.</summary>
    public static string Text(HttpContext context, string header)
    {
        // Names and reasons need not be ASCII; clients escape them as they would in a path.
        var text = Uri.UnescapeDataString(context.Request.Headers[header].ToString());
        return text.Length > TextMax ? text[..TextMax] : text;
    }
}
