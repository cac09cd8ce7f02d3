using MathNet.Numerics.Distributions;

namespace Streaming.Experiments.Inference;

/// <summary>A range that a quantity lies in; infinite or NaN where the data do not bound it.</summary>
public readonly record struct Interval(double Low, double High)
{
    public bool Contains(double value) => value >= Low && value <= High;

    public bool ExcludesZero => Low > 0 || High < 0;
}

/// <summary>A metric in two arms, independent of each other.</summary>
public readonly record struct Comparison(ArmEstimate Control, ArmEstimate Treatment)
{
    /// <summary>Treatment less control.</summary>
    public double Difference => Treatment.Value - Control.Value;

    /// <summary>Variance of the difference.</summary>
    public double Variance => Control.Variance + Treatment.Variance;

    /// <summary>Treatment over control, less 1.</summary>
    public double Lift => Treatment.Value / Control.Value - 1;

    /// <summary>True once the difference has a variance to be judged by.</summary>
    public bool IsMeasured => Variance > 0 && double.IsFinite(Variance) && double.IsFinite(Difference);

    /// <summary>
    /// By how many standard errors the treatment lies above (1 + lift) times the control; NaN where nothing is measured. It needs no control value
    /// that is told from 0, as <see cref="LiftWithin"/> does.
    /// </summary>
    public double StandardErrorsAbove(double lift) =>
        IsMeasured ? (Treatment.Value - (1 + lift) * Control.Value) / Math.Sqrt(Treatment.Variance + (1 + lift) * (1 + lift) * Control.Variance) : double.NaN;

    /// <summary>Two-sided p-value of a test done once, at a moment fixed before the start; 1 where nothing is measured.</summary>
    public double PValue => IsMeasured ? 2 * Normal.CDF(0, 1, -Math.Abs(Difference) / Math.Sqrt(Variance)) : 1;

    /// <summary>Interval of the lift for one look at a moment fixed before the start.</summary>
    public Interval LiftAt(double confidence) => LiftWithin(Normal.InvCDF(0, 1, (1 + confidence) / 2));

    /// <summary>
    /// The lifts that lie within so many standard errors (Fieller 1954): all r with |treatment - (1 + r) control| at most the bound times the
    /// standard error of that difference. It leaves out 0 exactly when the difference is out of its bounds, so the table and the verdict never
    /// disagree. Unbounded, (-infinity, infinity), while the control's own value is not told from 0.
    /// </summary>
    public Interval LiftWithin(double standardErrors)
    {
        if (!IsMeasured) return new Interval(double.NegativeInfinity, double.PositiveInfinity);
        var (t, c, squared) = (Treatment.Value, Control.Value, standardErrors * standardErrors);
        var a = c * c - squared * Control.Variance;
        if (!(a > 0)) return new Interval(double.NegativeInfinity, double.PositiveInfinity);
        var root = standardErrors * Math.Sqrt(Math.Max(0, t * t * Control.Variance + a * Treatment.Variance));
        return new Interval((t * c - root) / a - 1, (t * c + root) / a - 1);
    }
}
