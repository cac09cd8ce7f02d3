using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Experiments.Inference;
using Streaming.Experiments.Reporting;

namespace Streaming.Evaluation.Experiments;

/// <summary>One experiment to simulate.</summary>
/// <param name="Users">Drawn from the pool, without putting back.</param>
/// <param name="ControlKeeps">Each click of a control user is kept with this chance; 1 / 1.03 plants a lift of 3 % exactly.</param>
/// <param name="TreatmentKeeps">Likewise; 0.9 plants a loss of 10 %.</param>
/// <param name="LookEvery">Every so many pages of the pool all metrics are looked at, with CUPED; the click rate without it is looked at after every page.</param>
/// <param name="Lift">The effect that the sequential tests are set to look for.</param>
/// <param name="ClickRateOnly">Leaves the other metrics out, which takes a fraction of the time.</param>
/// <param name="GuardMargin">Relative loss that a guard-rail on each metric allows.</param>
public sealed record SimulatedPlan(
    int Users, double ControlKeeps = 1, double TreatmentKeeps = 1, int LookEvery = 50, double Lift = 0.03, bool ClickRateOnly = false, double GuardMargin = 0.02)
{
    internal int Metrics => ClickRateOnly ? 1 : Metric.All.Count;
}

/// <summary>What the tests said of one metric in one simulated experiment.</summary>
/// <param name="FixedPValue">At the end, delta method.</param>
/// <param name="NaivePValue">At the end, impressions taken as independent; NaN where the metric is no share of impressions.</param>
/// <param name="CupedPValue">At the end, with CUPED.</param>
/// <param name="PlainDifference">At the end.</param>
/// <param name="CupedDifference">At the end, with CUPED.</param>
/// <param name="VarianceReduction">Of CUPED, as estimated.</param>
/// <param name="PeekedFixed">Whether a fixed test at 5 % would have been significant at any of the looks: the wrong peer.</param>
/// <param name="Sequential">Whether the sequential test, with CUPED, was at any look.</param>
/// <param name="StoppedAtUsers">Users that were in when it was; 0 for never.</param>
/// <param name="GuardedAtUsers">Users that were in when a guard-rail would have stopped the treatment; 0 for never.</param>
/// <param name="Covered">Whether the interval of one look at the end, with CUPED, holds the true lift.</param>
/// <param name="CoveredAlways">Whether the sequential interval held it at every look.</param>
public sealed record SimulatedOutcome(
    double FixedPValue, double NaivePValue, double CupedPValue, double PlainDifference, double CupedDifference, double VarianceReduction,
    bool PeekedFixed, bool Sequential, int StoppedAtUsers, int GuardedAtUsers, bool Covered, bool CoveredAlways);

/// <summary>
/// One simulated experiment on users of a pool: draws them, assigns each to one of two arms by a salted hash of their id, and lets their pages come
/// in the order of time, looking all the while. The estimates and tests are those of the report; only the adding up is done in place, as the ledger's
/// way through events would take too long for thousands of runs (a test shows that both add up the same).
/// </summary>
public sealed class SimulatedExperiment
{
    private const int C = Metric.Columns;
    private const double Alpha = 0.05;

    private readonly AudiencePool _pool;
    private readonly SimulatedPlan _plan;
    private readonly sbyte[] _arms;
    private readonly bool[] _in;
    private readonly double[] _before;
    private readonly double[] _sums;
    private readonly bool[] _known;
    private readonly UnitMoments[,] _moments;
    private Draws _draws;

