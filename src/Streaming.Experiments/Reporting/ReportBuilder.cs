using Streaming.Core.Experiments;
using Streaming.Experiments.Inference;
using Streaming.Experiments.Ledger;

namespace Streaming.Experiments.Reporting;

/// <summary>Makes an experiment's report from the ledger. It looks at everything anew each time; the tests it uses allow that.</summary>
public static class ReportBuilder
{
    /// <summary>Null for an experiment that the ledger does not know.</summary>
    public static ExperimentReport? Build(ExperimentLedger ledger, string experiment, ReportPlan plan)
    {
        if (ledger.Find(experiment) is not { } found) return null;
        var users = found.UsersByArm();
        var current = found.CurrentShares;
        var whole = current.Sum();
        var rows = Adjusted(Rows(found, plan), plan);
        var report = new ExperimentReport
        {
            Experiment = experiment, Control = found.Arms.Count > 0 ? found.Arms[0] : "", Alpha = plan.Alpha,
            FirstUserMs = found.FirstMs, LastUserMs = found.LastMs,
            Arms = [.. found.Arms.Select((arm, i) => new ArmUsers(arm, users[i], whole > 0 ? current[i] / whole : 0, found.IsStopped(i)))],
            SampleRatio = CheckRatio(found), Metrics = rows, GuardRails = Rails(found, plan), SampledShare = found.Users.Share,
            CrossedOver = found.CrossedOver, Unnamed = found.Unnamed, Duels = Duels(found),
        };
        return report with { Meaning = ReportWords.Of(report) };
    }

    private static List<DuelRow> Duels(ArmLedger found) =>
    [
        .. found.Interleaved.Select(pair =>
        {
            var result = pair.Value.Tally.Result();
            return new DuelRow(
                found.Arms[pair.Key], pair.Value.Opponent, result.Users, result.PreferA, result.PreferB, result.Preference, new Interval(result.Low, result.High), result.PValue);
        }),
    ];

    /// <summary>A comparison of two arms' users, with CUPED or without.</summary>
    public static (Comparison Comparison, double VarianceReduction) Compare(UnitMoments control, UnitMoments arm, bool useCuped)
    {
        var plain = new Comparison(ArmEstimate.Of(control), ArmEstimate.Of(arm));
        if (!useCuped || !plain.IsMeasured) return (plain, 0);
        var cuped = Cuped.Fit([control, arm]);
        var adjusted = new Comparison(cuped.Adjust(control), cuped.Adjust(arm));
        return adjusted.IsMeasured ? (adjusted, 1 - adjusted.Variance / plain.Variance) : (plain, 0);
    }

    /// <summary>Whether there is enough for a statement.</summary>
    public static bool IsEnough(Metric metric, UnitMoments control, UnitMoments arm) =>
        Math.Min(control.Count, arm.Count) >= SequentialTest.UsersMin && (!metric.IsCount || control.Sum(0) + arm.Sum(0) >= SequentialTest.EventsMin);

    /// <summary>
    /// The sequential test of a measured metric: tau is the effect that one hopes to find, in the metric's units. Its scale is the mean of both arms', as a
    /// control without any events has none.
    /// </summary>
    public static SequentialTest TestOf(double alpha, double lift, Comparison comparison) =>
        new(alpha, Math.Max(1e-100, Math.Abs(lift * (comparison.Control.Value + comparison.Treatment.Value) / 2)));

    private static List<MetricRow> Rows(ArmLedger found, ReportPlan plan)
    {
        List<MetricRow> rows = [];
        var comparisons = Math.Max(1, found.Arms.Count - 1) * plan.Primary.Count;
        foreach (var metric in plan.Primary.Concat(Metric.All.Except(plan.Primary)))
        {
            var primary = plan.Primary.Contains(metric);
            for (var arm = 1; arm < found.Arms.Count; arm++)
            {
                var (control, treatment) = found.MomentsOf(metric, arm);
                var (comparison, reduction) = Compare(control, treatment, plan.UseCuped);
                // The interval of what decides is as wide as the number of decisions asks for.
                var alpha = primary ? plan.Alpha / comparisons : plan.Alpha;
                var enough = comparison.IsMeasured && IsEnough(metric, control, treatment);
                var test = enough ? TestOf(alpha, plan.Lift, comparison) : default;
                rows.Add(new MetricRow
                {
                    Metric = metric.Name, Meaning = metric.Meaning, Arm = found.Arms[arm], Primary = primary,
                    Control = ArmEstimate.Of(control).Value, Value = ArmEstimate.Of(treatment).Value, Lift = comparison.Lift,
                    Interval = enough ? comparison.LiftWithin(test.StandardErrors(comparison.Variance)) : Unknown,
                    PValue = enough ? test.PValue(comparison.Difference, comparison.Variance) : double.NaN,
                    FixedInterval = enough ? comparison.LiftAt(1 - alpha) : Unknown, FixedPValue = enough ? comparison.PValue : double.NaN,
                    UserDeviation = Math.Sqrt(Baseline.Of(ArmEstimate.Of(control)).UserVariance), VarianceReduction = reduction,
                });
            }
        }
        return rows;
    }

