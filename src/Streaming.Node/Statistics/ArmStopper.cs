using Streaming.Experiments.Reporting;
using Streaming.Node.Splitting;

namespace Streaming.Node.Statistics;

/// <summary>Guard-rails stop arms as a person would: by a change of the experiments, which the audit shows and every node takes over.</summary>
internal sealed class ArmStopper(ExperimentControl experiments) : IExperimentActions
{
    private const string Author = "guard-rail";

    public async Task StopArmAsync(string experiment, string arm, string reason, CancellationToken cancel)
    {
        var change = await experiments.ChangeAsync(Author, reason, basedOn: null, now =>
        {
            if (now.Find(experiment) is not { } found) throw new FormatException($"there is no experiment '{experiment}'");
            if (found.Find(arm) is null) throw new FormatException($"experiment '{experiment}' has no arm '{arm}'");
            return now.With(found with { Arms = [.. found.Arms.Select(a => a.Name == arm ? a with { Stopped = true } : a)] });
        }, cancel).ConfigureAwait(false);
        if (change.Result is ExperimentChangeResult.Applied or ExperimentChangeResult.Unchanged) return;
        throw new InvalidOperationException($"stopping arm '{arm}' of '{experiment}' ended as {change.Result}: {string.Join("; ", change.Problems)}");
    }
}
