using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Evaluation.Replay;
using Streaming.Experiments;
using Streaming.Feeds;
using Streaming.Users;

namespace Streaming.Evaluation.Simulation;

/// <summary>What a log says of a policy that did not make it, and the truth.</summary>
/// <param name="Model">The policy's.</param>
/// <param name="Estimates">Aligned with <see cref="OffPolicyInterval.Estimators"/>.</param>
/// <param name="Weights">Whether they are to be believed.</param>
/// <param name="Truth">Its expected click rate on the log's own requests, by the simulation's truth.</param>
/// <param name="Run">Its expected click rate when it then really chose, from the end of the warm-up on.</param>
/// <param name="Logged">The logging policy's.</param>
public sealed record OffPolicyResult(string Model, PolicyValue[] Estimates, WeightDiagnostics Weights, double Truth, double Run, double Logged);

/// <summary>
/// Estimating before showing: simulated users are shown one of ten random candidates by popularity and chance, with the propensities in the log; each
/// model learns from that log, beside it, and is asked at every request what it would have shown. Any <see cref="IRanker"/> can be judged: its policy is
/// its best candidate, or with probability 0.1 any. Then the same users from the same moment are really served by it.
/// </summary>
public static class OffPolicyTrial
{
    /// <summary>"ftrl" is the live ranker; "popular" and "item-ctr" rank by what is known of the items.</summary>
    public static IReadOnlyList<string> Models { get; } = ["ftrl", "item-ctr", "popular"];

    private const int Candidates = 10;
    private const double LogEpsilon = 0.5;
    private const double TargetEpsilon = 0.1;

    /// <param name="model">One of <see cref="Models"/>.</param>
    /// <param name="requests">Of the log that estimates are from; as many before them warm the learners up.</param>
    /// <param name="seed">Fixes everything.</param>
    /// <param name="cancel">Ends the trial.</param>
    public static OffPolicyResult Run(string model, int requests, long seed, CancellationToken cancel = default)
    {
        var (rows, users, truth, logged) = (new LoggedAction[requests], new ulong[requests], 0.0, 0.0);
        Walk(model, requests, seed, cancel, (n, user, target, logging, q, truths, shown, reward) =>
        {
            var value = 0.0;
            for (var a = 0; a < Candidates; a++)
            {
                value += target[a] * q[a];
                truth += target[a] * truths[a] / requests;
                logged += logging[a] * truths[a] / requests;
            }
            rows[n] = new LoggedAction(reward, logging[shown], target[shown], q[shown], value);
            users[n] = StableHash.Of(user);
        }, serves: false);
        var run = 0.0;
        Walk(model, requests, seed, cancel, (_, _, target, _, _, truths, _, _) =>
        {
            for (var a = 0; a < Candidates; a++) run += target[a] * truths[a] / requests;
        }, serves: true);
        return new OffPolicyResult(model, OffPolicyInterval.Of(rows, users), OffPolicy.Diagnose(rows, 1 / (LogEpsilon / Candidates)), truth, run, logged);
    }

    private delegate void Seen(int n, string user, double[] target, double[] logging, double[] q, double[] truths, int shown, double reward);

    /// <summary>Warms up by the logging policy, then goes on by it, or by the target.</summary>
    private static void Walk(string model, int requests, long seed, CancellationToken cancel, Seen seen, bool serves)
    {
        var settings = new StreamingSettings
        {
            Node = new NodeSettings { Seed = seed }, Log = new LogSettings { Partitions = 1 },
            Users = new UsersSettings { AttributionWindowMs = 1000, LateWindowMs = 0 }, Learning = new LearningSettings { FtrlBits = 18, PrequentialExactMax = 0 },
        };
        var audience = new AudienceSettings { Seed = seed, Users = 1000, Items = 80, Topics = 12, Authors = 30, ItemLifeMs = 86_400_000, PageViewsPerSecond = 5, PageSize = 1 };
        var environment = new SimulatedUsers(audience);
        var path = new OfflinePath(settings);
        IRanker ranker = model switch
        {
            "ftrl" => PathRankers.Live(path), "item-ctr" => PathRankers.By(path, f => f.Ctr), "popular" => PathRankers.By(path, f => f.Popularity),
            _ => throw new ArgumentException($"there is no model '{model}'; there are {string.Join(", ", Models)}", nameof(model)),
        };
        var (popular, live) = (PathRankers.By(path, f => f.Popularity), PathRankers.Live(path));
        var draws = new Draws(StableHash.Combine((ulong)seed, 0x0ff));
        for (var n = -requests; n < requests; n++)
        {
            if (n % 1024 == 0) cancel.ThrowIfCancellationRequested();
            var request = environment.NextRequest();
            foreach (var change in request.NewItems) path.Apply(change);
            foreach (var e in request.Arrivals) path.Step(e);
            path.Tick(request.TimeMs);
            var items = request.Candidates.ToArray();
            draws.Shuffle(items.AsSpan());
            Array.Resize(ref items, Candidates);
            var state = path.StateOf(request.User);
            var logging = Policy(popular, state, items, request.TimeMs, LogEpsilon);
            var (target, policy) = (logging, logging);
            if (n >= 0) target = Policy(ranker, state, items, request.TimeMs, TargetEpsilon);
            if (n >= 0 && serves) policy = target;
            var q = Scores(live, state, items, request.TimeMs);
            var truths = items.Select(i => environment.Truth.TrueClickProbability(request.User, i.Id, request.TimeMs)).ToArray();
            var shown = draws.Weighted(policy);
            var response = environment.Respond([items[shown].Id], [(float)policy[shown]]);
            foreach (var e in response.Events) path.Step(e);
            if (n >= 0) seen(n, request.User, target, logging, q, truths, shown, response.Events.Any(e => e.Kind == EventKind.Click) ? 1 : 0);
        }
    }

    private static double[] Scores(IRanker ranker, UserState user, Item[] items, long nowMs)
    {
        var scores = new float[items.Length];
        ranker.Score(user, [.. items.Select(i => i.Key)], "home", nowMs, scores);
        return [.. scores.Select(s => (double)s)];
    }

    /// <summary>Probability of each candidate: the best by the ranker, or with epsilon any.</summary>
    private static double[] Policy(IRanker ranker, UserState user, Item[] items, long nowMs, double epsilon)
    {
        var scores = Scores(ranker, user, items, nowMs);
        var policy = new double[items.Length];
        Array.Fill(policy, epsilon / items.Length);
        policy[Array.IndexOf(scores, scores.Max())] += 1 - epsilon;
        return policy;
    }
}
