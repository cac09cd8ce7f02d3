using Streaming.Core;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Feeds;
using Streaming.Learning;
using Streaming.Users;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>
/// One order out of the recall channels: the union of what they find, scored by an online logistic regression (FTRL) over what each
/// channel says of the candidate. Before a click is learned by the channels, its candidates are: the clicked one as positive, the
/// others as negatives. Each quantity enters as a real value and as a bucket, so that the blend may bend.
/// </summary>
internal sealed class ChannelBlend
{
    private const int CandidatesMax = 400;
    private const int PerPopular = 60;
    private const int PerSeed = 40;
    private const int PerCovisit = 50;
    private const int PerFresh = 20;

    /// <summary>Actions' worth of popularity mixed into a transition.</summary>
    private const double PriorActions = 10;

    /// <summary>Below every share that means anything: keeps logarithms finite.</summary>
    private const double Floor = 1e-4;

    private const int Quantities = 9;

    private readonly RecallPath _path;
    private readonly FtrlModel _model;
    private readonly ulong[] _keys = new ulong[CandidatesMax];
    private readonly float[] _values = new float[CandidatesMax * Quantities];
    private readonly Dictionary<ulong, int> _places = [];
    private readonly Dictionary<ulong, float> _covisits = [];
    private readonly Candidate[] _found = new Candidate[128];
    private readonly uint[] _features = new uint[2 * Quantities + 1];
    private readonly float[] _featureValues = new float[2 * Quantities + 1];
    private readonly List<ulong> _recent = [];
    private Decayed _total;
    private Decayed _totalRecent;
    private int _count;

    public ChannelBlend(RecallPath path)
    {
        _path = path;
        // Every candidate of a click is an example, so rare coordinates see thousands of them; no L1.
        _model = new FtrlModel(new LearningSettings { FtrlBits = 16, FtrlAlpha = 0.02, FtrlL1 = 0, FtrlL2 = 1 });
    }

    /// <summary>Finds the candidates for a user and computes what the channels say of them; valid until the next call.</summary>
    public void Begin(UserState user, long nowMs)
    {
        _count = 0;
        _places.Clear();
        _covisits.Clear();
        Recent(user);
        Take(user, _found.AsSpan(0, _path.Index.Popular.Fill("", nowMs, _found.AsSpan(0, PerPopular))));
        foreach (var channel in _path.Index.Channels)
        {
            if (channel.Name == Core.Feeds.FeedChannels.Trending) Recall(channel, user, nowMs, PerPopular);
            if (channel.Name == Core.Feeds.FeedChannels.Fresh) Recall(channel, user, nowMs, PerFresh);
        }
        var covisited = _path.Index.ItemCf.Recall(user, new RecallRequest("", nowMs), _found.AsSpan(0, PerCovisit));
        foreach (var (item, score) in _found.AsSpan(0, covisited)) _covisits[item] = score;
        Take(user, _found.AsSpan(0, covisited));
        foreach (var seed in _recent)
            Take(user, _found.AsSpan(0, _path.Index.Transitions.Followers(seed, _found.AsSpan(0, PerSeed))));
        for (var i = 0; i < _count; i++) Measure(_keys[i], nowMs, _values.AsSpan(i * Quantities, Quantities));
    }

    /// <summary>Place (from 1) that the blend gives the item among the candidates of <see cref="Begin"/>; 0 when it is none of them.</summary>
    public int RankOf(ulong item)
    {
        if (!_places.TryGetValue(item, out var at)) return 0;
        var score = Logit(at);
        var rank = 1;
        for (var i = 0; i < _count; i++)
        {
            if (i == at) continue;
            var other = Logit(i);
            if (other > score || (other == score && _keys[i] < item)) rank++;
        }
        return rank;
    }