    public SimulatedExperiment(AudiencePool pool, SimulatedPlan plan, long seed)
    {
        if (plan.Users > pool.Users) throw new ArgumentException($"the pool has {pool.Users} users, {plan.Users} are asked for", nameof(plan));
        (_pool, _plan) = (pool, plan);
        _draws = new Draws((ulong)seed * 101 + 3);
        _arms = new sbyte[pool.Users];
        _in = new bool[pool.Users];
        _known = new bool[pool.Users];
        _before = new double[pool.Users * C];
        _sums = new double[pool.Users * C];
        _moments = new UnitMoments[Metric.All.Count, 2];
        for (var m = 0; m < Metric.All.Count; m++) (_moments[m, 0], _moments[m, 1]) = (new UnitMoments(), new UnitMoments());
        Array.Fill(_arms, (sbyte)-1);
        var order = Enumerable.Range(0, pool.Users).ToArray();
        var salt = StableHash.Finalise((ulong)seed + 0xA5A5);
        for (var i = 0; i < plan.Users; i++)
        {
            var j = i + _draws.Below(order.Length - i);
            (order[i], order[j]) = (order[j], order[i]);
            // As the splitter does: half of 10,000 buckets each.
            _arms[order[i]] = (sbyte)(StableHash.Combine(salt, StableHash.Finalise((ulong)order[i] + 1)) % 10_000 < 5_000 ? 0 : 1);
        }
    }

    /// <summary>Users that have come in, of both arms.</summary>
    public int Entered { get; private set; }

    /// <summary>The moments of a metric in an arm, as they stand.</summary>
    public UnitMoments MomentsOf(int metric, int arm) => _moments[metric, arm];

    /// <summary>Largest log of the sample-ratio evidence over all users that came in, each looked at.</summary>
    public double LargestMismatch { get; private set; }

    /// <summary>Runs it; the outcome by metric, in the order of <see cref="Metric.All"/>, of which the click rate is the first.</summary>
    public IReadOnlyList<SimulatedOutcome> Run()
    {
        var looks = new Looks[_plan.Metrics];
        for (var m = 0; m < looks.Length; m++) looks[m].CoveredAlways = true;
        var users = new long[2];
        for (var p = 0; p < _pool.Pages.Count; p++)
        {
            var page = _pool.Pages[p];
            if (_arms[page.User] < 0) continue;
            if (p < _pool.Before)
            {
                // What was before knows no arm.
                page.AddTo(_before.AsSpan(page.User * C, C));
                _known[page.User] = true;
                continue;
            }
            if (!_in[page.User])
            {
                users[_arms[page.User]]++;
                LargestMismatch = Math.Max(LargestMismatch, SampleRatio.LogEvidence(users, [0.5, 0.5]));
            }
            Step(page);
            if (p % _plan.LookEvery == 0)
                for (var m = 0; m < looks.Length; m++) Look(m, ref looks[m]);
            PeekAtClickRate(ref looks[0]);
        }
        return [.. Enumerable.Range(0, looks.Length).Select(m => OutcomeOf(m, ref looks[m]))];
    }

    private struct Looks
    {
        public bool PeekedFixed, Sequential, CoveredAlways;
        public int StoppedAt, GuardedAt;
    }

    private double TrueLift => _plan.TreatmentKeeps / _plan.ControlKeeps - 1;

    private void Step(in PageVisit page)
    {
        var arm = _arms[page.User];
        var sums = _sums.AsSpan(page.User * C, C);
        Span<double> old = stackalloc double[C];
        sums.CopyTo(old);
        Thinned(page, arm == 0 ? _plan.ControlKeeps : _plan.TreatmentKeeps).AddTo(sums);
        var first = !_in[page.User];
        if (first)
        {
            _in[page.User] = true;
            Entered++;
            // The visit in which a user meets the experiment is their first in it, as the ledger counts.
            sums[(int)UserColumn.Sessions] = 1;
        }
        for (var m = 0; m < _plan.Metrics; m++)
        {
            var metric = Metric.All[m];
            if (first) _moments[m, arm].Add(UnitOf(metric, sums, page.User));
            else if (Changed(metric, old, sums)) _moments[m, arm].Replace(UnitOf(metric, old, page.User), UnitOf(metric, sums, page.User));
        }
    }

