using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Models.Deep;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Items whose vector has the largest inner product with the user's, or with the nearest of several, by a retrieval model. Whoever drives the model announces what is new
/// (<see cref="OnItem"/>), what a delta has touched (<see cref="Touch"/>) and what is gone, and calls <see cref="Refresh"/> between phases, at
/// least every second: it computes a bounded number of vectors, first those of new and touched items, then, because new dense weights move
/// every vector a little, those that were computed longest ago, round and round. The index lives in memory only: after a restart the catalogue is
/// announced again. One thread writes while nobody reads; then any number may recall.
/// </summary>
public sealed class RetrievalChannel : IRecallChannel
{
    private readonly IRetrievalModel _model;
    private readonly IItemCatalog _items;
    private readonly FeedsSettings _settings;
    private readonly int _historyMax;
    private readonly VectorIndex _index;
    private readonly Queue<ulong> _waiting = new();
    private readonly HashSet<ulong> _isWaiting = [];

    /// <summary>Items of which the model knows nothing yet, not even a category: looked at again at every refresh, some at a time.</summary>
    private readonly Queue<ulong> _unknown = new();
    private readonly HashSet<ulong> _isUnknown = [];
    /// <summary>By item of the index: the version that computed its vector.</summary>
    private readonly Dictionary<ulong, long> _computedBy = [];
    private readonly ulong[] _stalest;
    private readonly float[] _vector;

    /// <param name="name">One of <see cref="Core.Feeds.FeedChannels.Retrieval"/>.</param>
    /// <param name="model">Gives the vectors; its weights may change between phases.</param>
    /// <param name="items">Knows which items have expired.</param>
    /// <param name="feeds">Bounds of the index and of a refresh.</param>
    /// <param name="users">How many past items examples carry: recall gives the model as many.</param>
    public RetrievalChannel(string name, IRetrievalModel model, IItemCatalog items, FeedsSettings feeds, UsersSettings users)
    {
        (Name, _model, _items, _settings, _historyMax) = (name, model, items, feeds, users.ExampleHistoryMax);
        _index = new VectorIndex(new VectorIndexOptions(
            model.VectorDim, feeds.IndexItemsMax, feeds.IndexExactMax, new HnswOptions(feeds.IndexM, feeds.IndexEfConstruction, feeds.IndexEfSearch, feeds.Seed)));
        _stalest = new ulong[feeds.IndexRefreshMax];
        _vector = new float[model.VectorDim];
    }

    public string Name { get; }

    public VectorIndex Index => _index;

    /// <summary>The model's version in force, noted with every vector that it computes; without it all are of version 0.</summary>
    public Func<long> Version { get; set; } = () => 0;

    /// <summary>The version that computed the vector which was computed longest ago; the one in force while the index is empty.</summary>
    public long OldestVersion { get; private set; }

    /// <summary>Items whose new vectors wait for a refresh.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>The catalogue has inserted or replaced this item: its vector follows from its side information at once.</summary>
    public void OnItem(Item item) => Touch(item.Key);

    public void OnItemDeleted(ulong item)
    {
        _isWaiting.Remove(item);
        _isUnknown.Remove(item);
        Remove(item);
    }

    /// <summary>The model has learned something of this item: its vector is computed at the next refresh.</summary>
    public void Touch(ulong item)
    {
        // An item beyond the bound is not lost: it is met again when it is touched again, and by then the queue is shorter.
        if (item != 0 && _waiting.Count < _settings.IndexItemsMax && _isWaiting.Add(item)) _waiting.Enqueue(item);
    }

    /// <summary>Computes up to <c>Feeds:IndexRefreshMax</c> vectors; returns how many.</summary>
    public int Refresh(long nowMs)
    {
        for (var left = Math.Min(_unknown.Count, _stalest.Length); left > 0; left--)
        {
            var item = _unknown.Dequeue();
            if (_isUnknown.Remove(item)) Touch(item);
        }
        var (computed, isNew) = (0, 0);
        while (computed < _stalest.Length && _waiting.TryDequeue(out var item))
        {
            // One that was deleted while it waited is in the queue still.
            if (!_isWaiting.Remove(item)) continue;
            if (Compute(item, nowMs)) isNew++;
            computed++;
        }
        var stale = 0;
        foreach (var item in _index.ByTouch)
        {
            if (computed + stale >= _stalest.Length || stale >= _index.Count - isNew) break;
            _stalest[stale++] = item;
        }
        foreach (var item in _stalest.AsSpan(0, stale)) Compute(item, nowMs);
        OldestVersion = Version();
        foreach (var item in _index.ByTouch)
        {
            OldestVersion = _computedBy[item];
            break;
        }
        return computed + stale;
    }

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        Span<ulong> history = stackalloc ulong[_historyMax];
        history = history[..PastItems.Newest(user, history, out var inSession)];
        var dim = _model.VectorDim;
        Span<float> queries = stackalloc float[_model.VectorsMax * dim];
        // Where nothing is known of a user there is no vector: every item would tie.
        return _model.UserVectors(StableHash.Of(user.User), history, inSession, queries) switch
        {
            0 => 0,
            1 => _index.Search(queries[..dim], into),
            var count => Nearest(queries[..(count * dim)], into),
        };
    }

    /// <summary>The best by any of several queries, each item once.</summary>
    private int Nearest(ReadOnlySpan<float> queries, Span<Candidate> into)
    {
        var scratch = RecallScratch.Mine;
        scratch.Scores.Clear();
        var found = scratch.Found(into.Length);
        for (; queries.Length > 0; queries = queries[_model.VectorDim..])
        {
            foreach (var candidate in found[.._index.Search(queries[.._model.VectorDim], found)])
            {
                ref var score = ref scratch.Scores.GetOrAdd(candidate.Item, out var isRepeated);
                score = isRepeated ? Math.Max(score, candidate.Score) : candidate.Score;
            }
        }
        return scratch.Best(into);
    }

    /// <summary>Returns whether the index has the item now.</summary>
    private bool Compute(ulong item, long nowMs)
    {
        if (_items.TryGet(item, out var known) && known.IsExpired(nowMs))
        {
            Remove(item);
            return false;
        }
        if (!_model.Knows(item))
        {
            Remove(item);
            if (_unknown.Count < _settings.IndexItemsMax && _isUnknown.Add(item)) _unknown.Enqueue(item);
            return false;
        }
        _model.ItemVector(item, _vector);
        var isSet = _index.Set(item, _vector);
        if (isSet) _computedBy[item] = Version();
        else Remove(item);
        return isSet;
    }

    private void Remove(ulong item)
    {
        _index.Remove(item);
        _computedBy.Remove(item);
    }
}
