using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Experiments.Splitting;
using Streaming.Learning;
using Streaming.Learning.Isolation;

namespace Streaming.Evaluation.Simulation;

/// <summary>How well one arm's weights were recovered.</summary>
/// <param name="Arm">"a" or "b".</param>
/// <param name="Examples">Of its traffic.</param>
/// <param name="Correlation">Pearson's, between the learned weights and the arm's planted ones.</param>
/// <param name="ExcessLoss">Log-loss over the second half of the stream, predicted before learned, less that of the planted probabilities, nats.</param>
/// <param name="Lift">Of the click rate that the best of ten candidates by the planted weights has over a random one: the share that the best by the learned weights reaches. 1 is perfect, 0 a random choice.</param>
/// <param name="ForeignMass">Share of the gradient mass behind its weights that other arms' traffic put there.</param>
public sealed record ArmRecovery(string Arm, long Examples, double Correlation, double ExcessLoss, double Lift, double ForeignMass);

/// <summary>
/// Two arms whose users click by different weights: what each arm's ranker makes of it when both learn one model, and when each learns in an
/// overlay. Half of the features have the opposite weight in the other arm, the rest the same.
/// </summary>
public static class IsolationTrial
{
    public const int Features = 40;
    private const int ActiveFeatures = 8;
    private const int Candidates = 10;
    private static readonly string[] Arms = ["a", "b"];

    /// <param name="isolated">Whether the arms learn in overlays.</param>
    /// <param name="examples">Of both arms together.</param>
    /// <param name="share">Arm a's share of the users.</param>
    /// <param name="seed">Fixes weights, users, candidates and clicks; both ways of learning get the same stream.</param>
    public static IReadOnlyList<ArmRecovery> Run(bool isolated, int examples, double share, long seed)
    {
        var settings = new StreamingSettings { Learning = new LearningSettings { FtrlBits = 12, FtrlL1 = 0, FtrlL2 = 0, PrequentialExactMax = 0 } };
        var model = new FtrlModel(settings.Learning);
        var overlays = new ArmOverlays(model, settings);
        if (isolated) overlays.Declare(Arms);
        var draws = StableHash.Finalise((ulong)seed);
        var planted = Plant(draws);
        var splitter = new TrafficSplitter(new ExperimentsSettings { Salt = $"isolation {seed}", HoldoutShare = 0, ArmShares = { ["a"] = share } });
        var (counts, losses) = (new long[2], new double[2]);
        var scored = new long[2];
        for (var n = 0; n < examples; n++)
        {
            var draw = StableHash.Combine(draws, (ulong)n);
            var user = $"u{StableHash.Combine(draw, 1) % 5000}";
            var arm = splitter.ArmOf(user) == "a" ? 0 : 1;
            var features = Draw(StableHash.Combine(draw, 2));
            var p = Probability(planted[arm], features);
            var label = StableHash.Unit(StableHash.Combine(draw, 3)) < p ? 1f : 0f;
            var predicted = overlays.PredictAndLearn(new Example
            {
                Source = new LogPosition(0, n), Ordinal = 0, User = user, ItemKey = draw, ShownMs = n, LabelMs = n, Label = label, Arm = Arms[arm],
                Features = features, Values = Ones,
            });
            counts[arm]++;
            if (2 * n < examples) continue;
            scored[arm]++;
            losses[arm] += Loss(predicted, label) - Loss(p, label);
        }
        var contamination = overlays.Contamination();
        return [.. Arms.Select((name, arm) => new ArmRecovery(
            name, counts[arm], Correlation(planted[arm], f => overlays.Of(name)?.Weight(f) ?? model.Weight(f)), losses[arm] / scored[arm],
            Lift(planted[arm], f => overlays.Of(name)?.Weight(f) ?? model.Weight(f), draws), contamination.Single(c => c.Arm == name).ForeignMass))];
    }

    private static readonly float[] Ones = [.. Enumerable.Repeat(1f, ActiveFeatures)];

    private static double[][] Plant(ulong draws)
    {
        var (a, b) = (new double[Features], new double[Features]);
        for (var f = 0; f < Features; f++)
        {
            a[f] = 2 * StableHash.Unit(StableHash.Combine(draws ^ 0x5eed, (ulong)f)) - 1;
            b[f] = f % 2 == 0 ? a[f] : -a[f];
        }
        return [a, b];
    }

    /// <summary>Distinct features, one from each of equal ranges.</summary>
    private static uint[] Draw(ulong draw)
    {
        const int range = Features / ActiveFeatures;
        var features = new uint[ActiveFeatures];
        for (var i = 0; i < features.Length; i++) features[i] = (uint)(i * range + (int)(StableHash.Combine(draw, (ulong)i) % range));
        return features;
    }

    private static double Probability(double[] weights, uint[] features) => 1 / (1 + Math.Exp(-features.Sum(f => weights[f])));

    private static double Loss(double p, float label) => -Math.Log(Math.Clamp(label > 0.5f ? p : 1 - p, 1e-7, 1));

    /// <summary>
    /// Of contrasts within a range: every example has one feature of each, so a constant moved from one range to another changes no prediction, and no
    /// learner can find it.
    /// </summary>
    private static double Correlation(double[] planted, Func<uint, float> learned)
    {
        const int range = Features / ActiveFeatures;
        var (x, y) = (new double[Features], new double[Features]);
        for (var from = 0; from < Features; from += range)
        {
            var (meanX, meanY) = (0.0, 0.0);
            for (var f = from; f < from + range; f++) (meanX, meanY) = (meanX + planted[f] / range, meanY + learned((uint)f) / range);
            for (var f = from; f < from + range; f++) (x[f], y[f]) = (planted[f] - meanX, learned((uint)f) - meanY);
        }
        var (xy, xx, yy) = (0.0, 0.0, 0.0);
        for (var f = 0; f < Features; f++) (xy, xx, yy) = (xy + x[f] * y[f], xx + x[f] * x[f], yy + y[f] * y[f]);
        return xy / Math.Sqrt(xx * yy);
    }

    private static double Lift(double[] planted, Func<uint, float> learned, ulong draws)
    {
        const int lists = 4000;
        var (best, chosen, random) = (0.0, 0.0, 0.0);
        for (var n = 0UL; n < lists; n++)
        {
            var (bestHere, chosenHere, score) = (0.0, 0.0, double.NegativeInfinity);
            for (var c = 0UL; c < Candidates; c++)
            {
                var features = Draw(StableHash.Combine(draws ^ 0xca11, n * Candidates + c));
                var p = Probability(planted, features);
                var s = features.Sum(f => (double)learned(f));
                random += p / Candidates;
                bestHere = Math.Max(bestHere, p);
                if (s > score) (score, chosenHere) = (s, p);
            }
            best += bestHere;
            chosen += chosenHere;
        }
        return (chosen - random) / (best - random);
    }
}