    /// <summary>Independent thinning of clicks leaves a click process with exactly that part of the chance of each click.</summary>
    private PageVisit Thinned(in PageVisit page, double keeps)
    {
        if (keeps >= 1) return page;
        var kept = 0;
        for (var c = 0; c < page.Clicks; c++)
            if (_draws.Chance(keeps)) kept++;
        return page with { Clicks = kept };
    }

    private UnitSums UnitOf(Metric metric, ReadOnlySpan<double> sums, int user) => new(
        sums[(int)metric.Above], metric.Below is { } below ? sums[(int)below] : 1,
        _before[user * C + (int)metric.Above], metric.Below is { } under ? _before[user * C + (int)under] : 0, _known[user] ? 1 : 0);

    private static bool Changed(Metric metric, ReadOnlySpan<double> old, ReadOnlySpan<double> sums) =>
        old[(int)metric.Above] != sums[(int)metric.Above] || (metric.Below is { } below && old[(int)below] != sums[(int)below]);

    /// <summary>All tests but the sequential one stand beside it as it should not be done.</summary>
    private void Look(int m, ref Looks looks)
    {
        var (control, treatment) = (_moments[m, 0], _moments[m, 1]);
        if (!ReportBuilder.IsEnough(Metric.All[m], control, treatment)) return;
        var (comparison, _) = ReportBuilder.Compare(control, treatment, useCuped: true);
        if (!comparison.IsMeasured) return;
        looks.PeekedFixed |= comparison.PValue < Alpha;
        var test = ReportBuilder.TestOf(Alpha, _plan.Lift, comparison);
        Judge(comparison, test, ref looks);
        if (looks.GuardedAt == 0 && ReportBuilder.RailStateOf(Metric.All[m], _plan.GuardMargin, comparison, test.StandardErrors(comparison.Variance)) == RailState.Harmed)
            looks.GuardedAt = Entered;
    }

    private void PeekAtClickRate(ref Looks looks)
    {
        var (control, treatment) = (_moments[0, 0], _moments[0, 1]);
        if (!ReportBuilder.IsEnough(Metric.Ctr, control, treatment)) return;
        var comparison = new Comparison(ArmEstimate.Of(control), ArmEstimate.Of(treatment));
        Plain |= comparison.IsMeasured && ReportBuilder.TestOf(Alpha, _plan.Lift, comparison).PValue(comparison.Difference, comparison.Variance) <= Alpha;
    }

    /// <summary>Whether the sequential test of the click rate without CUPED, looked at after every page, was ever significant.</summary>
    public bool Plain { get; private set; }

    private void Judge(Comparison comparison, SequentialTest test, ref Looks looks)
    {
        var width = test.StandardErrors(comparison.Variance);
        looks.CoveredAlways &= Math.Abs(comparison.StandardErrorsAbove(TrueLift)) <= width;
        if (looks.Sequential || !(test.PValue(comparison.Difference, comparison.Variance) <= Alpha)) return;
        looks.Sequential = true;
        looks.StoppedAt = Entered;
    }

    private SimulatedOutcome OutcomeOf(int m, ref Looks looks)
    {
        Look(m, ref looks);
        var metric = Metric.All[m];
        var (control, treatment) = (_moments[m, 0], _moments[m, 1]);
        var plain = new Comparison(ArmEstimate.Of(control), ArmEstimate.Of(treatment));
        var (cuped, reduction) = ReportBuilder.Compare(control, treatment, useCuped: true);
        var naive = metric.Below == UserColumn.Impressions
            ? new Comparison(ArmEstimate.NaivePerImpression(control), ArmEstimate.NaivePerImpression(treatment)).PValue : double.NaN;
        return new SimulatedOutcome(
            plain.PValue, naive, cuped.PValue, plain.Difference, cuped.Difference, reduction, looks.PeekedFixed, looks.Sequential, looks.StoppedAt, looks.GuardedAt,
            cuped.LiftAt(1 - Alpha).Contains(TrueLift), looks.CoveredAlways);
    }
}
