using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// The most popular items, the same for all users: of the surface, once its own list holds half of what is asked for, filled up
/// with the overall ones.
/// </summary>
public sealed class PopularChannel(PopularityIndex index, FeedsSettings settings) : IRecallChannel
{
    public string Name => FeedChannels.Popular;

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into) => Fill(request.Surface, request.NowMs, into);

    /// <summary>As a recall, for no user in particular.</summary>
    public int Fill(string surface, long nowMs, Span<Candidate> into)
    {
        var own = index.OfSurface(surface);
        var count = own is not null && own.Count * 2 >= into.Length ? Append(own, nowMs, into, 0) : 0;
        return count < into.Length ? Append(index.Overall, nowMs, into, count) : count;
    }

    /// <summary>The most popular items of a tag or category.</summary>
    public int FillInterest(ulong interestKey, long nowMs, Span<Candidate> into) =>
        index.OfInterest(interestKey) is { } list ? Append(list, nowMs, into, 0) : 0;

    private int Append(TopList list, long nowMs, Span<Candidate> into, int count)
    {
        var seen = RecallScratch.Mine.Scores;
        seen.Clear();
        for (var i = 0; i < count; i++) seen.GetOrAdd(into[i].Item, out _);
        for (var i = 0; i < list.Count && count < into.Length; i++)
            if (seen.Count == 0 || !seen.Contains(list.Keys[i]))
                into[count++] = new Candidate(list.Keys[i], (float)ForwardDecay.Value(list.Scores[i], nowMs, settings.PopularHalfLifeMs));
        return count;
    }
}

/// <summary>Items whose recent activity stands out against their popularity (<see cref="PopularityIndex"/>).</summary>
public sealed class TrendingChannel(PopularityIndex index, FeedsSettings settings) : IRecallChannel
{
    public string Name => FeedChannels.Trending;

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        var list = index.Trending;
        var count = Math.Min(list.Count, into.Length);
        // What 2^(trend) lacks to be s / sqrt(l) now is the same for every item.
        var now = request.NowMs / (double)settings.TrendingHalfLifeMs - 0.5 * request.NowMs / settings.PopularHalfLifeMs;
        for (var i = 0; i < count; i++) into[i] = new Candidate(list.Keys[i], (float)double.Exp2(list.Scores[i] - now));
        return count;
    }
}

/// <summary>
/// Popular items of the user's strongest tags and categories, and of the declared ones of a user who has none yet. Several posting
/// lists are fused by reciprocal rank, sum of weight / (60 + rank) (Cormack et al., SIGIR 2009), so that no tag's bulk counts.
/// </summary>
public sealed class InterestChannel(PopularityIndex index, FeedsSettings settings, UsersSettings users) : IRecallChannel
{
    internal const float RankOffset = 60f;

    public string Name => FeedChannels.Interest;

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        Span<Candidate> best = stackalloc Candidate[settings.InterestTopMax];
        var count = Strongest(user, request.NowMs, best);
        var scratch = RecallScratch.Mine;
        scratch.Scores.Clear();
        foreach (var (key, weight) in best[..count]) Fuse(index.OfInterest(key), weight, into.Length, scratch.Scores);
        return scratch.Best(into);
    }

    internal static void Fuse(TopList? list, float weight, int take, KeyMap<float> scores)
    {
        if (list is null) return;
        var keys = list.Keys[..Math.Min(list.Count, take)];
        for (var rank = 0; rank < keys.Length; rank++) scores.GetOrAdd(keys[rank], out _) += weight / (RankOffset + rank);
    }

    private int Strongest(UserState user, long nowMs, Span<Candidate> best)
    {
        var top = new TopK(best);
        foreach (var (key, interest) in user.Interests)
        {
            // Before the power is taken: a decayed weight is never above the weight.
            if (!(interest.Weight > 0) || interest.Weight < top.Worst || index.OfInterest(key) is null) continue;
            var age = Math.Max(0, nowMs - interest.TimeMs);
            top.Offer(key, interest.Weight * MathF.Exp(-age * (MathF.Log(2) / users.LongHalfLifeMs)));
        }
        if (top.Count > 0 || user.Profile is null) return top.Sort();
        var declared = user.Profile.Interests;
        for (var i = 0; i < declared.Count; i++)
        {
            top.Offer(InterestKey.Tag(declared[i]), 1f);
            top.Offer(InterestKey.Category(declared[i]), 1f);
        }
        return top.Sort();
    }
}

/// <summary>Popular items of the authors of the user's recent items, fused as the interest channel does.</summary>
public sealed class AuthorChannel(PopularityIndex index, IItemCatalog items, FeedsSettings settings) : IRecallChannel
{
    public string Name => FeedChannels.Author;

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        Span<Seed> seeds = stackalloc Seed[settings.SeedsMax];
        seeds = seeds[..Seeds.Collect(user, (float)settings.RecentDecay, seeds)];
        Span<Candidate> authors = stackalloc Candidate[settings.AuthorTopMax];
        var count = 0;
        foreach (var seed in seeds)
        {
            if (!items.TryGet(seed.Item, out var item) || item.AuthorKey == 0) continue;
            var at = 0;
            while (at < count && authors[at].Item != item.AuthorKey) at++;
            if (at == authors.Length) continue;
            if (at == count) authors[count++] = new Candidate(item.AuthorKey, 0);
            authors[at] = authors[at] with { Score = authors[at].Score + seed.Weight };
        }
        var scratch = RecallScratch.Mine;
        scratch.Scores.Clear();
        foreach (var (author, weight) in authors[..count]) InterestChannel.Fuse(index.OfAuthor(author), weight, into.Length, scratch.Scores);
        return scratch.Best(into);
    }
}
