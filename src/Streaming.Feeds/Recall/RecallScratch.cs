using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>Working memory of one thread's recalls: channels are shared by all shards, so they keep none of their own.</summary>
internal sealed class RecallScratch
{
    [ThreadStatic] private static RecallScratch? _mine;

    private float[] _query = [];
    private Candidate[] _found = [];

    public static RecallScratch Mine => _mine ??= new RecallScratch();

    /// <summary>Adds up scores per item; whoever uses it clears it first.</summary>
    public KeyMap<float> Scores { get; } = new(1024);

    /// <summary>As <see cref="Scores"/>, for co-visitation.</summary>
    public KeyMap<Covisits> Covisits { get; } = new(1024);

    /// <summary>Zeroed floats.</summary>
    public Span<float> Query(int length)
    {
        if (_query.Length < length) _query = new float[length];
        var query = _query.AsSpan(0, length);
        query.Clear();
        return query;
    }

    /// <summary>Candidates of one search of several.</summary>
    public Span<Candidate> Found(int length)
    {
        if (_found.Length < length) _found = new Candidate[length];
        return _found.AsSpan(0, length);
    }

    /// <summary>Picks the best of <see cref="Scores"/>.</summary>
    public int Best(Span<Candidate> into)
    {
        var top = new TopK(into);
        var items = Scores.Keys;
        var scores = Scores.Values;
        for (var i = 0; i < items.Length; i++)
            if (scores[i] >= top.Worst) top.Offer(items[i], scores[i]);
        return top.Sort();
    }
}

/// <summary>Co-visits of an item with those that recall started from, and the penalty of its popularity.</summary>
internal record struct Covisits(float Sum, float Penalty);

/// <summary>An item that recall starts from.</summary>
internal readonly record struct Seed(ulong Item, float Weight);

/// <summary>The user's recent positive items.</summary>
internal static class Seeds
{
    /// <summary>
    /// Distinct items of the session, newest first, then of the history, newest first; weight = action weight x decay^rank.
    /// Returns how many were written.
    /// </summary>
    public static int Collect(UserState user, float decay, Span<Seed> into)
    {
        var (count, factor) = (0, 1f);
        Add(user.Session.Actions, into);
        Add(user.History, into);
        return count;

        void Add(List<PastAction> actions, Span<Seed> seeds)
        {
            for (var i = actions.Count - 1; i >= 0 && count < seeds.Length; i--)
            {
                var action = actions[i];
                if (!(action.Weight > 0) || Contains(seeds[..count], action.ItemKey)) continue;
                seeds[count++] = new Seed(action.ItemKey, action.Weight * factor);
                factor *= decay;
            }
        }
    }

    private static bool Contains(ReadOnlySpan<Seed> seeds, ulong item)
    {
        foreach (var seed in seeds)
            if (seed.Item == item) return true;
        return false;
    }
}
