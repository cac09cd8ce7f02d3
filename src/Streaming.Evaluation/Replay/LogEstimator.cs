using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Experiments;
using Streaming.Feeds;
using Streaming.Node;
using Streaming.Node.Deep;

namespace Streaming.Evaluation.Replay;

/// <summary>What a log says a ranking would have earned.</summary>
/// <param name="Model">The ranking's name.</param>
/// <param name="Estimates">Clicks per slot, aligned with <see cref="OffPolicyInterval.Estimators"/>.</param>
/// <param name="Weights">Whether they are to be believed.</param>
/// <param name="Agreement">Share of the slots where the ranking would have shown what the draw did.</param>
public sealed record LogEstimate(string Model, PolicyValue[] Estimates, WeightDiagnostics Weights, double Agreement);

/// <summary>Estimates from one log.</summary>
/// <param name="Slots">Slots that were drawn, shown and labelled: the rows.</param>
/// <param name="Users">Users with such slots.</param>
/// <param name="Unmatched">Drawn slots whose showing the log of events no longer holds, left out.</param>
/// <param name="Open">Slots shown so late that a click could still come when the log ends, left out: of those only clicked ones are in the log.</param>
/// <param name="Logged">Clicks per slot of the order that was drawn, with its interval.</param>
/// <param name="Models">As asked for.</param>
public sealed record LogEstimates(int Slots, int Users, int Unmatched, int Open, PolicyValue Logged, IReadOnlyList<LogEstimate> Models);

/// <summary>
/// Off-policy estimates of rankings from a node's log, before they see a user. The rows are the slots of lists whose order was drawn
/// (<c>Feeds:SlateShare</c>): given the slots above, each item that was left could have stood there with the same probability. The events are replayed
/// through the same state machines and learners as the node's; when such a slot is first shown, each model is asked, knowing only what was known then,
/// which of the items left it puts first. The estimand is the click rate of a slot that the ranking fills, given what stands above it.
/// </summary>
public static class LogEstimator
{
    /// <summary>"learned" is the live ranker; "item-ctr" and "popular" rank by what is known of the items alone.</summary>
    public static IReadOnlyList<string> Always { get; } = ["learned", "item-ctr", "popular"];

    /// <summary>Records that are learned at once, as a round of a node's.</summary>
    private const int RoundRecords = 32;

    /// <summary>Everything that can be asked for.</summary>
    public static IReadOnlyList<string> Models { get; } = [.. Always, .. DeepSettings.Known.Except(FeedChannels.Retrieval)];

    private sealed class Row(Example example)
    {
        public readonly ulong[] Slate = example.Slate;
        public readonly string Surface = example.Surface;
        public readonly float Propensity = example.Propensity;
        public readonly long ShownMs = example.ShownMs;
        public readonly ulong User = StableHash.Of(example.User);
        public float Label = example.Label;

        /// <summary>Index into <see cref="Slate"/> of each model's first; null until the slot is shown.</summary>
        public int[]? Firsts;

        /// <summary>The live ranker's probability of each item of the slate.</summary>
        public float[] Values = [];
    }

    /// <param name="log">A node's.</param>
    /// <param name="settings">The node's.</param>
    /// <param name="models">Of <see cref="Models"/>.</param>
    /// <param name="progress">Told the share done, 0 to 1.</param>
    /// <param name="cancel">Ends the work.</param>
    /// <exception cref="FormatException">A model is not known.</exception>
    /// <exception cref="InvalidDataException">The log holds no slot that was drawn.</exception>
    public static LogEstimates Run(IEventLog log, StreamingSettings settings, IReadOnlyList<string> models, Action<double>? progress = null, CancellationToken cancel = default)
    {
        Check(models);
        var rows = Drawn(log, share => progress?.Invoke(share * 0.2), cancel);
        if (rows.Count == 0)
            throw new InvalidDataException("the log has no list whose order was drawn; set Feeds:SlateShare, 0.02 for one list in fifty, let the node run for a while, and ask again");
        settings = (settings with
        {
            Deep = settings.Deep with { Models = [.. models.Where(DeepSettings.Known.Contains)] }, Log = settings.Log with { Partitions = log.PartitionCount(Topics.Events) },
        }).Resolved();
        long endMs;
        DeepServing? deep = null;
        try
        {
            var path = new OfflinePath(settings, others: learners =>
            {
                if (settings.Deep.Models.Count == 0) return [];
                deep = new DeepServing(settings, learners.Catalog, learners.UserModels, log, learnsInRounds: true);
                return deep.Learners;
            });
            var rankers = models.Select(m => RankerOf(m, path, deep)).ToArray();
            endMs = Replay(log, path, rows, rankers, share => progress?.Invoke(0.2 + share * 0.8), cancel);
        }
        finally
        {
            deep?.Dispose();
        }
        var open = rows.Where(r => r.Value.ShownMs + settings.Users.AttributionWindowMs > endMs).Select(r => r.Key).ToList();
        foreach (var key in open) rows.Remove(key);
        return Sum(rows.Values, models, open.Count);
    }

    /// <exception cref="FormatException">A model is not known, or is no ranking.</exception>
    public static void Check(IReadOnlyList<string> models)
    {
        foreach (var model in models)
        {
            if (FeedChannels.Retrieval.Contains(model)) throw new FormatException($"{model} is a recall channel: it brings other candidates, and its lists are ranked as 'learned' ranks them");
            if (!Models.Contains(model)) throw new FormatException($"there is no ranking '{model}'; there are {string.Join(", ", Models)}");
        }
    }

    private static IRanker RankerOf(string model, OfflinePath path, DeepServing? deep) => model switch
    {
        "learned" => PathRankers.Live(path),
        "item-ctr" => PathRankers.By(path, f => f.Ctr),
        "popular" => PathRankers.By(path, f => f.Popularity),
        _ => deep!.Arms.First(a => a.Name == model).Ranker!,
    };

