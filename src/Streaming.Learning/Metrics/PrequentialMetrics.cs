using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Learning.Metrics;

/// <summary>Figures of one model over its live predictions. NaN where undefined (no examples, one class only).</summary>
/// <param name="Name">The model.</param>
/// <param name="Count">Predictions scored.</param>
/// <param name="Positives">Of them with a positive label.</param>
/// <param name="BaseRate">Positives over all, negatives counting 1 / sample rate.</param>
/// <param name="Auc">Over all predictions.</param>
/// <param name="AucIsExact">False once a histogram of 8192 bins stands in.</param>
/// <param name="Gauc">Mean of the users' own AUCs, weighted by their examples; of a sample of the users when not exact.</param>
/// <param name="Uauc">The same, each user counting once.</param>
/// <param name="UserShare">Share of the users that <paramref name="Gauc"/> and <paramref name="Uauc"/> are of; 1 while exact.</param>
/// <param name="LogLoss">Mean, nats.</param>
/// <param name="NormalisedEntropy">Log-loss over that of always predicting the base rate (He et al. 2014).</param>
/// <param name="Calibration">Sum of predictions over number of positives.</param>
/// <param name="Ece">Expected calibration error over 50 equal bins (Naeini et al. 2015).</param>
/// <param name="WindowAuc">AUC over the last predictions.</param>
/// <param name="WindowLogLoss">Log-loss over the last predictions.</param>
/// <param name="WindowBaseRate">Share of positives among the last predictions.</param>
public sealed record PrequentialFigures(
    string Name, long Count, long Positives, double BaseRate, double Auc, bool AucIsExact, double Gauc, double Uauc,
    double UserShare, double LogLoss, double NormalisedEntropy, double Calibration, double Ece, double WindowAuc, double WindowLogLoss, double WindowBaseRate)
{
    /// <summary>Of a model of several tasks: the same of each further goal, under the goal's name.</summary>
    public IReadOnlyList<PrequentialFigures> Goals { get; init; } = [];
}

/// <summary>
/// The figures over the last predictions, at most <c>Learning:PrequentialWindowMax</c>: cheap enough to publish every second. NaN where undefined.
/// </summary>
/// <param name="Model">The model.</param>
/// <param name="Count">Predictions in the window.</param>
/// <param name="Auc">Area under the ROC curve.</param>
/// <param name="Gauc">Mean of the users' own AUCs, weighted by their examples; users with one label are left out.</param>
/// <param name="LogLoss">Mean, nats, negatives counting 1 / sample rate.</param>
/// <param name="NormalisedEntropy">Log-loss over that of always predicting the window's base rate.</param>
/// <param name="Calibration">Sum of predictions over number of positives.</param>
public sealed record WindowFigures(
    string Model, int Count, double Auc, double Gauc, double LogLoss, double NormalisedEntropy, double Calibration)
{
    /// <summary>Of a model of several tasks: the same of each further goal, under the goal's name.</summary>
    public IReadOnlyList<WindowFigures> Goals { get; init; } = [];
}

/// <summary>
/// Prequential evaluation of one model (Dawid 1984; Gama et al. 2013): every live prediction is scored before its label is
/// learned. Exact up to a bound, then AUC is by histogram and GAUC of a sample of users. Counts that depend on the rate of negatives are weighted by 1 / sample rate.
/// </summary>
/// <param name="name">The model.</param>
/// <param name="settings">Bounds.</param>
/// <param name="areProbabilities">Whether what is scored are probabilities; of mere scores, log-loss, entropy and calibration are undefined.</param>
public sealed class PrequentialMetrics(string name, LearningSettings settings, bool areProbabilities = true)
{
    private const int PageLength = 1 << 15;
    private const int HistogramBins = 8192;
    private const int CalibrationBins = 50;
    private const float LogitMax = 12f;

    // How a checkpoint holds the predictions.
    private const byte Exact = 0;
    private const byte Histogram = 1;
    private const byte HistogramAndSample = 2;

    private readonly List<Scored[]> _pages = [];
    private readonly Scored[] _window = new Scored[settings.PrequentialWindowMax];

    /// <summary>Beside the window. Checkpoints leave it out: what a window held before a restart counts 1 each.</summary>
    private readonly float[] _windowWeights = new float[settings.PrequentialWindowMax];
    private readonly double[] _binWeight = new double[CalibrationBins];
    private readonly double[] _binPredicted = new double[CalibrationBins];
    private readonly double[] _binPositive = new double[CalibrationBins];
    private long[]? _histogram;
    private UserSample? _sample;
    private long _count;
    private long _positives;
    private double _weight;
    private double _positiveWeight;
    private double _predicted;
    private double _loss;

