using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Metrics;

namespace Streaming.Learning.Deep;

/// <summary>What a model's scores are, and so what they are judged by.</summary>
public enum DeepScores
{
    /// <summary>Probabilities of a positive label: log-loss and calibration.</summary>
    Probabilities,

    /// <summary>Numbers whose order counts: AUC.</summary>
    Ranking,
}

/// <summary>How one version did on a canary's examples. NaN where undefined.</summary>
/// <param name="LogLoss">Mean, nats.</param>
/// <param name="NormalisedEntropy">Log-loss over that of always predicting the examples' own base rate (He et al. 2014).</param>
/// <param name="Calibration">Sum of predictions over number of positives.</param>
/// <param name="Auc">Area under the ROC curve.</param>
public sealed record CanaryFigures(double LogLoss, double NormalisedEntropy, double Calibration, double Auc);

/// <summary>
/// Scores a frozen version on the examples that come after it, beside the version that serves, and says whether replicas may take it. Both see
/// the same examples, so the verdict goes by their paired differences.
/// </summary>
/// <remarks>
/// Versions follow each other within seconds, so a model that goes bad does so in steps too small to fail one by one. Log-loss is therefore
/// judged by a cumulative sum (Page 1954): what a version's loss is above the serving one's, less one standard error, as a share of the serving
/// loss, adds to an excess that never falls below 0; a version that would bring it above the tolerance fails, and the excess stays. A sudden
/// failure goes over at once, a slow one after as many versions as it takes, and noise does not add up.
/// </remarks>
public sealed class Canary(DeepScores kind, DeepSettings settings)
{
    private const int RowsMax = 1 << 22;

    private readonly List<Row> _rows = [];

    private readonly record struct Row(float Candidate, float Serving, float Weight, bool Positive);

    /// <summary>Examples scored.</summary>
    public int Examples => _rows.Count;

    /// <summary>Whether there are enough for a verdict.</summary>
    public bool IsDone => _rows.Count >= settings.CanaryExamples;

    /// <summary>Scores one example.</summary>
    /// <param name="candidate">What the new version predicts.</param>
    /// <param name="serving">What the serving one predicts.</param>
    /// <param name="weight">1 / sample rate.</param>
    public void Add(float candidate, float serving, bool positive, float weight) => _rows.Add(new Row(candidate, serving, weight, positive));

    public CanaryFigures Candidate => Figures(r => r.Candidate);
    public CanaryFigures Serving => Figures(r => r.Serving);

    /// <summary>Null where the version may serve; else why not.</summary>
    /// <param name="excess">What the promoted versions before have added up to; then what they have with this one, if it may serve.</param>
    public string? Objection(ref double excess)
    {
        if (_rows.Exists(r => !float.IsFinite(r.Candidate))) return "a prediction is not finite";
        var (candidate, serving) = (Candidate, Serving);
        if (kind == DeepScores.Ranking)
            return candidate.Auc < serving.Auc - settings.CanaryAucTolerance ? FormattableString.Invariant($"AUC {candidate.Auc:F4} is below {serving.Auc:F4}") : null;
        var (worse, error) = LossDifference();
        var now = Math.Max(0, excess + (worse - error) / serving.LogLoss);
        if (now > settings.CanaryLossTolerance)
            return FormattableString.Invariant($"log-loss {candidate.LogLoss:F4} against {serving.LogLoss:F4} adds up to {now:P1} above what is served");
        // Without a positive neither has a calibration.
        var further = Math.Abs(Math.Log(candidate.Calibration)) - Math.Abs(Math.Log(serving.Calibration));
        if (further > settings.CanaryCalibrationTolerance)
            return FormattableString.Invariant($"calibration {candidate.Calibration:F3} is further from 1 than {serving.Calibration:F3}");
        excess = now;
        return null;
    }

    /// <summary>Mean of candidate's loss less the serving one's, weighted, and its standard error.</summary>
    private (double Mean, double Error) LossDifference()
    {
        var (weight, sum, squares) = (0.0, 0.0, 0.0);
        foreach (var row in _rows)
        {
            weight += row.Weight;
            sum += row.Weight * (Loss(row.Candidate, row.Positive) - Loss(row.Serving, row.Positive));
        }
        var mean = sum / weight;
        foreach (var row in _rows)
        {
            var off = row.Weight * (Loss(row.Candidate, row.Positive) - Loss(row.Serving, row.Positive) - mean);
            squares += off * off;
        }
        return (mean, Math.Sqrt(squares) / weight);
    }

    private CanaryFigures Figures(Func<Row, float> prediction)
    {
        var (weight, positive, predicted, loss) = (0.0, 0.0, 0.0, 0.0);
        var keys = new ulong[_rows.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            var (row, p) = (_rows[i], prediction(_rows[i]));
            weight += row.Weight;
            predicted += row.Weight * p;
            if (row.Positive) positive += row.Weight;
            loss += row.Weight * Loss(p, row.Positive);
            keys[i] = new Scored(0, p, row.Positive).ByScore;
        }
        Array.Sort(keys);
        var rate = positive / weight;
        var entropy = -(rate * Math.Log(rate) + (1 - rate) * Math.Log(1 - rate));
        return new CanaryFigures(loss / weight, loss / weight / entropy, predicted / positive, AucMath.Auc(keys));
    }

    private static double Loss(float p, bool positive) => PrequentialMetrics.Loss(p, positive);

    internal void Save(CheckpointWriter writer)
    {
        writer.Int32(_rows.Count);
        foreach (var row in _rows)
        {
            writer.Single(row.Candidate);
            writer.Single(row.Serving);
            writer.Single(row.Weight);
            writer.Byte(row.Positive ? (byte)1 : (byte)0);
        }
    }

    internal void Read(CheckpointReader reader)
    {
        for (var left = reader.Count(RowsMax); left > 0; left--)
            _rows.Add(new Row(reader.Single(), reader.Single(), reader.Single(), reader.Byte() == 1));
    }
}
