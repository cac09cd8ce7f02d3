using System.Runtime.InteropServices;
using Streaming.Core.Settings;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Protocols.Online;
using Streaming.Evaluation.Replay;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// What it costs that a click comes after its impression. The same lists, in time order, go through the live path; only the join's
/// settings differ: wait w for the click before a silence counts as a negative, or call it a negative at once and correct it when
/// the click comes (Ktena et al. 2019, "Addressing Delayed Feedback for Continuous Training with Neural Networks in CTR
/// prediction"). Waiting learns true labels late; correcting learns at once, but a clicked impression has been a negative first, so
/// that the model tends to p / (1 + p), which p' = b / (1 - b) undoes (their fake negative calibration).
/// </summary>
public sealed class DelayedLabels : IProtocol
{
    private const string Wait = "wait-";
    private const string Correct = "correct";
    private const string CorrectCalibrated = "correct-calibrated";
    private const int CutOff = 10;

    /// <summary>The most that a calibrated probability may be: b / (1 - b) is 1 at one half, which no silence would ever justify.</summary>
    private const double CalibratedMax = 0.95;

    public string Name => "delayed-labels";

    public string Description =>
        "Shown lists in time order, the last 20 % of those with a click as test; a click is known from its own time on, a missing one when "
        + "the model's join says so. Each list is predicted before anything later than it is known; probabilities are judged too.";

    public IReadOnlyList<string> Models { get; } = [$"{Wait}10s", $"{Wait}60s", $"{Wait}300s", Correct, CorrectCalibrated];

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var settings = SettingsOf(what.Model);
        var set = DataSets.DataSets.Open(what.DataPath);
        var path = new OfflinePath(settings with { Node = settings.Node with { Seed = what.Seed } }, inOneLine: true);
        foreach (var change in set.Items()) path.Apply(change);
        var means = new UserMeans($"ndcg@{CutOff}", "uauc", "logloss");
        var judged = new Dictionary<string, (List<double> Predicted, List<bool> Clicked)>();
        ShownLists.Walk(set, what, Name, 0.8, 1, list =>
        {
            var (user, timeMs) = (list.Event.User, list.Event.TimeMs);
            path.Tick(timeMs);
            var scores = new double[list.Keys.Length];
            path.Score(user, list.Event.Surface, timeMs, list.Keys, scores);
            if (what.Model == CorrectCalibrated)
                for (var k = 0; k < scores.Length; k++) scores[k] = Calibrated(scores[k]);
            var labels = Array.ConvertAll(list.Grades, g => g > 0);
            means.Add(
                user, RankingMetrics.Evaluate(scores, list.Grades, CutOff).Ndcg, BinaryMetrics.Auc(scores, labels),
                BinaryMetrics.LogLoss(scores, labels, 1e-7));
            if (!judged.TryGetValue(user, out var rows)) rows = judged[user] = ([], []);
            rows.Predicted.AddRange(scores);
            rows.Clicked.AddRange(labels);
        }, path.Step, cancel);
        return [.. means.Figures(what.Seed), .. OfAllRows([.. judged.Values], what.Seed)];
    }

    /// <summary>What does not split into users: each resample of users computes it anew.</summary>
    private static IEnumerable<Figure> OfAllRows((List<double> Predicted, List<bool> Clicked)[] users, long seed)
    {
        var (predicted, clicked) = (new List<double>(), new List<bool>());
        var intervals = Bootstrap.Of(users.Length, drawn =>
        {
            predicted.Clear();
            clicked.Clear();
            foreach (var u in drawn)
            {
                predicted.AddRange(users[u].Predicted);
                clicked.AddRange(users[u].Clicked);
            }
            var p = CollectionsMarshal.AsSpan(predicted);
            var y = CollectionsMarshal.AsSpan(clicked);
            return
            [
                BinaryMetrics.Auc(p, y), BinaryMetrics.NormalisedEntropy(p, y), BinaryMetrics.CalibrationRatio(p, y),
                BinaryMetrics.ExpectedCalibrationError(p, y),
            ];
        }, seed, Bootstrap.CostlyResamples);
        string[] names = ["auc", "ne", "calibration", "ece"];
        return names.Zip(intervals, (name, interval) => new Figure(name, interval));
    }

    /// <summary>b / (1 - b), strictly rising, so that the order of a list stands.</summary>
    private static double Calibrated(double biased)
    {
        var at = CalibratedMax / (1 + CalibratedMax);
        return biased <= at ? biased / (1 - biased) : CalibratedMax + (1 - CalibratedMax) * 0.5 * (biased - at) / (1 - at);
    }

    private static StreamingSettings SettingsOf(string model)
    {
        var settings = GivenRankings.LearnerSettings;
        var windowMs = model.StartsWith(Wait, StringComparison.Ordinal) ? 1000L * int.Parse(model.AsSpan(Wait.Length, model.Length - Wait.Length - 1)) : 1;
        // A user sees five lists of 24 items; all of them may wait, or be corrected, at once.
        return settings with { Users = settings.Users with { AttributionWindowMs = windowMs, PendingMax = 1000, ClosedMax = 1000 } };
    }
}