    /// <summary>The first showings of the drawn slots of the log, by user, item and time of showing.</summary>
    private static Dictionary<(string User, ulong Item, long ShownMs), Row> Drawn(IEventLog log, Action<double> progress, CancellationToken cancel)
    {
        var rows = new Dictionary<(string, ulong, long), Row>();
        var first = new Dictionary<(string User, long ListVersion, int Left), (string User, ulong Item, long ShownMs)>();
        var again = new List<(string, ulong, long)>();
        using var records = new MergedTopic(log, Topics.Examples);
        for (var n = 0; records.Next(); n++)
        {
            if (n % 1024 == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress(records.Share);
            }
            if (ExampleCodec.Read(records.Value.Span).Example is not { Slate.Length: > 1 } example) continue;
            var key = (example.User, example.ItemKey, example.ShownMs);
            // A negative may be kept by a draw alone; where those are thinned out, rates would be of the thinned log.
            if (example.SampleRate < 1) throw new InvalidDataException("the node keeps a part of the negatives only (Users:NegativeSampleRate); estimates need all of them");
            if (rows.TryGetValue(key, out var known))
            {
                if (example.Label > 0) known.Label = example.Label;
                continue;
            }
            rows[key] = new Row(example);
            // A list may be shown again. What its slots brought the first time has then moved the state, so that what a ranking would choose is no
            // longer independent of what was drawn: a draw counts once.
            var draw = (example.User, example.ListVersion, example.Slate.Length);
            if (!first.TryAdd(draw, key))
            {
                var later = first[draw].ShownMs <= example.ShownMs ? key : first[draw];
                if (later != key) first[draw] = key;
                again.Add(later);
            }
        }
        foreach (var key in again) rows.Remove(key);
        return rows;
    }

    /// <summary>Asks the rankers at every moment of showing; returns the log's last event time.</summary>
    private static long Replay(
        IEventLog log, OfflinePath path, Dictionary<(string, ulong, long), Row> rows, IRanker[] rankers, Action<double> progress, CancellationToken cancel)
    {
        var endMs = long.MinValue;
        var live = PathRankers.Live(path);
        using var events = new MergedTopic(log, Topics.Events);
        using var items = new MergedTopic(log, Topics.Items);
        var hasItem = items.Next();
        for (var n = 1; events.Next(); n++)
        {
            if (n % 1024 == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress(events.Share);
            }
            for (; hasItem && items.TimeMs <= events.TimeMs; hasItem = items.Next())
                if (ItemParser.TryParse(items.Value.Span, items.TimeMs, out var change, out _)) path.Apply(change);
            if (!EventParser.TryParse(events.Value.Span, events.TimeMs, out var e, out _)) e = null;
            if (e is { Kind: EventKind.Impression })
            {
                if (e.Item is { } item) Ask(e, item);
                foreach (var shown in e.Items) Ask(e, shown.Item);
            }
            endMs = Math.Max(endMs, events.TimeMs);
            path.Apply(e, events.TimeMs, events.Position.Partition);
            if (n % RoundRecords == 0) path.Learn();
        }
        return endMs;

        void Ask(UserEvent e, string item)
        {
            if (!rows.TryGetValue((e.User, StableHash.Of(item), e.TimeMs), out var row) || row.Firsts is not null) return;
            var state = path.StateOf(e.User);
            row.Values = Scores(live, row.Slate);
            row.Firsts = [.. rankers.Select(r => First(Scores(r, row.Slate), row.Slate))];

            float[] Scores(IRanker ranker, ulong[] slate)
            {
                var scores = new float[slate.Length];
                ranker.Score(state, slate, row.Surface, e.TimeMs, scores);
                // As a list is built: a model that has diverged says nothing.
                foreach (ref var score in scores.AsSpan())
                    if (!float.IsFinite(score)) score = 0;
                return scores;
            }
        }
    }

    /// <summary>Where the largest score is; of equals the item with the smallest key, so that the order of the draw does not decide.</summary>
    private static int First(float[] scores, ulong[] slate)
    {
        var first = 0;
        for (var i = 1; i < scores.Length; i++)
            if (scores[i] > scores[first] || (scores[i] == scores[first] && slate[i] < slate[first])) first = i;
        return first;
    }

    private static LogEstimates Sum(IEnumerable<Row> all, IReadOnlyList<string> models, int open)
    {
        var rows = all.ToList();
        var asked = rows.Where(r => r.Firsts is not null).ToList();
        if (asked.Count == 0) throw new InvalidDataException("the log of events no longer holds the showing of any slot that was drawn; keep it longer (Log:RetentionHours), or let the node run on until their attribution window is over");
        ulong[] users = [.. asked.Select(r => r.User)];
        LoggedAction[] Policy(Func<Row, float> probability, Func<Row, float> value) =>
            [.. asked.Select(r => new LoggedAction(r.Label > 0 ? 1 : 0, r.Propensity, probability(r), r.Values[0], value(r)))];
        return new LogEstimates(
            asked.Count, users.Distinct().Count(), rows.Count - asked.Count, open,
            OffPolicyInterval.Of(Policy(r => r.Propensity, r => r.Values.Average()), users)[0],
            [.. models.Select((model, m) =>
            {
                var actions = Policy(r => r.Firsts![m] == 0 ? 1 : 0, r => r.Values[r.Firsts![m]]);
                var largest = asked.Max(r => r.Slate.Length);
                return new LogEstimate(model, OffPolicyInterval.Of(actions, users), OffPolicy.Diagnose(actions, largest), (double)asked.Count(r => r.Firsts![m] == 0) / asked.Count);
            })]);
    }
}
