using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;
using Streaming.Node.Splitting;

namespace Streaming.Host.Http;

/// <summary>A weight that can be changed while the nodes run.</summary>
/// <param name="Name">Its path among the settings.</param>
/// <param name="Value">In force.</param>
/// <param name="Setting">As the settings have it; null where they do not know it: a type of the operators' own.</param>
/// <param name="Changed">Whether somebody has changed it.</param>
internal sealed record Weight(string Name, double Value, double? Setting, bool Changed);

/// <summary>
/// <c>/v1/weights</c>: what actions, goals, recall channels and relevance weigh (<see cref="RuntimeWeights"/>). A change is one of the definitions of experiments:
/// in the log, in their audit, on every node, over every restart.
/// </summary>
internal sealed class WeightEndpoints(StreamingNode node, StreamingSettings settings)
{
    public void Map(WebApplication app)
    {
        app.MapGet("/v1/weights", (Delegate)((HttpContext context) => WriteAsync(context, 200, node.Experiments.Current)))
            .WithSummary("What actions, goals, recall channels and relevance weigh, and what the settings say");
        app.MapPut("/v1/weights/{name}", (HttpContext context, string name, double? value) => PutAsync(context, PathId.Of(context, 2, name), value))
            .WithSummary("Change a weight (value=4), for everybody, from the next event or list on");
        app.MapDelete("/v1/weights/{name}", (HttpContext context, string name) => ChangeAsync(context, PathId.Of(context, 2, name), null))
            .WithSummary("Have a weight as the settings have it again");
    }

    private Task PutAsync(HttpContext context, string name, double? value) => value is { } wanted && double.IsFinite(wanted)
        ? ChangeAsync(context, name, wanted.ToString("R", CultureInfo.InvariantCulture))
        : Problems.Write(context, 400, "bad-weight", "say the weight, as value=4");

    private async Task ChangeAsync(HttpContext context, string name, string? value)
    {
        if (!RuntimeWeights.IsOne(name))
        {
            await Problems.Write(context, 404, "unknown-weight", $"there is no weight '{name}' to change; GET /v1/weights names them, and Users:ActionWeights:TYPE is for any type").ConfigureAwait(false);
            return;
        }
        if (await ExperimentEndpoints.ChangeAsync(node, context, null, definitions => definitions.Weighted(name, value), "bad-weight").ConfigureAwait(false) is not { } done) return;
        try
        {
            // What is sent once this is answered counts by the new weight.
            await node.TellWeightsAsync().ConfigureAwait(false);
        }
        catch (EventLogException problem)
        {
            await Problems.LogUnavailable(context, problem).ConfigureAwait(false);
            return;
        }
        await WriteAsync(context, done.Result == ExperimentChangeResult.NotYet ? 202 : 200, done.Version).ConfigureAwait(false);
    }

    private Task WriteAsync(HttpContext context, int status, ExperimentsVersion version)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new { version.Version, Weights = Of(version.Definitions) }, ExperimentsJson.Options, context.RequestAborted);
    }

    private IEnumerable<Weight> Of(ExperimentDefinitions definitions)
    {
        var changed = definitions.Weights ?? [];
        var problems = new SettingsProblems();
        var applied = RuntimeWeights.Apply(settings, changed, "weights", problems);
        // Settings may have changed under them since; then the settings' own are in force.
        var (was, now) = (ValuesOf(settings), ValuesOf(problems.List.Count > 0 ? settings : applied));
        return now.Select(w => new Weight(w.Key, w.Value, was.TryGetValue(w.Key, out var setting) ? setting : null, changed.ContainsKey(w.Key)));
    }

    private static Dictionary<string, double> ValuesOf(StreamingSettings settings)
    {
        var (users, feeds) = (settings.Users, settings.Feeds);
        var values = users.ActionWeights.ToDictionary(w => $"{ChangedWeights.Section}{w.Key}", w => w.Value);
        foreach (var goal in users.Goals.Length == 0 ? [] : users.Goals.Prepend(Goals.Positive))
            values[$"Feeds:GoalWeights:{goal}"] = feeds.GoalWeights.TryGetValue(goal, out var own) ? own : goal == Goals.Positive ? 1 : users.ActionWeights[goal];
        foreach (var (channel, quota) in feeds.Quotas) values[$"Feeds:Quotas:{channel}"] = quota;
        values["Feeds:MmrLambda"] = feeds.MmrLambda;
        return values;
    }
}
