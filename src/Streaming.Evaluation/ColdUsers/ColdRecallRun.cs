using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Evaluation.Replay;
using Streaming.Evaluation.Simulation;
using Streaming.Feeds;
using Streaming.Feeds.Recall;
using Streaming.Learning;
using Streaming.Models.Deep;

namespace Streaming.Evaluation.ColdUsers;

/// <summary>One run of <see cref="ColdRecall"/>: one seed, one audience, all channels.</summary>
internal sealed class ColdRecallRun
{
    /// <summary>Channels are asked for more than k, because what is gone or clicked is filtered afterwards.</summary>
    private const int Overfetch = 10;

    /// <summary>Random items that the policy "ranked" chooses from.</summary>
    private const int RankedOf = 100;

    private readonly ColdRecallCase _what;
    private readonly SimulatedUsers _users;
    private readonly OfflinePath _path;
    private readonly FeedIndex _index;
    private readonly RetrievalChannel _channel;
    private readonly TowerLearner _learner;
    private readonly IRecallChannel[] _channels;
    private readonly Dictionary<string, ColdTally> _tallies = ColdRecall.Channels.ToDictionary(c => c, _ => new ColdTally());
    private readonly Dictionary<string, HashSet<ulong>> _clicked = [];
    private readonly HashSet<ulong> _live = [];
    private readonly Candidate[] _found;
    private Draws _draws;

    public ColdRecallRun(ColdRecallCase what, StreamingSettings settings, long seed)
    {
        settings = settings with { Node = settings.Node with { Seed = seed } };
        _what = what;
        _users = new SimulatedUsers(what.Audience with { Seed = seed });
        _draws = new Draws((ulong)seed * 101 + 3);
        (FeedIndex? index, RetrievalChannel? channel, TowerLearner? learner) = (null, null, null);
        _path = new OfflinePath(settings, others: learners =>
        {
            index = new FeedIndex(learners.Catalog, new Vectors(learners.Factors, settings.Learning.EmbeddingDim), settings.Feeds, settings.Users);
            var model = new TwoTower(what.Tower with { Seed = (ulong)seed }, learners.Catalog);
            channel = new RetrievalChannel(FeedChannels.TwoTower, model, learners.Catalog, settings.Feeds, settings.Users);
            learner = new TowerLearner(model, channel, settings.Users.ExampleHistoryMax, what.BatchPositives);
            return [.. index.Learners, learner];
        });
        (_index, _channel, _learner) = (index!, channel!, learner!);
        _channels = [.. ColdRecall.Channels.Select(name => name == FeedChannels.TwoTower ? _channel : _index.Channels.First(c => c.Name == name))];
        _found = new Candidate[what.Top * Overfetch];
    }

    public Dictionary<string, ColdTally> Run(CancellationToken cancel)
    {
        for (var n = 0; n < _what.Requests; n++)
        {
            cancel.ThrowIfCancellationRequested();
            var request = _users.NextRequest();
            foreach (var change in request.NewItems) Introduce(change);
            foreach (var arrival in request.Arrivals) _path.Step(arrival);
            var response = _users.Respond(Choose(request));
            foreach (var e in response.Events)
            {
                if (e.Kind == EventKind.Click) Click(e, request, isScored: n >= _what.WarmUp * _what.Requests);
                _path.Step(e);
            }
            // Time is virtual; the channels are brought up to date after every list, as they would be after every round.
            _index.Refresh(request.TimeMs);
            _channel.Refresh(request.TimeMs);
        }
        _learner.Dispose();
        return _tallies;
    }

    private void Introduce(ItemChange change)
    {
        _path.Apply(change);
        if (!_path.Learners.Catalog.TryGet(StableHash.Of(change.Id), out var item)) return;
        _index.OnItem(item);
        _channel.OnItem(item);
    }

    private string[] Choose(ListRequest request)
    {
        var slots = Math.Min(_what.Audience.PageSize, request.Candidates.Count);
        var drawn = new HashSet<int>();
        var pool = Math.Min(request.Candidates.Count, _what.Policy == "ranked" ? RankedOf : slots);
        while (drawn.Count < pool) drawn.Add(_draws.Below(request.Candidates.Count));
        var items = drawn.Select(i => request.Candidates[i]).ToArray();
        if (_what.Policy != "ranked") return [.. items.Select(i => i.Id)];
        var scores = new double[items.Length];
        _path.Score(request.User, _what.Audience.Surface, request.TimeMs, [.. items.Select(i => i.Key)], scores);
        return [.. items.Select((item, i) => (item.Id, Score: scores[i])).OrderByDescending(x => x.Score).Take(slots).Select(x => x.Id)];
    }

    private void Click(UserEvent e, ListRequest request, bool isScored)
    {
        if (!_clicked.TryGetValue(e.User, out var clicked)) _clicked[e.User] = clicked = [];
        var item = StableHash.Of(e.Item!);
        if (!clicked.Contains(item) && isScored)
        {
            _live.Clear();
            foreach (var candidate in request.Candidates) _live.Add(candidate.Key);
            var group = Math.Min(clicked.Count, ColdTally.ColdBelow);
            var state = _path.StateOf(e.User);
            foreach (var channel in _channels)
            {
                _tallies[channel.Name].Clicks[group]++;
                if (Finds(channel, state, item, clicked, e.TimeMs)) _tallies[channel.Name].Hits[group]++;
            }
        }
        clicked.Add(item);
    }

    private bool Finds(IRecallChannel channel, Users.UserState state, ulong item, HashSet<ulong> clicked, long nowMs)
    {
        var kept = 0;
        foreach (var candidate in _found.AsSpan(0, channel.Recall(state, new RecallRequest(_what.Audience.Surface, nowMs), _found)))
        {
            if (!_live.Contains(candidate.Item) || clicked.Contains(candidate.Item)) continue;
            if (candidate.Item == item) return true;
            if (++kept == _what.Top) return false;
        }
        return false;
    }

    private sealed class Vectors(MatrixFactorisation factors, int dimension) : IItemVectors
    {
        public int Dim => dimension;

        public bool TryGet(ulong item, Span<float> into) => factors.TryItemVector(item, into);
    }

    /// <summary>Learns the two-tower model in mini-batches from the examples that the path releases, and tells the channel what was touched.</summary>
    private sealed class TowerLearner(TwoTower model, RetrievalChannel channel, int historyMax, int batchPositives) : IStreamLearner, IDisposable
    {
        private readonly ExampleBatch _batch = new(historyMax);
        private int _positives;

        public string Name => model.Name;

        public void OnExample(Example example)
        {
            _batch.Add(example);
            _positives += example.Label > 0.5f ? 1 : 0;
            if (_positives < batchPositives) return;
            model.Learn(_batch);
            foreach (var item in _batch.Items) channel.Touch(item);
            _batch.Clear();
            _positives = 0;
        }

        public void OnInteraction(Interaction interaction)
        {
            // The model learns from examples alone.
        }

        public void Save(Stream into) => model.Save(into);

        public void Load(Stream from) => model.Load(from);

        public void Dispose() => model.Dispose();
    }
}
