using System.Diagnostics;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Feeds.Recall;
using Streaming.Models.Deep;
using Streaming.Users;

namespace Streaming.Feeds.Benchmarks;

/// <summary>Latency of one channel's recall for one user, on one thread, before filters.</summary>
/// <param name="Channel">One of <see cref="FeedChannels.All"/>.</param>
/// <param name="Wanted">Items asked for.</param>
/// <param name="Found">Items found, a mean.</param>
public sealed record RecallLatency(string Channel, int Wanted, double Found, double P50Us, double P99Us, double MaxUs);

/// <summary>
/// Every recall channel over one planted catalogue: items in categories, with authors and tags; users who mostly click what is popular in a category of
/// their own. Channels have learned from ten clicks an item, <see cref="ClicksMax"/> at most; models that recall have seen each item in some mini-batch.
/// Quotas are those of the settings, and of arms where a channel has none there.
/// </summary>
public sealed class RecallBench : IDisposable
{
    public const int ClicksMax = 300_000;

    private const int Users = 1_000, Actions = 60, InSession = 5, ClicksPerItem = 10, Recent = 20, TrainRows = 256, TrainBatchesMin = 40;
    private const long NowMs = 1_700_000_000_000, DayMs = 86_400_000;
    private const string Surface = "home";

    private readonly StreamingSettings _settings;
    private readonly ulong _seed;
    private readonly int _categories;
    private readonly Item[] _items;
    private readonly ItemCatalog _catalog = new();
    private readonly PlantedVectors _vectors;
    private readonly FeedIndex _index;
    private readonly List<IDeepModel> _models = [];
    private readonly List<int>[] _clicks = [.. Enumerable.Range(0, Users).Select(_ => new List<int>())];
    private readonly UserState[] _users;
    private ulong _draws;

    /// <param name="items">Size of the catalogue.</param>
    /// <param name="settings">Resolved; <c>Node:Seed</c> plants.</param>
    /// <param name="models">Models that recall, by their channels' names: each must give an <see cref="IRetrievalModel"/>.</param>
    /// <param name="cancel">Ends the preparation, which takes minutes for large catalogues.</param>
    public RecallBench(int items, StreamingSettings settings, IReadOnlyList<(string Name, Func<IItemCatalog, IDeepModel> Create)> models, CancellationToken cancel = default)
    {
        // What a node's index comes to over many seconds is computed in one go.
        _settings = settings with { Feeds = settings.Feeds with { IndexRefreshMax = items } };
        (_seed, _categories) = ((ulong)settings.Node.Seed, Math.Max(1, (int)Math.Sqrt(items)));
        _vectors = new PlantedVectors(settings.Learning.EmbeddingDim);
        _items = [.. Enumerable.Range(0, items).Select(NewItem)];
        List<RetrievalChannel> retrieval = [];
        foreach (var (name, create) in models)
        {
            var model = create(_catalog);
            _models.Add(model);
            Train(model, cancel);
            retrieval.Add(new RetrievalChannel(name, (IRetrievalModel)model, _catalog, _settings.Feeds, _settings.Users));
        }
        _index = new FeedIndex(_catalog, _vectors, _settings.Feeds, _settings.Users, retrieval);
        foreach (var item in _items) _index.OnItem(item);
        Click(Math.Min(ClicksMax, items * ClicksPerItem), cancel);
        _index.Refresh(NowMs);
        _users = [.. Enumerable.Range(0, Users).Select(NewUser)];
        Channels = [.. _index.Channels.Select(c => c.Name).Where(name => !FeedChannels.Retrieval.Contains(name) || models.Any(m => m.Name == name))];
    }

    /// <summary>Those that <see cref="Measure"/> takes.</summary>
    public IReadOnlyList<string> Channels { get; }

    /// <summary>Recalls for one user after another; a tenth of the calls before that is not timed.</summary>
    public RecallLatency Measure(string channel, int calls)
    {
        var of = _index.Channels.First(c => c.Name == channel);
        var quota = _settings.Feeds.Quotas.GetValueOrDefault(channel) is > 0 and var own ? own : _settings.Feeds.CandidatesMax / 2;
        var (times, into, found) = (new double[calls], new Candidate[(int)Math.Ceiling(quota * _settings.Feeds.RecallOverfetch)], 0L);
        for (var call = -calls / 10; call < calls; call++)
        {
            var user = _users[(call + calls) % Users];
            var before = Stopwatch.GetTimestamp();
            var count = of.Recall(user, new RecallRequest(Surface, NowMs), into);
            if (call < 0) continue;
            times[call] = Stopwatch.GetElapsedTime(before).TotalMicroseconds;
            found += count;
        }
        Array.Sort(times);
        return new RecallLatency(channel, into.Length, (double)found / calls, times[calls / 2], times[calls * 99 / 100], times[^1]);
    }

    public void Dispose()
    {
        foreach (var model in _models) model.Dispose();
    }

    private double Unit() => StableHash.Unit(StableHash.Combine(_seed, ++_draws));

    private int Draw(int below) => (int)(Unit() * below);

    private Item NewItem(int number)
    {
        var (id, category) = ($"item {number}", number % _categories);
        // One of twenty is new.
        var age = number % 20 == 0 ? (long)(Unit() * DayMs) : (long)((2 + 58 * Unit()) * DayMs);
        var item = new Item(id)
        {
            Categories = [$"c{category}"], Author = $"a{Draw(10 * _categories)}", Tags = [$"t{category % 40}", $"t{Draw(400)}"], PublishedMs = NowMs - age,
        };
        _vectors.Add(item.Key, category, Draw);
        return _catalog.Apply(new ItemChange(id, item, NowMs - age))!;
    }

