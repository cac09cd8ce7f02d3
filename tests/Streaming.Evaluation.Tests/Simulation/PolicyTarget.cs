using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Evaluation.Simulation;

namespace Streaming.Evaluation.Tests.Simulation;

public enum Policy { Random, Popular, TagAffinity, Oracle }

/// <summary>
/// The simplest systems an audience can browse, in-process: a random page, the most popular items (smoothed click rate), the
/// same times the user's own click rates on the item's tags, and the truth itself. None shows what the user clicked before.
/// </summary>
public sealed class PolicyTarget(Policy policy) : IAudienceTarget
{
    private const double PriorShown = 20, PriorClicks = 2, TagShown = 6, TagPrior = 0.15;

    private readonly Dictionary<string, Stats> _items = [];
    private readonly List<Stats> _order = [];
    private readonly Dictionary<string, int> _tags = [];
    private readonly Dictionary<string, Person> _people = [];
    private Draws _draws = new(99);
    private long _requests;

    private sealed class Stats(Item item, int number, int[] tags)
    {
        public readonly Item Item = item;
        public readonly int Number = number;
        public readonly int[] Tags = tags;
        public double Shown, Clicks;
        public double Popularity = PriorClicks / PriorShown;
    }

    private sealed class Person
    {
        public readonly HashSet<int> Clicked = [];
        public readonly Dictionary<int, (double Shown, double Clicks)> ByTag = [];
        /// <summary>Smoothed click rate per tag; what has not been seen has the prior's.</summary>
        public readonly double[] Rate = Enumerable.Repeat(TagPrior, 1000).ToArray();
    }

    public Audience? Truth { get; set; }
    public int EventsSeen { get; private set; }
    public List<UserEvent> Log { get; } = [];
    public bool KeepLog { get; init; }

    public ValueTask<ServedPage?> FeedAsync(string user, string surface, int limit, long nowMs, CancellationToken cancel)
    {
        var best = new PriorityQueue<string, double>();
        var person = PersonOf(user);
        foreach (var stats in _order)
        {
            if (stats.Item.IsExpired(nowMs) || person.Clicked.Contains(stats.Number)) continue;
            var score = Score(user, person, stats, nowMs);
            if (best.Count < limit) best.Enqueue(stats.Item.Id, score);
            else best.EnqueueDequeue(stats.Item.Id, score);
        }
        var page = new ShownItem[best.Count];
        for (var k = page.Length - 1; k >= 0; k--) page[k] = new ShownItem(best.Dequeue(), k);
        return new(new ServedPage($"r{++_requests}", policy.ToString(), page));
    }

    public ValueTask SendAsync(IReadOnlyList<UserEvent> events, CancellationToken cancel)
    {
        EventsSeen += events.Count;
        if (KeepLog) Log.AddRange(events);
        foreach (var e in events)
        {
            foreach (var shown in e.Items) Count(e.User, shown.Item, 1, 0);
            if (e.Kind == EventKind.Click) Count(e.User, e.Item!, 0, 1);
        }
        return default;
    }

    public ValueTask UpsertItemsAsync(IReadOnlyList<ItemChange> changes, CancellationToken cancel)
    {
        foreach (var change in changes)
        {
            var stats = new Stats(change.Item!, _order.Count, [.. change.Item!.Tags.Select(TagOf)]);
            _items[change.Id] = stats;
            _order.Add(stats);
        }
        return default;
    }

    private int TagOf(string tag)
    {
        if (!_tags.TryGetValue(tag, out var number)) _tags[tag] = number = _tags.Count;
        return number;
    }

    private Person PersonOf(string user)
    {
        if (!_people.TryGetValue(user, out var person)) _people[user] = person = new Person();
        return person;
    }

    private void Count(string user, string item, int shown, int clicks)
    {
        if (!_items.TryGetValue(item, out var stats)) return;
        stats.Shown += shown;
        stats.Clicks += clicks;
        stats.Popularity = (stats.Clicks + PriorClicks) / (stats.Shown + PriorShown);
        var person = PersonOf(user);
        if (clicks > 0) person.Clicked.Add(stats.Number);
        foreach (var tag in stats.Tags)
        {
            person.ByTag.TryGetValue(tag, out var past);
            past = (past.Shown + shown, past.Clicks + clicks);
            person.ByTag[tag] = past;
            person.Rate[tag] = (past.Clicks + TagShown * TagPrior) / (past.Shown + TagShown);
        }
    }

    private double Score(string user, Person person, Stats stats, long nowMs)
    {
        switch (policy)
        {
            case Policy.Random: return _draws.Unit();
            case Policy.Oracle: return Truth!.ClickProbability(user, stats.Item.Id, 0, nowMs);
            case Policy.Popular: return stats.Popularity + 1e-6 * _draws.Unit();
        }
        double affinity = 0;
        foreach (var tag in stats.Tags) affinity += person.Rate[tag];
        return stats.Popularity * affinity + 1e-6 * _draws.Unit();
    }
}