    private static List<MetricRow> Adjusted(List<MetricRow> rows, ReportPlan plan)
    {
        var adjusted = new Dictionary<MetricRow, double>();
        foreach (var primary in (bool[])[true, false])
        {
            var group = rows.Where(r => r.Primary == primary).ToList();
            double[] values = [.. group.Select(r => r.PValue)];
            values = primary ? MultipleTests.Holm(values) : MultipleTests.BenjaminiHochberg(values);
            for (var i = 0; i < group.Count; i++) adjusted[group[i]] = values[i];
        }
        return [.. rows.Select(row => row with { AdjustedPValue = adjusted[row], Verdict = VerdictOf(row, adjusted[row], plan.Alpha) })];
    }

    private static Verdict VerdictOf(MetricRow row, double adjusted, double alpha)
    {
        if (double.IsNaN(row.PValue)) return Verdict.TooEarly;
        if (!(adjusted <= alpha)) return Verdict.Open;
        Metric.TryFind(row.Metric, out var metric);
        return row.Lift > 0 == metric.HigherIsBetter ? Verdict.Better : Verdict.Worse;
    }

    private static List<RailRow> Rails(ArmLedger found, ReportPlan plan)
    {
        List<RailRow> rows = [];
        // A false stop of any arm by any rail shares one alpha.
        var alpha = plan.Alpha / Math.Max(1, plan.GuardRails.Count * Math.Max(1, found.Arms.Count - 1));
        foreach (var rail in plan.GuardRails)
        {
            for (var arm = 1; arm < found.Arms.Count; arm++)
            {
                var (control, treatment) = found.MomentsOf(rail.Metric, arm);
                var (comparison, _) = Compare(control, treatment, plan.UseCuped);
                if (!comparison.IsMeasured || !IsEnough(rail.Metric, control, treatment))
                {
                    rows.Add(new RailRow(rail.Metric.Name, found.Arms[arm], rail.Margin, comparison.Lift, Unknown, RailState.TooEarly));
                    continue;
                }
                var width = TestOf(alpha, plan.Lift, comparison).StandardErrors(comparison.Variance);
                rows.Add(new RailRow(
                    rail.Metric.Name, found.Arms[arm], rail.Margin, comparison.Lift, comparison.LiftWithin(width), RailStateOf(rail.Metric, rail.Margin, comparison, width)));
            }
        }
        return rows;
    }

    /// <summary>What is shown of a guard-rail.</summary>
    /// <param name="metric">The rail's.</param>
    /// <param name="margin">Relative loss that is allowed.</param>
    /// <param name="comparison">Measured.</param>
    /// <param name="width">Standard errors to either side of an interval that holds at all looks.</param>
    public static RailState RailStateOf(Metric metric, double margin, Comparison comparison, double width)
    {
        var beyond = metric.HigherIsBetter ? -comparison.StandardErrorsAbove(-margin) : comparison.StandardErrorsAbove(margin);
        return beyond > width ? RailState.Harmed : beyond < -width ? RailState.Safe : RailState.Open;
    }

    /// <summary>Users who came under different shares are different sequences: p-values combine by Fisher's method, evidence adds up in logs.</summary>
    private static SampleRatioCheck CheckRatio(ArmLedger found)
    {
        var (evidence, fisher, count) = (0.0, 0.0, 0);
        foreach (var (users, shares) in found.SampleRatios())
        {
            if (users.Length < 2 || users.Sum() == 0) continue;
            evidence += SampleRatio.LogEvidence(users, shares);
            fisher -= 2 * Math.Log(Math.Max(1e-300, SampleRatio.ChiSquarePValue(users, shares)));
            count++;
        }
        var p = count == 0 ? 1 : MathNet.Numerics.SpecialFunctions.GammaUpperRegularized(count, fisher / 2);
        return new SampleRatioCheck(p, Math.Exp(Math.Min(700, evidence)), SampleRatio.IsMismatch(evidence));
    }

    private static Interval Unknown => new(double.NegativeInfinity, double.PositiveInfinity);
}