    public string Name => name;
    public long Count => _count;

    /// <summary>Scores one prediction.</summary>
    /// <param name="user">Hash of the user; only 31 bits of it count.</param>
    /// <param name="p">Probability of a positive label; clipped to [1e-7, 1 - 1e-7] in the log-loss. A score outside [0, 1] still ranks.</param>
    /// <param name="positive">The label.</param>
    /// <param name="weight">1 / sample rate.</param>
    public void Add(ulong user, float p, bool positive, float weight = 1f)
    {
        var scored = new Scored(user, p, positive);
        _window[_count % _window.Length] = scored;
        _windowWeights[_count % _window.Length] = weight;
        if (_count < settings.PrequentialExactMax)
        {
            if (_count % PageLength == 0) _pages.Add(new Scored[PageLength]);
            _pages[^1][_count % PageLength] = scored;
        }
        else
        {
            if (_histogram is null) TurnIntoHistogram();
            _histogram![Bin(scored)]++;
            _sample?.Add(scored);
        }
        _count++;
        if (positive) _positives++;
        _weight += weight;
        _predicted += weight * p;
        if (positive) _positiveWeight += weight;
        _loss += weight * Loss(p, positive);
        var bin = Math.Clamp((int)(p * CalibrationBins), 0, CalibrationBins - 1);
        _binWeight[bin] += weight;
        _binPredicted[bin] += weight * p;
        if (positive) _binPositive[bin] += weight;
    }

    /// <summary>The figures now. Sorts what is stored: about a second for 2 million predictions; not for hot paths.</summary>
    public PrequentialFigures Figures()
    {
        var recent = Recent;
        var baseRate = _weight > 0 ? _positiveWeight / _weight : double.NaN;
        var logLoss = _weight > 0 ? _loss / _weight : double.NaN;
        var baseLoss = -(baseRate * Math.Log(baseRate) + (1 - baseRate) * Math.Log(1 - baseRate));
        var (windowLoss, windowPositives) = (0.0, 0);
        foreach (var scored in recent)
        {
            windowLoss += Loss(scored.Score, scored.Positive);
            if (scored.Positive) windowPositives++;
        }
        // A checkpoint of an older build that had passed the bound brings no sample of users.
        var (gauc, uauc) = AucMath.GroupAuc(
            _histogram is null ? Sorted(byUser: true) : _sample is null ? Sorted(recent, byUser: true) : _sample.Sorted());
        return new PrequentialFigures(
            name, _count, _positives, baseRate,
            _histogram is null ? AucMath.Auc(Sorted(byUser: false)) : HistogramAuc(_histogram), _histogram is null,
            gauc, uauc, _histogram is null ? 1 : _sample?.Share ?? double.NaN,
            IfProbability(logLoss), IfProbability(logLoss / baseLoss), IfProbability(_predicted / _positiveWeight), IfProbability(Ece()),
            AucMath.Auc(Sorted(recent, byUser: false)), IfProbability(windowLoss / recent.Length), (double)windowPositives / recent.Length);
    }

    /// <summary>The figures over the last predictions.</summary>
    public WindowFigures Window()
    {
        var recent = Recent;
        var (weight, positive, predicted, loss) = (0.0, 0.0, 0.0, 0.0);
        for (var i = 0; i < recent.Length; i++)
        {
            var w = (double)_windowWeights[i];
            weight += w;
            predicted += w * recent[i].Score;
            loss += w * Loss(recent[i].Score, recent[i].Positive);
            if (recent[i].Positive) positive += w;
        }
        var (logLoss, rate) = (loss / weight, positive / weight);
        return new WindowFigures(
            name, recent.Length, AucMath.Auc(Sorted(recent, byUser: false)), AucMath.GroupAuc(Sorted(recent, byUser: true)).Item1,
            IfProbability(logLoss), IfProbability(logLoss / -(rate * Math.Log(rate) + (1 - rate) * Math.Log(1 - rate))), IfProbability(predicted / positive));
    }

    private double IfProbability(double figure) => areProbabilities ? figure : double.NaN;

    private ReadOnlySpan<Scored> Recent => _window.AsSpan(0, (int)Math.Min(_count, _window.Length));

    private double Ece()
    {
        var sum = 0.0;
        for (var i = 0; i < CalibrationBins; i++) sum += Math.Abs(_binPredicted[i] - _binPositive[i]);
        return sum / _weight;
    }

    internal static double Loss(float p, bool positive)
    {
        var clipped = Math.Clamp(p, 1e-7f, 1f - 1e-7f);
        return -MathF.Log(positive ? clipped : 1f - clipped);
    }

