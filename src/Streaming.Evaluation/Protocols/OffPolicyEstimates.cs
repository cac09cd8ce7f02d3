using Streaming.Core.Events;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Experiments;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Open Bandit: two policies ran side by side, so what an estimator says of one from the other's log can be held against what that
/// one really earned. One row is one item in one of three slots.
/// </summary>
public sealed class OffPolicyEstimates : IProtocol
{
    private const string Bts = "bts";
    private const string Uniform = "random";
    private const int Folds = 5;

    /// <summary>Impressions' worth of the overall click rate in the reward model's rate of an item: about what one item gets.</summary>
    private const double PriorImpressions = 300;

    /// <summary>Where dr-clipped cuts weights.</summary>
    private const double WeightMax = 50;

    public string Name => "off-policy";

    public string Description =>
        "The click rate of one policy estimated from the log of another (target-on-log-campaign), beside its true rate in its own log. "
        + "Random's probabilities are 1 / items; those of bts are, by slot, the harmonic means of the propensities in its own log. "
        + "Intervals draw impressions again.";

    public IReadOnlyList<string> Models { get; } =
        [$"{Bts}-on-{Uniform}-men", $"{Uniform}-on-{Bts}-men", $"{Bts}-on-{Uniform}-women", $"{Uniform}-on-{Bts}-women"];

