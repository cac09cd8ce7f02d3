using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Reporting;

/// <summary>What can be said of a comparison now, and holds however often one has looked before.</summary>
public enum Verdict
{
    /// <summary>Too few users or events for any statement.</summary>
    TooEarly,
    /// <summary>Neither better nor worse is shown.</summary>
    Open,
    Better,
    Worse,
}

/// <summary>Where a guard-rail stands.</summary>
public enum RailState
{
    TooEarly,
    /// <summary>Neither harm nor its absence is shown.</summary>
    Open,
    /// <summary>Shown to lose no more than the margin.</summary>
    Safe,
    /// <summary>Shown to lose more than the margin: the arm is to be stopped.</summary>
    Harmed,
}

/// <summary>An arm's users.</summary>
/// <param name="Share">Planned share of the users at present; 0 gets nobody.</param>
public sealed record ArmUsers(string Arm, long Users, double Share, bool Stopped);

/// <summary>Whether the arms got the users that they should.</summary>
/// <param name="PValue">Chi-square, for one look.</param>
/// <param name="Evidence">Bayes factor for a mismatch, valid at every look; an alarm from 1 / <see cref="SampleRatio.Alpha"/> on.</param>
public sealed record SampleRatioCheck(double PValue, double Evidence, bool IsMismatch);

/// <summary>One metric of one arm beside the control.</summary>
public sealed record MetricRow
{
    public required string Metric { get; init; }
    public required string Meaning { get; init; }
    public required string Arm { get; init; }
    public required bool Primary { get; init; }

    /// <summary>Values without adjustment: what a dashboard would show.</summary>
    public required double Control { get; init; }

    public required double Value { get; init; }

    /// <summary>Relative difference, with CUPED where it is on.</summary>
    public required double Lift { get; init; }

    /// <summary>Of the lift; holds at all looks at once.</summary>
    public required Interval Interval { get; init; }

    /// <summary>Valid at every look.</summary>
    public required double PValue { get; init; }

    /// <summary>The same, adjusted for the other comparisons: Holm among primary ones, Benjamini-Hochberg among the others.</summary>
    public double AdjustedPValue { get; init; }

    /// <summary>Of the lift, and its p-value, for who looks once, at a moment fixed before the start.</summary>
    public required Interval FixedInterval { get; init; }

    public required double FixedPValue { get; init; }

    /// <summary>Standard deviation of the metric between users of the control, before CUPED: what <c>ab power</c> asks for.</summary>
    public required double UserDeviation { get; init; }

    /// <summary>Share of the variance that CUPED has taken out.</summary>
    public required double VarianceReduction { get; init; }

    public Verdict Verdict { get; init; }
}

/// <summary>A guard-rail of an arm.</summary>
/// <param name="Interval">Of the lift, holds at all looks, at the guard-rails' part of alpha.</param>
public sealed record RailRow(string Metric, string Arm, double Margin, double Lift, Interval Interval, RailState State);

/// <summary>Two rankings in one list: which of them users prefer.</summary>
/// <param name="Arm">Whose own ranking is A.</param>
/// <param name="Opponent">The ranking B.</param>
/// <param name="Users">With a click on an item of either.</param>
/// <param name="PreferArm">Of them, with more clicks on the arm's own items.</param>
/// <param name="PreferOpponent">With more on the opponent's.</param>
/// <param name="Preference">(users for the arm + half of the ties) / users.</param>
/// <param name="Interval">95 % interval of the preference, for one look.</param>
/// <param name="PValue">Sign test over users, for one look.</param>
public sealed record DuelRow(string Arm, string Opponent, long Users, long PreferArm, long PreferOpponent, double Preference, Interval Interval, double PValue);

/// <summary>An experiment as it stands.</summary>
public sealed record ExperimentReport
{
    public required string Experiment { get; init; }
    public required string Control { get; init; }
    public required double Alpha { get; init; }

    /// <summary>Event time of the first and the last user that came in, Unix ms; 0 for none.</summary>
    public required long FirstUserMs { get; init; }

    public required long LastUserMs { get; init; }
    public required IReadOnlyList<ArmUsers> Arms { get; init; }
    public required SampleRatioCheck SampleRatio { get; init; }
    public required IReadOnlyList<MetricRow> Metrics { get; init; }
    public required IReadOnlyList<RailRow> GuardRails { get; init; }

    /// <summary>Of the interleaved arms.</summary>
    public IReadOnlyList<DuelRow> Duels { get; init; } = [];

    /// <summary>Share of the users that the figures rest on; under 1 where there are more than the ledger keeps.</summary>
    public required double SampledShare { get; init; }

    /// <summary>Events shown by another arm than the user's: they count for nobody.</summary>
    public required long CrossedOver { get; init; }

    /// <summary>Events that named no list: they count for the user's arm.</summary>
    public required long Unnamed { get; init; }

    /// <summary>What this means, sentence by sentence.</summary>
    public IReadOnlyList<string> Meaning { get; init; } = [];
}