    private ulong[] Sorted(bool byUser)
    {
        var keys = new ulong[_count];
        for (var i = 0; i < keys.Length; i++)
        {
            ref readonly var scored = ref _pages[i / PageLength][i % PageLength];
            keys[i] = byUser ? scored.ByUser : scored.ByScore;
        }
        Array.Sort(keys);
        return keys;
    }

    private static ulong[] Sorted(ReadOnlySpan<Scored> recent, bool byUser)
    {
        var keys = new ulong[recent.Length];
        for (var i = 0; i < keys.Length; i++) keys[i] = byUser ? recent[i].ByUser : recent[i].ByScore;
        Array.Sort(keys);
        return keys;
    }

    private void TurnIntoHistogram()
    {
        _histogram = new long[2 * HistogramBins];
        _sample = new UserSample(settings.PrequentialUserSampleMax);
        for (var i = 0L; i < _count; i++)
        {
            var scored = _pages[(int)(i / PageLength)][i % PageLength];
            _histogram[Bin(scored)]++;
            _sample.Add(scored);
        }
        _pages.Clear();
    }

    /// <summary>Bins are even in the logit, so that small click rates are told apart; the label is the lowest bit.</summary>
    private static int Bin(Scored scored)
    {
        var p = Math.Clamp(scored.Score, 1e-6f, 1f - 1e-6f);
        var logit = Math.Clamp(MathF.Log(p / (1f - p)), -LogitMax, LogitMax);
        var bin = Math.Min((int)((logit + LogitMax) / (2 * LogitMax) * HistogramBins), HistogramBins - 1);
        return 2 * bin + (scored.Positive ? 1 : 0);
    }

    private static double HistogramAuc(long[] histogram)
    {
        var (positives, negatives, wins) = (0L, 0L, 0.0);
        for (var i = 0; i < histogram.Length; i += 2)
        {
            wins += histogram[i + 1] * (negatives + 0.5 * histogram[i]);
            negatives += histogram[i];
            positives += histogram[i + 1];
        }
        return positives > 0 && negatives > 0 ? wins / ((double)positives * negatives) : double.NaN;
    }

    internal void Save(CheckpointWriter writer)
    {
        writer.Int64(_count);
        writer.Int64(_positives);
        foreach (var sum in (ReadOnlySpan<double>)[_weight, _positiveWeight, _predicted, _loss]) writer.Double(sum);
        writer.Values<double>(_binWeight);
        writer.Values<double>(_binPredicted);
        writer.Values<double>(_binPositive);
        writer.Int32(_window.Length);
        writer.Values<Scored>(_window);
        writer.Byte(_histogram is null ? Exact : _sample is null ? Histogram : HistogramAndSample);
        if (_histogram is not null) writer.Values<long>(_histogram);
        _sample?.Save(writer);
        for (var i = 0; i < _pages.Count; i++) writer.Values<Scored>(_pages[i].AsSpan(0, (int)Math.Min(PageLength, _count - (long)i * PageLength)));
    }

    /// <summary>Reads into a new object, so that a corrupt input leaves this one as it is.</summary>
    internal PrequentialMetrics Read(CheckpointReader reader)
    {
        var read = new PrequentialMetrics(name, settings, areProbabilities) { _count = reader.Int64(), _positives = reader.Int64() };
        read._weight = reader.Double();
        read._positiveWeight = reader.Double();
        read._predicted = reader.Double();
        read._loss = reader.Double();
        reader.Values(read._binWeight.AsSpan());
        reader.Values(read._binPredicted.AsSpan());
        reader.Values(read._binPositive.AsSpan());
        reader.Expect(_window.Length, "metrics window");
        reader.Values(read._window.AsSpan());
        read._windowWeights.AsSpan().Fill(1f);
        var kind = reader.Byte();
        if (kind > HistogramAndSample) throw new InvalidDataException($"metrics are of unknown kind {kind}");
        if (kind != Exact)
        {
            read._histogram = new long[2 * HistogramBins];
            reader.Values(read._histogram.AsSpan());
            if (kind == HistogramAndSample) read._sample = UserSample.Read(reader, settings.PrequentialUserSampleMax);
            return read;
        }
        if (read._count < 0 || read._count > settings.PrequentialExactMax)
            throw new InvalidDataException($"metrics hold {read._count} exact predictions; the settings allow {settings.PrequentialExactMax}");
        for (var left = read._count; left > 0; left -= PageLength)
        {
            var page = new Scored[PageLength];
            reader.Values(page.AsSpan(0, (int)Math.Min(PageLength, left)));
            read._pages.Add(page);
        }
        return read;
    }
}