    /// <summary>Learns which of the candidates of <see cref="Begin"/> was clicked.</summary>
    public void Learn(ulong clicked)
    {
        if (!_places.ContainsKey(clicked)) return;
        for (var i = 0; i < _count; i++)
        {
            Emit(i);
            _model.PredictAndLearn(_features, _featureValues, _keys[i] == clicked ? 1 : 0);
        }
    }

    /// <summary>Counts a click towards the totals that shares are of.</summary>
    public void Count(long nowMs)
    {
        _total.Add(nowMs, 1, _path.Settings.Feeds.PopularHalfLifeMs);
        _totalRecent.Add(nowMs, 1, _path.Settings.Feeds.TrendingHalfLifeMs);
    }

    private float Logit(int candidate)
    {
        Emit(candidate);
        return _model.Logit(_features, _featureValues);
    }

    private void Recall(IRecallChannel channel, UserState user, long nowMs, int count) =>
        Take(user, _found.AsSpan(0, channel.Recall(user, new RecallRequest("", nowMs), _found.AsSpan(0, count))));

    /// <summary>As the feed's filter does, leaves out what the user has clicked.</summary>
    private void Take(UserState user, ReadOnlySpan<Candidate> found)
    {
        foreach (var (item, _) in found)
        {
            if (_count == CandidatesMax) return;
            if (user.Marks.TryGetValue(item, out var marks) && marks.Clicked > 0) continue;
            if (_places.TryAdd(item, _count)) _keys[_count++] = item;
        }
    }

    /// <summary>The session's last three items, newest first; of a new session the user's last one.</summary>
    private void Recent(UserState user)
    {
        _recent.Clear();
        var actions = user.Session.Actions.Count > 0 ? user.Session.Actions : user.History;
        for (var i = actions.Count - 1; i >= 0 && _recent.Count < 3; i--)
            if (!_recent.Contains(actions[i].ItemKey)) _recent.Add(actions[i].ItemKey);
    }

    private void Measure(ulong item, long nowMs, Span<float> into)
    {
        var popularity = _path.Index.Popularity;
        var share = popularity.Popularity(item, nowMs) / Math.Max(1, _total.At(nowMs, _path.Settings.Feeds.PopularHalfLifeMs));
        var recent = popularity.Recent(item, nowMs) / Math.Max(1, _totalRecent.At(nowMs, _path.Settings.Feeds.TrendingHalfLifeMs));
        into[0] = Log(share);
        into[1] = Log(recent);
        into[2] = _recent.Count > 0 ? Log(_path.Index.Transitions.Probability(_recent[0], item, nowMs, recent, PriorActions)) : into[1];
        into[3] = _recent.Count > 1 ? Log(_path.Index.Transitions.Probability(_recent[1], item, nowMs, recent, PriorActions)) : into[1];
        into[4] = _recent.Count > 2 ? Log(_path.Index.Transitions.Probability(_recent[2], item, nowMs, recent, PriorActions)) : into[1];
        into[5] = Log(_covisits.GetValueOrDefault(item));
        into[6] = (float)Math.Log2(1 + (nowMs - _path.BornMs(item, nowMs)) / 3.6e6);
        var born = _recent.Count > 0 ? _path.BornMs(_recent[0], nowMs) : nowMs;
        into[7] = Math.Clamp((float)((_path.BornMs(item, nowMs) - born) / 7.2e6), -6f, 6f);
        into[8] = into[1] - into[0];
    }

    private static float Log(double share) => (float)Math.Log(share + Floor);

    private void Emit(int candidate)
    {
        var values = _values.AsSpan(candidate * Quantities, Quantities);
        for (var q = 0; q < Quantities; q++)
        {
            (_features[2 * q], _featureValues[2 * q]) = ((uint)q, values[q] * 0.25f);
            var bucket = (int)MathF.Floor(values[q] * 2f);
            (_features[2 * q + 1], _featureValues[2 * q + 1]) = ((uint)StableHash.Combine((ulong)q + 1, (ulong)(long)bucket), 1f);
        }
        (_features[^1], _featureValues[^1]) = (0xFFFF, 1f);
    }
}
