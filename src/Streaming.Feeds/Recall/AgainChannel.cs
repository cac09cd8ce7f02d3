using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// What the user acted on before, for what is bought, played or read again: score(i) = sum over their actions on i of w 2^(-age / h), h being
/// <see cref="UsersSettings.LongHalfLifeMs"/>. The filter lets such items through only after <see cref="FeedsSettings.RepeatClickedAfterMs"/>, so the channel
/// is off (quota 0) unless that is set.
/// </summary>
public sealed class AgainChannel(UsersSettings users) : IRecallChannel
{
    public string Name => FeedChannels.Again;

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        var scratch = RecallScratch.Mine;
        scratch.Scores.Clear();
        foreach (var action in user.History)
        {
            var age = Math.Max(0, request.NowMs - action.TimeMs);
            scratch.Scores.GetOrAdd(action.ItemKey, out _) += action.Weight * (float)double.Exp2(-(double)age / users.LongHalfLifeMs);
        }
        return scratch.Best(into);
    }
}
