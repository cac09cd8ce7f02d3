using Streaming.Core.Ports;
using Streaming.Users;

namespace Streaming.Feeds;

/// <summary>Scores by an online model: extracts each candidate's features, position unknown, and predicts the click probability.</summary>
public sealed class ModelRanker(IUserModels models, IOnlineModel model) : IRanker
{
    [ThreadStatic] private static FeatureBuffer? _buffer;

    public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
    {
        var buffer = _buffer ??= new FeatureBuffer();
        var context = new ShownContext(nowMs, surface, -1);
        for (var i = 0; i < items.Length; i++)
        {
            models.Features(user, items[i], context, buffer);
            scores[i] = model.Predict(buffer.Features, buffer.Values);
        }
    }
}
