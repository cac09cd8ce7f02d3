using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.Replay;
using Streaming.Learning.Drn;
using Streaming.Users;

namespace Streaming.Evaluation.Simulation;

/// <summary>What one policy earned in one run, over the requests from the end of the warm-up on: the part in which tastes and trends have moved on.</summary>
/// <param name="Requests">Counted ones.</param>
/// <param name="Reward">Clicks.</param>
/// <param name="ExpectedReward">Expected clicks by the truth: the reward without the luck of the draw.</param>
/// <param name="Best">Expected clicks of the best lists, on every eighth request, scaled up.</param>
/// <param name="Parts">Expected clicks per request in each tenth of the whole run.</param>
public sealed record DrnTrialResult(
    string Policy, long Seed, long Requests, double Reward, double ExpectedReward, double Best, IReadOnlyList<double> Parts, long MinorUpdates, long MajorUpdates, double Seconds);

/// <summary>
/// One policy on the simulated users (<see cref="IUserEnvironment"/>), from nothing: every request is a list of ten of all live items, every
/// answer is learned at once. All policies share the live path's learners for users and items (<see cref="OfflinePath"/>), which learn from what
/// the policy itself shows; "ftrl" ranks with the live ranker's probability, the others with a DRN agent.
/// </summary>
public static class DrnTrial
{
    /// <summary>"drn" explores by the dueling bandit, "drn-epsilon" epsilon-greedily, "drn-greedy" not at all.</summary>
    public static IReadOnlyList<string> Policies { get; } = ["drn", "drn-epsilon", "drn-greedy", "ftrl"];

    private const int Slots = 10;
    private const int BestEvery = 8;

