using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Feeds.Recall;

namespace Streaming.Feeds;

/// <summary>
/// All recall channels and what they learn from, shared by the list builders of all shards. The node writes between phases, on one
/// thread: <see cref="OnItem"/>, <see cref="OnItemDeleted"/>, the <see cref="Learners"/>, then <see cref="Refresh"/>. Everything
/// else reads.
/// </summary>
public sealed class FeedIndex
{
    private readonly IItemCatalog _items;
    private readonly ListPlan _plan;

    /// <param name="items">The catalogue.</param>
    /// <param name="vectors">Of the factorisation.</param>
    /// <param name="feeds">Bounds of the channels.</param>
    /// <param name="users">Half-lives of interests.</param>
    /// <param name="retrieval">The channels of retrieval models, those that there are. They are told of items and refreshed with the others.</param>
    public FeedIndex(IItemCatalog items, IItemVectors vectors, FeedsSettings feeds, UsersSettings users, IReadOnlyList<RetrievalChannel>? retrieval = null)
    {
        _items = items;
        _plan = new ListPlan(feeds, ArmPolicy.Learned, new SurfaceRule());
        Popularity = new PopularityIndex(feeds);
        Popular = new PopularChannel(Popularity, feeds);
        ItemCf = new ItemCfChannel(feeds);
        Embedding = new EmbeddingChannel(vectors, feeds, users);
        Fresh = new FreshChannel(feeds);
        Transitions = new TransitionChannel(feeds);
        Retrieval = retrieval ?? [];
        Learners = [Popularity, ItemCf, Embedding, Fresh, Transitions];
        // In the order of FeedChannels.All.
        Channels =
        [
            ItemCf, Embedding, new InterestChannel(Popularity, feeds, users), new AuthorChannel(Popularity, items, feeds),
            new TrendingChannel(Popularity, feeds), Popular, Fresh, Transitions,
            .. FeedChannels.Retrieval.Select(name => (IRecallChannel?)Retrieval.FirstOrDefault(c => c.Name == name) ?? new AbsentChannel(name)),
            new AgainChannel(users),
        ];
    }

    public PopularityIndex Popularity { get; }
    public PopularChannel Popular { get; }
    public ItemCfChannel ItemCf { get; }
    public EmbeddingChannel Embedding { get; }
    public FreshChannel Fresh { get; }
    public TransitionChannel Transitions { get; }

    /// <summary>The channels of retrieval models.</summary>
    public IReadOnlyList<RetrievalChannel> Retrieval { get; }

    /// <summary>All channels, in the order of <see cref="Core.Feeds.FeedChannels.All"/>.</summary>
    public IReadOnlyList<IRecallChannel> Channels { get; }

    /// <summary>What learns from the <c>examples</c> topic and goes into the checkpoint.</summary>
    public IReadOnlyList<IStreamLearner> Learners { get; }

    /// <summary>
    /// The catalogue has inserted or replaced this item, or met it as a stub. Repeating it changes nothing, so after a restart the
    /// node announces the whole catalogue again.
    /// </summary>
    public void OnItem(Item item)
    {
        // Reads Item's lazily filled keys here, on the one writing thread, so that shards only ever read them.
        Popularity.OnItem(item);
        Fresh.OnItem(item);
        foreach (var channel in Retrieval) channel.OnItem(item);
    }

    /// <summary>The catalogue has deleted this item.</summary>
    public void OnItemDeleted(ulong item)
    {
        Popularity.OnItemDeleted(item);
        Fresh.OnItemDeleted(item);
        Embedding.OnItemDeleted(item);
        foreach (var channel in Retrieval) channel.OnItemDeleted(item);
    }

    /// <summary>Ends a round of learning: brings the vector index up to date and lets go of items that are no longer fresh.</summary>
    public void Refresh(long nowMs)
    {
        Embedding.Refresh();
        Fresh.Refresh(nowMs);
        foreach (var channel in Retrieval) channel.Refresh(nowMs);
    }

    /// <summary>
    /// Items like this one, best first: co-visited ones, filled up with the nearest by vector. What may stand in no list that is for nobody in particular is
    /// left out: expired and unknown items, those of excluded categories, those that are for some users only. Returns how many; scores compare within the
    /// two parts only.
    /// </summary>
    public int Similar(ulong item, long nowMs, Span<Candidate> into)
    {
        var found = new Candidate[into.Length * 2];
        var filter = new CandidateFilter(_items);
        filter.Start(user: null, _plan, nowMs);
        var count = Keep(found.AsSpan(0, ItemCf.Similar(item, found)), into, 0);
        if (count == into.Length) return count;
        var vector = new float[Embedding.Index.Dim];
        return Embedding.Index.TryGet(item, vector) ? Keep(found.AsSpan(0, Embedding.Index.Search(vector, found)), into, count) : count;

        int Keep(ReadOnlySpan<Candidate> candidates, Span<Candidate> kept, int n)
        {
            foreach (var candidate in candidates)
            {
                if (n == kept.Length) break;
                if (candidate.Item == item || filter.Check(candidate.Item, out _) != FilterVerdict.Keep) continue;
                var repeat = false;
                foreach (var other in kept[..n]) repeat |= other.Item == candidate.Item;
                if (!repeat) kept[n++] = candidate;
            }
            return n;
        }
    }

    /// <summary>Holds the place of a channel that needs what is not here; it finds nothing.</summary>
    private sealed class AbsentChannel(string name) : IRecallChannel
    {
        public string Name => name;

        public int Recall(Users.UserState user, in RecallRequest request, Span<Candidate> into) => 0;
    }
}
