using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Metrics;
using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Freshness;

/// <summary>The live ranker on a recorded set of labelled examples: AUC and log-loss of the probabilities at the moment of showing.</summary>
internal sealed class RecordedRanking : IFreshnessRun
{
    private readonly int _intervals;
    private readonly ScoredExamples _scored;

    public RecordedRanking(
        IDataSet set, StreamingSettings settings, IReadOnlyList<SyncInterval> intervals, double warmUp, Action<double>? progress, CancellationToken cancel)
    {
        _intervals = intervals.Count;
        var times = set.Events(settings.Node.Seed).Select(e => e.TimeMs).ToArray();
        if (times.Length == 0) throw new DataSetException(set.Files[0], 0, "has no events");
        Array.Sort(times);
        var served = new ServedRanking(settings, intervals, times[(int)(warmUp * times.Length)]);
        foreach (var change in set.Items()) served.Apply(change);
        var done = 0L;
        foreach (var e in set.Profiles().Concat(set.Events(settings.Node.Seed)))
        {
            cancel.ThrowIfCancellationRequested();
            served.Apply(e);
            if (++done % 1000 == 0) progress?.Invoke(Math.Min(1, done / (double)times.Length));
        }
        served.Finish();
        (_scored, Syncs) = (served.Scored, served.Syncs);
        if (double.IsNaN(_scored.Auc(0, Ones())))
            throw new DataSetException(set.Files[0], 0, "has no examples of both labels after the warm-up; for streams of clicks alone take the model transitions or popularity");
    }

    public IReadOnlyList<(string Name, bool LargerIsBetter)> Metrics => [("auc", true), ("logloss", false)];
    public IReadOnlyList<long> Syncs { get; }
    public long Scored => _scored.Count;
    public int Users => _scored.Users;

    public double[] Figures(ReadOnlySpan<int> userCounts)
    {
        var figures = new double[2 * _intervals];
        for (var i = 0; i < _intervals; i++)
        {
            figures[i] = _scored.Auc(i, userCounts);
            figures[_intervals + i] = _scored.LogLoss(i, userCounts);
        }
        return figures;
    }

    private int[] Ones()
    {
        var ones = new int[Users];
        Array.Fill(ones, 1);
        return ones;
    }
}

/// <summary>
/// The live ranker on simulated users whose tastes, trends and items drift. Lists are shown at random, so that every copy is judged on
/// the same examples and none has chosen them; for a share of the requests each copy also ranks all candidates, and the truth says how many
/// clicks its list would have got, and how many fewer than the best.
/// </summary>
internal sealed class SimulatedRanking : IFreshnessRun
{
    private const int ListLength = 10;

    private readonly int _intervals;
    private readonly ServedRanking _served;
    private readonly double[] _clicks;
    private double[] _scores = [];
    private double _best;
    private long _ranked;

    /// <param name="users">As they are; reset to the settings' seed.</param>
    /// <param name="settings">Of the learners.</param>
    /// <param name="intervals">Copies.</param>
    /// <param name="durationMs">Event time.</param>
    /// <param name="warmUp">Share of it.</param>
    /// <param name="rankEvery">One request in so many is ranked by every copy.</param>
    /// <param name="cancel">Ends the run.</param>
    public SimulatedRanking(
        AudienceSettings users, StreamingSettings settings, IReadOnlyList<SyncInterval> intervals, long durationMs, double warmUp, int rankEvery,
        CancellationToken cancel)
    {
        _intervals = intervals.Count;
        _clicks = new double[_intervals];
        var environment = new SimulatedUsers(users with { Seed = settings.Node.Seed });
        var draws = new Draws((ulong)settings.Node.Seed * 17 + 3);
        var endMs = SimulatedUsers.DefaultStartMs + durationMs;
        var scoreFromMs = SimulatedUsers.DefaultStartMs + (long)(warmUp * durationMs);
        _served = new ServedRanking(settings, intervals, scoreFromMs);
        for (var n = 0L; ; n++)
        {
            cancel.ThrowIfCancellationRequested();
            var request = environment.NextRequest();
            if (request.TimeMs >= endMs) break;
            foreach (var change in request.NewItems) _served.Apply(change);
            foreach (var e in request.Arrivals) _served.Apply(e);
            if (request.TimeMs >= scoreFromMs && n % rankEvery == 0) Rank(request, environment.Truth, users.Surface);
            foreach (var e in environment.Respond(RandomList(request.Candidates, ref draws)).Events) _served.Apply(e);
        }
        _served.Finish();
        Syncs = _served.Syncs;
    }

    public IReadOnlyList<(string Name, bool LargerIsBetter)> Metrics => [("auc", true), ("logloss", false), ("ctr", true), ("regret", false)];
    public IReadOnlyList<long> Syncs { get; }
    public long Scored => _served.Scored.Count;
    public int Users => _served.Scored.Users;

    public double[] Figures(ReadOnlySpan<int> userCounts)
    {
        var figures = new double[4 * _intervals];
        for (var i = 0; i < _intervals; i++)
        {
            figures[i] = _served.Scored.Auc(i, userCounts);
            figures[_intervals + i] = _served.Scored.LogLoss(i, userCounts);
            figures[2 * _intervals + i] = _clicks[i] / (_ranked * ListLength);
            figures[3 * _intervals + i] = (_best - _clicks[i]) / _ranked;
        }
        return figures;
    }

    private static string[] RandomList(IReadOnlyList<Item> candidates, ref Draws draws)
    {
        var list = new string[Math.Min(ListLength, candidates.Count)];
        var taken = new HashSet<int>();
        for (var k = 0; k < list.Length;)
            if (draws.Below(candidates.Count) is var at && taken.Add(at)) list[k++] = candidates[at].Id;
        return list;
    }

    private void Rank(ListRequest request, ISimulatedTruth truth, string surface)
    {
        _served.AdvanceTo(request.TimeMs);
        var user = _served.StateOf(request.User);
        var candidates = request.Candidates;
        if (_scores.Length < candidates.Count) _scores = new double[2 * candidates.Count];
        var scores = _scores.AsSpan(0, candidates.Count);
        for (var i = 0; i < _intervals; i++)
        {
            _served.Rank(i, user, candidates, surface, request.TimeMs, scores);
            _clicks[i] += truth.ExpectedClicks(request.User, Best(candidates, scores), request.TimeMs);
        }
        _best += truth.ExpectedClicks(request.User, truth.BestList(request.User, ListLength, request.TimeMs), request.TimeMs);
        _ranked++;
    }

    private static string[] Best(IReadOnlyList<Item> candidates, ReadOnlySpan<double> scores)
    {
        var queue = new PriorityQueue<int, (double Score, int At)>();
        for (var i = 0; i < candidates.Count; i++)
        {
            // Ties go to the earlier candidate.
            if (queue.Count < ListLength) queue.Enqueue(i, (scores[i], -i));
            else queue.EnqueueDequeue(i, (scores[i], -i));
        }
        var list = new string[queue.Count];
        for (var k = list.Length - 1; k >= 0; k--) list[k] = candidates[queue.Dequeue()].Id;
        return list;
    }
}