    /// <summary>What a user clicks: mostly of their category, and there the first ones most.</summary>
    private int Pick(int user)
    {
        var category = Unit() < 0.7 ? user % _categories : Draw(_categories);
        var inCategory = (_items.Length - category + _categories - 1) / _categories;
        return (int)(Math.Pow(Unit(), 2) * inCategory) * _categories + category;
    }

    private void Click(int clicks, CancellationToken cancel)
    {
        for (var n = 0; n < clicks; n++)
        {
            if (n % 1000 == 0) cancel.ThrowIfCancellationRequested();
            var (user, timeMs) = (Draw(Users), NowMs - (clicks - n) * (DayMs / clicks));
            var (item, mine) = (Pick(user), _clicks[user]);
            Show(n, user, Draw(_items.Length), 0, timeMs);
            Show(n, user, item, 1, timeMs);
            var interaction = new Interaction
            {
                Source = new LogPosition(0, n), Ordinal = 2, User = $"user {user}", ItemKey = _items[item].Key, Action = EventKind.Click, Weight = 1, TimeMs = timeMs,
                Surface = Surface, UserActions = mine.Count + 1, Recent = [.. mine.AsEnumerable().Reverse().Where(i => i != item).Take(Recent).Select(i => _items[i].Key)],
            };
            foreach (var learner in _index.Learners) learner.OnInteraction(interaction);
            mine.Add(item);
        }
    }

    private void Show(int at, int user, int item, int label, long timeMs)
    {
        var example = new Example
        {
            Source = new LogPosition(0, at), Ordinal = label, User = $"user {user}", ItemKey = _items[item].Key, ShownMs = timeMs, LabelMs = timeMs, Label = label,
            Surface = Surface, Features = [], Values = [],
        };
        foreach (var learner in _index.Learners) learner.OnExample(example);
    }

    /// <summary>Half of a mini-batch's histories are those of users; the other half go through the whole catalogue, so that every item has a row.</summary>
    private void Train(IDeepModel model, CancellationToken cancel)
    {
        var length = _settings.Users.ExampleHistoryMax;
        var (batch, next) = (new ExampleBatch(length), 0);
        var batches = Math.Max(TrainBatchesMin, 2 * _items.Length / (TrainRows * length) + 1);
        for (var step = 0; step < batches; step++)
        {
            cancel.ThrowIfCancellationRequested();
            batch.Clear();
            for (var row = 0; row < TrainRows; row++)
            {
                var user = Draw(Users);
                ulong[] history = [.. Enumerable.Range(0, length).Select(_ => _items[row % 2 == 0 ? Pick(user) : next++ % _items.Length].Key)];
                batch.Add(StableHash.Of($"user {user}"), _items[Pick(user)].Key, history, InSession, NowMs, StableHash.Of(Surface), label: 1);
            }
            model.Learn(batch);
        }
    }

    private UserState NewUser(int number)
    {
        var user = new UserState($"user {number}", _vectors.Dim) { LastEventMs = NowMs };
        // One who has clicked too little yet has the rest drawn.
        while (_clicks[number].Count < Actions) _clicks[number].Add(Pick(number));
        var (interests, startMs) = (new Dictionary<ulong, int>(), NowMs - Actions * 60_000L);
        foreach (var (at, item) in _clicks[number].TakeLast(Actions).Select((clicked, at) => (at, _items[clicked])))
        {
            var action = new PastAction(item.Key, EventKind.Click, 1, startMs + at * 60_000L);
            user.History.Add(action);
            if (at >= Actions - InSession) user.Session.Actions.Add(action);
            foreach (var key in (ulong[])[.. item.TagKeys, .. item.CategoryKeys, item.AuthorKey]) interests[key] = interests.GetValueOrDefault(key) + 1;
        }
        (user.Session.StartMs, user.Session.LastMs) = (user.Session.Actions[0].TimeMs, NowMs);
        foreach (var (key, count) in interests) user.Interests[key] = new Interest(count, NowMs, count);
        foreach (var vector in (float[][])[user.Embedding, user.ShortVector, user.LongVector]) _vectors.Near(number % _categories, Draw, vector);
        (user.ShortWeight, user.ShortMs, user.LongWeight, user.LongMs) = (InSession, NowMs, Actions, NowMs);
        return user;
    }

    /// <summary>Vectors near their category's.</summary>
    private sealed class PlantedVectors(int dim) : IItemVectors
    {
        private readonly Dictionary<ulong, float[]> _rows = [];

        public int Dim => dim;

        public void Add(ulong item, int category, Func<int, int> draw) => Near(category, draw, _rows[item] = new float[dim]);

        public void Near(int category, Func<int, int> draw, float[] into)
        {
            for (var d = 0; d < dim; d++)
                into[d] = (float)(StableHash.Unit(StableHash.Combine((ulong)category + 1, (ulong)d)) - 0.5) + (draw(1000) - 500) / 2000f;
        }

        public bool TryGet(ulong item, Span<float> into)
        {
            if (!_rows.TryGetValue(item, out var row)) return false;
            row.CopyTo(into);
            return true;
        }
    }
}
