using System.Globalization;
using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Reporting;

/// <summary>A report in plain words.</summary>
public static class ReportWords
{
    /// <summary>What it means, most important first; one sentence or two each.</summary>
    public static IReadOnlyList<string> Of(ExperimentReport report)
    {
        List<string> said = [];
        if (report.SampleRatio.IsMismatch)
            said.Add("Do not trust these figures: the arms did not get the users that they were meant to get "
                + $"({Split(report)}). Something loses or adds users in one arm; find it before reading on.");
        foreach (var rail in report.GuardRails.Where(r => r.State == RailState.Harmed))
            said.Add($"Guard-rail: {rail.Arm} harms {rail.Metric} by more than the {Percent(rail.Margin)} allowed ({Range(rail.Interval)}); it is to be stopped.");
        foreach (var arm in report.Arms.Where(a => a.Stopped))
            said.Add($"{arm.Arm} is stopped; its comparison stands as it was then.");
        foreach (var row in report.Metrics.Where(r => r.Primary)) said.Add(Sentence(row, report));
        foreach (var arm in report.Arms.Skip(1)) AddLeads(said, report, arm.Arm);
        said.AddRange(report.Duels.Select(Sentence));
        if (report.SampledShare < 1)
            said.Add($"There are more users than are kept: figures rest on a random {Percent(report.SampledShare)} of them, so intervals are wider than they could be.");
        return said;
    }

    /// <summary>An interval of a lift: "between +1.2 % and +4.0 %".</summary>
    public static string Range(Interval interval) => double.IsFinite(interval.Low) && double.IsFinite(interval.High)
        ? $"between {Signed(interval.Low)} and {Signed(interval.High)}" : "not known yet";

    /// <summary>A relative change: "+3.1 %".</summary>
    public static string Signed(double lift) => double.IsFinite(lift)
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * lift:+0.0;-0.0;0.0} %") : "-";

    /// <summary>What a verdict is called.</summary>
    public static string Name(Verdict verdict) => verdict switch
    {
        Verdict.TooEarly => "too early",
        Verdict.Open => "no difference shown",
        Verdict.Better => "better",
        _ => "worse",
    };

    /// <summary>What the state of a guard-rail is called.</summary>
    public static string Name(RailState state) => state switch
    {
        RailState.TooEarly => "too early",
        RailState.Open => "no harm shown, nor excluded",
        RailState.Safe => "safe",
        _ => "harmed",
    };

    private static string Sentence(MetricRow row, ExperimentReport report)
    {
        var name = $"{row.Metric} ({row.Meaning})";
        return row.Verdict switch
        {
            Verdict.TooEarly => $"{row.Arm}: too early to say anything about {name}; each arm needs {SequentialTest.UsersMin:0} users and there must be {SequentialTest.EventsMin:0} events.",
            Verdict.Open => $"{row.Arm}: no difference in {name} from {report.Control} is shown yet; the true change is {Range(row.Interval)}.",
            Verdict.Better => $"{row.Arm} is better than {report.Control} in {name}: {Signed(row.Lift)}, {Range(row.Interval)}. You may stop and decide now.",
            _ => $"{row.Arm} is worse than {report.Control} in {name}: {Signed(row.Lift)}, {Range(row.Interval)}. You may stop and decide now.",
        };
    }

    private static string Sentence(DuelRow duel) => duel.Users == 0
        ? $"{duel.Arm}, interleaved with {duel.Opponent}: no user has clicked an item of either yet."
        : $"{duel.Arm}, interleaved with {duel.Opponent}: of {duel.Users} users with a click {duel.PreferArm} prefer {duel.Arm}'s own ranking and {duel.PreferOpponent} prefer {duel.Opponent}'s "
            + string.Create(CultureInfo.InvariantCulture, $"(p {duel.PValue:0.####}, for one look at a planned end).");

    private static void AddLeads(List<string> said, ExperimentReport report, string arm)
    {
        var leads = report.Metrics.Where(r => !r.Primary && r.Arm == arm && r.Verdict is (Verdict.Better or Verdict.Worse)).ToList();
        if (leads.Count == 0) return;
        said.Add($"{arm}, beside that: " + string.Join("; ", leads.Select(r => $"{r.Metric} {Name(r.Verdict)} ({Signed(r.Lift)}, {Range(r.Interval)})"))
            + ". These were not what the experiment was to decide: of all such findings about one in twenty is chance.");
    }

    private static string Split(ExperimentReport report)
    {
        var all = Math.Max(1, report.Arms.Sum(a => a.Users));
        return string.Join(", ", report.Arms.Where(a => a.Share > 0).Select(a => $"{a.Arm} {Percent((double)a.Users / all)} of the users, planned {Percent(a.Share)}"));
    }

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.##} %");
}