    /// <param name="policy">One of <see cref="Policies"/>.</param>
    /// <param name="users">As they are; reset to the settings' seed.</param>
    /// <param name="settings">Of the learners; its seed fixes the run.</param>
    /// <param name="drn">Of the agent; its exploration is the policy's.</param>
    /// <param name="durationMs">Event time of the run.</param>
    /// <param name="warmUp">Share of it that does not count.</param>
    /// <param name="cancel">Ends the run.</param>
    public static DrnTrialResult Run(
        string policy, AudienceSettings users, StreamingSettings settings, DrnSettings drn, long durationMs, double warmUp, CancellationToken cancel)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var seed = settings.Node.Seed;
        settings = settings with { Log = settings.Log with { Partitions = 1 } };
        var environment = new SimulatedUsers(users with { Seed = seed });
        var path = new OfflinePath(settings);
        IListPolicy chooser = policy == "ftrl" ? new RankerPolicy(path, users.Surface) : new DrnPolicy(path, users.Surface, drn with
        {
            Exploration = policy switch
            {
                "drn" => DrnExploration.DuelingBandit,
                "drn-epsilon" => DrnExploration.EpsilonGreedy,
                "drn-greedy" => DrnExploration.None,
                _ => throw new ArgumentException($"'{policy}' is no policy; there are {string.Join(", ", Policies)}", nameof(policy)),
            },
        }, seed);
        var tally = new Tally(durationMs, warmUp);
        for (long n = 0; ; n++)
        {
            if (n % 256 == 0) cancel.ThrowIfCancellationRequested();
            var request = environment.NextRequest();
            var sinceMs = request.TimeMs - SimulatedUsers.DefaultStartMs;
            if (sinceMs >= durationMs) break;
            foreach (var change in request.NewItems) path.Apply(change);
            foreach (var e in request.Arrivals) path.Step(e);
            path.Tick(request.TimeMs);
            var list = chooser.Choose(request);
            var best = n % BestEvery == 0 ? environment.Truth.ExpectedClicks(request.User, environment.Truth.BestList(request.User, Slots, request.TimeMs), request.TimeMs) : -1;
            var response = environment.Respond(list);
            chooser.Answer(response);
            foreach (var e in response.Events) path.Step(e);
            tally.Add(sinceMs, response, best);
        }
        var agent = (chooser as DrnPolicy)?.Agent;
        return tally.Result(policy, seed, agent?.MinorUpdates ?? 0, agent?.MajorUpdates ?? 0, clock.Elapsed.TotalSeconds);
    }

    private interface IListPolicy
    {
        string[] Choose(ListRequest request);

        void Answer(ListResponse response);
    }

    /// <summary>The live ranker: the items with the largest click probability.</summary>
    private sealed class RankerPolicy(OfflinePath path, string surface) : IListPolicy
    {
        public string[] Choose(ListRequest request)
        {
            var keys = request.Candidates.Select(i => i.Key).ToArray();
            var scores = new double[keys.Length];
            path.Score(request.User, surface, request.TimeMs, keys, scores);
            var order = Enumerable.Range(0, keys.Length).ToArray();
            Array.Sort(order, (a, b) => scores[a] != scores[b] ? scores[b].CompareTo(scores[a]) : a.CompareTo(b));
            return [.. order.Take(Slots).Select(i => request.Candidates[i].Id)];
        }

        public void Answer(ListResponse response)
        {
            // Its learners are the path's, which the events teach.
        }
    }

    private sealed class DrnPolicy : IListPolicy
    {
        private readonly OfflinePath _path;
        private readonly string _surface;
        private readonly DrnFeatures _features;
        private readonly float[] _state = new float[DrnFeatures.StateLength];
        private float[] _actions = [];
        private DrnList? _open;
        private string[] _shown = [];

        public DrnPolicy(OfflinePath path, string surface, DrnSettings settings, long seed)
        {
            (_path, _surface) = (path, surface);
            _features = new DrnFeatures(path.Learners);
            Agent = new DrnAgent(settings, DrnFeatures.StateLength, DrnFeatures.ActionLength, seed);
        }

        public DrnAgent Agent { get; }

        public string[] Choose(ListRequest request)
        {
            const int width = DrnFeatures.ActionLength;
            var items = request.Candidates;
            if (_actions.Length < items.Count * width) _actions = new float[2 * items.Count * width];
            _features.BeginUser(_path.StateOf(request.User), request.TimeMs, _surface, _state);
            for (var i = 0; i < items.Count; i++) _features.Item(items[i].Key, _actions.AsSpan(i * width, width));
            _open = Agent.Choose(StableHash.Of(request.User), request.TimeMs, _state, _actions.AsSpan(0, items.Count * width), Slots);
            return _shown = [.. _open.Items.Select(i => items[i].Id)];
        }

        public void Answer(ListResponse response)
        {
            var rewards = new float[_shown.Length];
            foreach (var e in response.Events)
                if (e.Kind == Core.Events.EventKind.Click && Array.IndexOf(_shown, e.Item) is >= 0 and var slot) rewards[slot] = 1;
            Agent.Answer(_open!, rewards);
        }
    }

    private sealed class Tally(long durationMs, double warmUp)
    {
        private readonly double[] _sums = new double[10];
        private readonly long[] _counts = new long[10];
        private long _requests, _judged;
        private double _reward, _expected, _best;

        public void Add(long sinceMs, ListResponse response, double best)
        {
            var part = (int)(10 * sinceMs / durationMs);
            _sums[part] += response.ExpectedReward;
            _counts[part]++;
            if (sinceMs < warmUp * durationMs) return;
            _requests++;
            _reward += response.Reward;
            _expected += response.ExpectedReward;
            if (best < 0) return;
            _judged++;
            _best += best;
        }

        public DrnTrialResult Result(string policy, long seed, long minor, long major, double seconds) => new(
            policy, seed, _requests, _reward, _expected, _judged == 0 ? double.NaN : _best / _judged * _requests,
            [.. _sums.Select((sum, i) => _counts[i] == 0 ? double.NaN : sum / _counts[i])], minor, major, seconds);
    }
}
