namespace Streaming.Experiments;

/// <summary>One logged action, as a policy that did not choose it sees it.</summary>
/// <param name="Reward">What came of it: 1 for a click.</param>
/// <param name="Propensity">Probability, in (0, 1], with which the logging policy took this action here.</param>
/// <param name="TargetProbability">Probability with which the policy in question would have taken it.</param>
/// <param name="ModelOfAction">A reward model's q(x, a) of the action taken; of a model that has not seen this row.</param>
/// <param name="ModelOfTarget">Sum over all actions of the target's probability times q(x, a).</param>
public readonly record struct LoggedAction(
    double Reward, double Propensity, double TargetProbability, double ModelOfAction = 0, double ModelOfTarget = 0)
{
    /// <summary>The importance weight w.</summary>
    public double Weight => TargetProbability / Propensity;
}

/// <summary>The importance weights of a log.</summary>
/// <param name="Mean">1 in expectation where the log could have taken all that the target takes: much less says that it could not.</param>
/// <param name="Largest">The largest weight.</param>
/// <param name="LargestShare">Its part of the sum of all: where one row has much of it, estimates are that row's.</param>
/// <param name="EffectiveRows">Kish's effective sample size.</param>
/// <param name="ShareCut">Share of the rows whose weight would be cut.</param>
/// <param name="WeightLost">Share of the sum of weights that cutting would take.</param>
public readonly record struct WeightDiagnostics(double Mean, double Largest, double LargestShare, double EffectiveRows, double ShareCut, double WeightLost);

/// <summary>
/// What another policy would have earned per action, from the log of the one that ran (Dudik, Langford and Li 2011, "Doubly Robust
/// Policy Evaluation and Learning"; the self-normalised form is Swaminathan and Joachims 2015). Each is a ratio of sums over rows, so
/// that a bootstrap can draw rows; NaN for no rows.
/// </summary>
public static class OffPolicy
{
    /// <summary>Direct method, mean of the model's value of the target: as biased as the model.</summary>
    public static double DirectMethod(ReadOnlySpan<LoggedAction> log) => Mean(log, DirectMethodTerm);

    /// <summary>Inverse propensity scoring, mean of w r: unbiased where the log could have taken all that the target takes.</summary>
    public static double InversePropensity(ReadOnlySpan<LoggedAction> log) => Mean(log, InversePropensityTerm);

    /// <summary>Self-normalised IPS, sum of w r over sum of w: a little biased, far less variable.</summary>
    public static double SelfNormalised(ReadOnlySpan<LoggedAction> log)
    {
        var (sum, weight) = (0.0, 0.0);
        foreach (var row in log)
        {
            sum += InversePropensityTerm(row);
            weight += Checked(row).Weight;
        }
        return sum / weight;
    }

    /// <summary>Doubly robust, mean of the model's value plus w (r - q): right when either the propensities or the model are.</summary>
    public static double DoublyRobust(ReadOnlySpan<LoggedAction> log) => Mean(log, DoublyRobustTerm);

    /// <summary>
    /// Self-normalised doubly robust: mean of the model's value plus sum of w (r - q) over sum of w (Thomas and Brunskill 2016). The correction cannot be
    /// larger than the residuals are, however large a weight is.
    /// </summary>
    public static double SelfNormalisedDoublyRobust(ReadOnlySpan<LoggedAction> log)
    {
        var (value, correction, weight) = (0.0, 0.0, 0.0);
        foreach (var row in log)
        {
            value += row.ModelOfTarget;
            correction += Checked(row).Weight * (row.Reward - row.ModelOfAction);
            weight += row.Weight;
        }
        return value / log.Length + (weight > 0 ? correction / weight : 0);
    }

    /// <summary>Doubly robust with weights of at most <paramref name="weightMax"/>: a little biased towards the model where they are cut, less variable.</summary>
    public static double ClippedDoublyRobust(ReadOnlySpan<LoggedAction> log, double weightMax)
    {
        if (!(weightMax > 0)) throw new ArgumentOutOfRangeException(nameof(weightMax), weightMax, "must be over 0");
        var sum = 0.0;
        foreach (var row in log) sum += row.ModelOfTarget + Math.Min(Checked(row).Weight, weightMax) * (row.Reward - row.ModelOfAction);
        return sum / log.Length;
    }

    /// <summary>How the weights lie: what to look at before an estimate is believed.</summary>
    /// <param name="log">Rows.</param>
    /// <param name="weightMax">Where they would be cut.</param>
    public static WeightDiagnostics Diagnose(ReadOnlySpan<LoggedAction> log, double weightMax)
    {
        var (sum, squares, largest, cut, lost) = (0.0, 0.0, 0.0, 0, 0.0);
        foreach (var row in log)
        {
            var w = Checked(row).Weight;
            sum += w;
            squares += w * w;
            largest = Math.Max(largest, w);
            if (w <= weightMax) continue;
            cut++;
            lost += w - weightMax;
        }
        return new WeightDiagnostics(sum / log.Length, largest, largest / sum, squares > 0 ? sum * sum / squares : 0, (double)cut / log.Length, lost / sum);
    }

    /// <summary>A row's term of the direct method.</summary>
    private static double DirectMethodTerm(LoggedAction row) => row.ModelOfTarget;

    /// <summary>A row's term of IPS.</summary>
    private static double InversePropensityTerm(LoggedAction row) => Checked(row).Weight * row.Reward;

    /// <summary>A row's term of the doubly robust estimate.</summary>
    private static double DoublyRobustTerm(LoggedAction row) =>
        row.ModelOfTarget + Checked(row).Weight * (row.Reward - row.ModelOfAction);

    /// <summary>
    /// Kish's effective sample size, (sum w)^2 / sum w^2: how many rows of the target's own log this one is worth. Where it is small
    /// beside the rows, the weighted estimates rest on few of them.
    /// </summary>
    public static double EffectiveSampleSize(ReadOnlySpan<LoggedAction> log)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var row in log)
        {
            sum += Checked(row).Weight;
            squares += row.Weight * row.Weight;
        }
        return sum * sum / squares;
    }

    private static double Mean(ReadOnlySpan<LoggedAction> log, Func<LoggedAction, double> term)
    {
        var sum = 0.0;
        foreach (var row in log) sum += term(row);
        return sum / log.Length;
    }

    private static LoggedAction Checked(LoggedAction row) => row.Propensity is > 0 and <= 1
        ? row
        : throw new ArgumentException($"a propensity is {row.Propensity}; it must be in (0, 1]");
}