    /// <summary>One impression. Items are numbered from 0 within the campaign.</summary>
    internal readonly record struct Shown(int Item, int Slot, double Propensity, bool Clicked);

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var parts = what.Model.Split('-');
        var (target, logged, campaign) = (parts[0], parts[2], parts[3]);
        if (DataSets.DataSets.Open(what.DataPath) is not OpenBandit set)
            throw new DataSetException(what.DataPath, 0, $"is not an Open Bandit folder, the set that {Name} is for");
        var logs = Read(set, campaign, what.Seed);
        cancel.ThrowIfCancellationRequested();
        if (!logs.TryGetValue(logged, out var log) || !logs.TryGetValue(target, out var truth))
            throw new DataSetException(what.DataPath, 0, $"lacks the logs of {logged} and {target} for the campaign {campaign}");
        var items = 1 + Math.Max(log.Max(r => r.Item), truth.Max(r => r.Item));
        var slots = 1 + Math.Max(log.Max(r => r.Slot), truth.Max(r => r.Slot));
        var policy = target == Uniform ? UniformPolicy(items, slots) : PolicyOf(truth, items, slots);
        var folds = Draw(log.Count, what.Seed);
        var everything = new LoggedAction[log.Count];
        what.Progress?.Invoke(0.2);
        var intervals = Bootstrap.Of(log.Count, drawn =>
        {
            cancel.ThrowIfCancellationRequested();
            Fill(log, drawn, folds, policy, everything);
            return
            [
                OffPolicy.DirectMethod(everything), OffPolicy.InversePropensity(everything), OffPolicy.SelfNormalised(everything),
                OffPolicy.DoublyRobust(everything), OffPolicy.SelfNormalisedDoublyRobust(everything), OffPolicy.ClippedDoublyRobust(everything, WeightMax),
                OffPolicy.Diagnose(everything, WeightMax).LargestShare, OffPolicy.EffectiveSampleSize(everything),
            ];
        }, what.Seed);
        string[] names = ["dm", "ips", "snips", "dr", "dr-self-normalised", "dr-clipped", "largest-weight", "effective-impressions"];
        return
        [
            .. names.Zip(intervals, (name, interval) => new Figure(name, interval)),
            Rate("true", truth, what.Seed), Rate("logged", log, what.Seed),
        ];
    }

    private static Figure Rate(string name, List<Shown> log, long seed) => new(name, Bootstrap.Mean([.. log.Select(r => r.Clicked ? 1.0 : 0.0)], seed));

    private static Dictionary<string, List<Shown>> Read(OpenBandit set, string campaign, long seed)
    {
        var logs = new Dictionary<string, List<Shown>>();
        var places = new Dictionary<string, (List<Shown> Log, int At)>();
        foreach (var e in set.Events(seed))
        {
            if (e.Surface != campaign) continue;
            if (e.Kind == EventKind.Impression)
            {
                var policy = e.Context[0].Value;
                if (!logs.TryGetValue(policy, out var log)) logs[policy] = log = [];
                var slot = e.Items[0];
                places[e.RequestId!] = (log, log.Count);
                log.Add(new Shown(int.Parse(slot.Item.AsSpan(campaign.Length + 1)), slot.Position, slot.Propensity, false));
            }
            else if (places.TryGetValue(e.RequestId!, out var place))
            {
                place.Log[place.At] = place.Log[place.At] with { Clicked = true };
            }
        }
        return logs;
    }

    private static double[,] UniformPolicy(int items, int slots)
    {
        var policy = new double[items, slots];
        for (var i = 0; i < items; i++)
            for (var s = 0; s < slots; s++) policy[i, s] = 1.0 / items;
        return policy;
    }

    /// <summary>
    /// A policy's mean probability of each item in each slot, from its own log alone. The mean of an item's logged propensities would
    /// be too large, because an item is logged most when its propensity is high; but E[1 / p; item shown] = 1, so the item's rows n over
    /// their sum of 1 / p, the harmonic mean, is consistent. Normalised to 1 per slot; an item never shown in a slot gets 0 there.
    /// </summary>
    internal static double[,] PolicyOf(List<Shown> log, int items, int slots)
    {
        var (rows, inverse) = (new double[items, slots], new double[items, slots]);
        foreach (var row in log)
        {
            rows[row.Item, row.Slot]++;
            inverse[row.Item, row.Slot] += 1 / row.Propensity;
        }
        var policy = new double[items, slots];
        for (var s = 0; s < slots; s++)
        {
            var sum = 0.0;
            for (var i = 0; i < items; i++) sum += policy[i, s] = rows[i, s] == 0 ? 0 : rows[i, s] / inverse[i, s];
            for (var i = 0; i < items; i++) policy[i, s] /= sum;
        }
        return policy;
    }

    /// <summary>Assigns each impression to a fold, evenly and at random.</summary>
    private static int[] Draw(int count, long seed)
    {
        var folds = new int[count];
        for (var i = 0; i < count; i++) folds[i] = i % Folds;
        new Draws((ulong)seed).Shuffle<int>(folds);
        return folds;
    }

    /// <summary>
    /// The drawn impressions as the target sees them. The reward model is an item's click rate, smoothed towards that of all; an
    /// impression is told by a model of the other folds (cross-fitting), or the direct method would have seen the answer. A bootstrap
    /// fits anew from what it drew, so that the interval holds the model's own uncertainty; a repeated impression keeps its fold.
    /// </summary>
    private static void Fill(List<Shown> log, int[] drawn, int[] folds, double[,] policy, LoggedAction[] into)
    {
        var (items, slots) = (policy.GetLength(0), policy.GetLength(1));
        var (clicks, shown) = (new double[Folds, items], new double[Folds, items]);
        foreach (var i in drawn)
        {
            shown[folds[i], log[i].Item]++;
            if (log[i].Clicked) clicks[folds[i], log[i].Item]++;
        }
        var (model, value) = (new double[Folds, items], new double[Folds, slots]);
        for (var fold = 0; fold < Folds; fold++)
        {
            FitWithout(fold, clicks, shown, model);
            for (var s = 0; s < slots; s++)
                for (var a = 0; a < items; a++) value[fold, s] += policy[a, s] * model[fold, a];
        }
        for (var n = 0; n < drawn.Length; n++)
        {
            var (item, slot, propensity, clicked) = log[drawn[n]];
            var fold = folds[drawn[n]];
            into[n] = new LoggedAction(clicked ? 1 : 0, propensity, policy[item, slot], model[fold, item], value[fold, slot]);
        }
    }

    private static void FitWithout(int fold, double[,] clicks, double[,] shown, double[,] model)
    {
        var items = model.GetLength(1);
        var (ofItem, onItem) = (new double[items], new double[items]);
        for (var f = 0; f < Folds; f++)
            for (var i = 0; i < items && f != fold; i++) (ofItem[i], onItem[i]) = (ofItem[i] + clicks[f, i], onItem[i] + shown[f, i]);
        var rate = ofItem.Sum() / Math.Max(1, onItem.Sum());
        for (var i = 0; i < items; i++) model[fold, i] = (ofItem[i] + PriorImpressions * rate) / (onItem[i] + PriorImpressions);
    }
}
