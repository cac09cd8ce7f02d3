using Streaming.Core.Events;
using Streaming.Evaluation.Metrics;

namespace Streaming.Evaluation.Tests.Baselines;

/// <summary>Prequential AUC of the two bias models on one stream of ratings.</summary>
/// <param name="UserAndItem">Smoothed user mean + smoothed item mean.</param>
/// <param name="ItemOnly">Smoothed item mean alone.</param>
/// <param name="Examples">Ratings scored.</param>
/// <param name="PositiveRate">Share of positive labels.</param>
internal readonly record struct BiasScores(double UserAndItem, double ItemOnly, int Examples, double PositiveRate);

/// <summary>
/// An independent count of what any ranker of ratings must beat, straight from the events of a reader: for the label "rated at or above a
/// threshold", predict first, learn after. The trainer keeps such means of its own (protocol prequential). Here a mean is
/// (positives + k p0) / (ratings + k) with k = <see cref="Smoothing"/> and p0 = <see cref="Prior"/>, both fixed beforehand.
/// </summary>
internal static class BiasBaselines
{
    /// <summary>Pseudo-ratings behind each mean.</summary>
    public const double Smoothing = 5;

    /// <summary>Mean of the pseudo-ratings: people rate mostly what they expect to like, so a little over one half.</summary>
    public const double Prior = 0.55;

    /// <summary>Scores every <see cref="EventKind.Rating"/> of the stream, in its order.</summary>
    public static BiasScores Score(IEnumerable<UserEvent> events, double positiveAt = 4, double smoothing = Smoothing, double prior = Prior)
    {
        var users = new Dictionary<string, (double Sum, double Count)>();
        var items = new Dictionary<string, (double Sum, double Count)>();
        List<double> both = [], item = [];
        List<bool> labels = [];
        foreach (var e in events)
        {
            if (e.Kind != EventKind.Rating || e.Item is null) continue;
            users.TryGetValue(e.User, out var ofUser);
            items.TryGetValue(e.Item, out var ofItem);
            var itemMean = (ofItem.Sum + smoothing * prior) / (ofItem.Count + smoothing);
            both.Add((ofUser.Sum + smoothing * prior) / (ofUser.Count + smoothing) + itemMean);
            item.Add(itemMean);
            var label = e.Value >= positiveAt;
            labels.Add(label);
            var y = label ? 1 : 0;
            users[e.User] = (ofUser.Sum + y, ofUser.Count + 1);
            items[e.Item] = (ofItem.Sum + y, ofItem.Count + 1);
        }
        bool[] y01 = [.. labels];
        return new BiasScores(BinaryMetrics.Auc(both.ToArray(), y01), BinaryMetrics.Auc(item.ToArray(), y01), y01.Length,
            y01.Count(l => l) / (double)y01.Length);
    }
}
