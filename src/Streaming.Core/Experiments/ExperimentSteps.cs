using System.Globalization;

namespace Streaming.Core.Experiments;

/// <summary>The steps that an experiment takes in its life, from any state that allows them.</summary>
public static class ExperimentSteps
{
    public static readonly IReadOnlyList<string> All = ["start", "ramp", "stop", "kill", "promote"];

    /// <param name="experiment">As it is; null where there is none.</param>
    /// <param name="name">Its name.</param>
    /// <param name="step">One of <see cref="All"/>.</param>
    /// <param name="share">For ramp, and for a start that sets the share too.</param>
    /// <param name="arm">For promote: whose weights everybody is to be ranked by.</param>
    /// <returns>As it is to be.</returns>
    /// <exception cref="FormatException">It cannot take that step; the message says why.</exception>
    public static ExperimentDefinition Take(ExperimentDefinition? experiment, string name, string step, double? share, string? arm = null)
    {
        if (experiment is null) throw new FormatException($"there is no experiment '{name}'");
        if (share is not null && step is not ("start" or "ramp")) throw new FormatException($"'{step}' takes no share");
        if (arm is not null && step != "promote") throw new FormatException($"'{step}' takes no arm");
        switch (step)
        {
            case "start" when experiment.State == ExperimentState.Killed:
                throw new FormatException($"experiment '{name}' is killed; define it anew, or as a draft, to start it again");
            case "start" when (share ?? experiment.Share) <= 0:
                throw new FormatException($"experiment '{name}' has no share of its layer; give one, as share=0.1");
            case "start":
                return experiment with { State = ExperimentState.Running, Share = share ?? experiment.Share };
            case "ramp" when share is null:
                throw new FormatException("a ramp needs a share, as share=0.2");
            case "ramp" when experiment.State != ExperimentState.Running:
                throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"experiment '{name}' is not running; start it with share={share}"));
            case "ramp":
                return experiment with { Share = share!.Value };
            case "stop" when experiment.State == ExperimentState.Killed:
                throw new FormatException($"experiment '{name}' is killed already");
            case "stop":
                return experiment with { State = ExperimentState.Stopped };
            case "kill":
                return experiment with { State = ExperimentState.Killed };
            case "promote" when !experiment.Isolated:
                throw new FormatException($"experiment '{name}' is not isolated: its arms learn in the shared weights as it is");
            case "promote" when arm is null || experiment.Find(arm) is null:
                throw new FormatException($"a promotion names an arm of '{name}', as arm={string.Join('|', experiment.Arms.Select(a => a.Name))}");
            case "promote" when experiment.State != ExperimentState.Running:
                throw new FormatException($"experiment '{name}' is not running: what its arms have learned is gone");
            case "promote":
                return experiment with { Promoted = arm, State = ExperimentState.Stopped };
            default:
                throw new FormatException($"there is no step '{step}'; there are {string.Join(", ", All)}");
        }
    }
}
