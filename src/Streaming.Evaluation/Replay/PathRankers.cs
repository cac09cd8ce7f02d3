using Streaming.Core.Ports;
using Streaming.Feeds;
using Streaming.Learning.Statistics;
using Streaming.Users;

namespace Streaming.Evaluation.Replay;

/// <summary>Rankers over an <see cref="OfflinePath"/>: of its learners as they are at the moment of asking.</summary>
public static class PathRankers
{
    /// <summary>The live ranker.</summary>
    public static IRanker Live(OfflinePath path) => new LiveRanker(path);

    /// <summary>By a figure of the item alone.</summary>
    public static IRanker By(OfflinePath path, Func<ItemFigures, float> figure) => new FigureRanker(path, figure);

    private sealed class LiveRanker(OfflinePath path) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            var scorer = path.Learners.UserModels.Scorer;
            scorer.BeginUser(user, nowMs, surface);
            for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
        }
    }

    private sealed class FigureRanker(OfflinePath path, Func<ItemFigures, float> figure) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            for (var i = 0; i < items.Length; i++) scores[i] = figure(path.Learners.Statistics.Figures(items[i], nowMs));
        }
    }
}
