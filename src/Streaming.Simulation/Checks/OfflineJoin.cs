using System.Globalization;
using System.Text.Json;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Simulation.Checks;

/// <summary>A label that the join must have released, or an action.</summary>
/// <param name="Action">The event's type; "impression" for a window that ended.</param>
public readonly record struct Released(
    string User, LogPosition Source, ulong Item, bool IsExample, long ShownMs, long TimeMs, float Label, bool IsCorrection, string Action, float Weight);

/// <summary>What became of the records of the log.</summary>
public readonly record struct Tally(long Applied, long Repeats, long Forgotten, long DeadLetters, long Ticks);

/// <summary>
/// README's account of events, sessions apart, put into the plainest code there is and fed with the log as it lies: strings and lists, its own
/// reader of JSON, nothing of the live path. Whatever the live path did between its crashes must come to the same.
/// </summary>
public sealed class OfflineJoin(UsersSettings settings, int partitions, long seed)
{
    private readonly Dictionary<string, Person>[] _people = [.. Enumerable.Range(0, partitions).Select(_ => new Dictionary<string, Person>())];
    private readonly Dictionary<string, long>[] _forgotten = [.. Enumerable.Range(0, partitions).Select(_ => new Dictionary<string, long>())];
    private readonly List<(long DueMs, string User)>[] _wakes = [.. Enumerable.Range(0, partitions).Select(_ => new List<(long, string)>())];
    private readonly long[] _clocks = new long[partitions];
    private readonly Dictionary<string, double>[] _weights = [.. Enumerable.Range(0, partitions).Select(_ => settings.ActionWeights)];
    private readonly long[] _weightVersions = new long[partitions];

    public sealed class Shown
    {
        public required string Item { get; init; }
        public required string? Request { get; init; }
        public required long ShownMs { get; init; }
        public required int Ordinal { get; init; }
        public char Label { get; set; } = 'w';
    }

    public sealed class Marks
    {
        public int Seen { get; set; }
        public int Clicked { get; set; }
        public bool Unwanted { get; set; }
    }

    public sealed class Person
    {
        public long LastMs { get; set; }
        public long WakeMs { get; set; }
        public long Events { get; set; }
        public long Positives { get; set; }
        public long Impressions { get; set; }
        public List<string> Ids { get; } = [];
        public List<Shown> Pending { get; } = [];
        public List<Shown> Closed { get; } = [];
        public Dictionary<string, Marks> Items { get; } = [];

        public Marks Of(string item) => Items.TryGetValue(item, out var marks) ? marks : Items[item] = new Marks();
    }

    public List<Released> Released { get; } = [];
    public Tally Tally { get; private set; }

    /// <summary>Times that each event of a user with an id was applied.</summary>
    public Dictionary<(string User, string Id), int> AppliedById { get; } = [];

    public Person? Find(int partition, string user) => _people[partition].GetValueOrDefault(user);

    public IEnumerable<(int Partition, string User, Person Person)> Everybody =>
        _people.SelectMany((people, p) => people.Select(x => (p, x.Key, x.Value)));

    /// <summary>Takes the next record of a partition.</summary>
    public void Take(int partition, Stored record)
    {
        var source = new LogPosition(partition, record.Offset);
        if (record.TimeMs > _clocks[partition])
        {
            _clocks[partition] = record.TimeMs;
            Wake(partition, source);
        }
        using var json = JsonDocument.Parse(record.Value);
        var e = json.RootElement;
        var type = e.GetProperty("type").GetString()!;
        if (type == "tick")
        {
            Tally = Tally with { Ticks = Tally.Ticks + 1 };
            if (e.TryGetProperty("context", out var said)) Weigh(partition, said);
            return;
        }
        var user = e.GetProperty("user").GetString()!;
        var timeMs = e.TryGetProperty("time", out var time) ? time.GetInt64() : record.TimeMs;
        if (timeMs > record.TimeMs + settings.FutureSkewMsMax) Tally = Tally with { DeadLetters = Tally.DeadLetters + 1 };
        else if (_forgotten[partition].TryGetValue(user, out var at) && timeMs <= at) Tally = Tally with { Forgotten = Tally.Forgotten + 1 };
        else Take(partition, user, e, type, timeMs, source);
    }

    /// <summary>A tick of an operator's change: whole, and newer than what the partition knows.</summary>
    private void Weigh(int partition, JsonElement said)
    {
        var version = long.Parse(said.GetProperty("version").GetString()!, CultureInfo.InvariantCulture);
        if (version <= _weightVersions[partition]) return;
        (_weightVersions[partition], _weights[partition]) = (version, new Dictionary<string, double>(settings.ActionWeights));
        foreach (var member in said.EnumerateObject().Where(m => m.Name != "version"))
            _weights[partition][member.Name["Users:ActionWeights:".Length..]] = double.Parse(member.Value.GetString()!, CultureInfo.InvariantCulture);
    }

    private void Take(int partition, string user, JsonElement e, string type, long timeMs, LogPosition source)
    {
        var id = e.TryGetProperty("event_id", out var stated) ? stated.GetString() : null;
        var people = _people[partition];
        var isKnown = people.TryGetValue(user, out var person);
        person ??= new Person();
        if (id is not null && person.Ids.Contains(id))
        {
            Tally = Tally with { Repeats = Tally.Repeats + 1 };
            return;
        }
        if (type == "no_such_type" && !_weights[partition].ContainsKey(type))
        {
            Tally = Tally with { DeadLetters = Tally.DeadLetters + 1 };
            return;
        }
        Tally = Tally with { Applied = Tally.Applied + 1 };
        if (id is not null) AppliedById[(user, id)] = AppliedById.GetValueOrDefault((user, id)) + 1;
        if (type == "user_delete")
        {
            people.Remove(user);
            // Nor does a wake-up outlive its user: somebody may come back under that name.
            _wakes[partition].RemoveAll(w => w.User == user);
            _forgotten[partition][user] = timeMs;
            // With the user went what was known of ids.
            foreach (var applied in AppliedById.Keys.Where(k => k.User == user).ToList()) AppliedById.Remove(applied);
            return;
        }
        if (!isKnown) people[user] = person;
        var nowMs = Math.Max(person.LastMs, timeMs);
        Advance(user, person, nowMs, source);
        if (id is not null)
        {
            person.Ids.Add(id);
            if (person.Ids.Count > settings.RecentEventIdsMax) person.Ids.RemoveAt(0);
        }
        person.LastMs = nowMs;
        person.Events++;
        Apply(user, person, e, type, timeMs, nowMs, source, _weights[partition]);
        Schedule(partition, user, person, nowMs);
    }

    private void Apply(
        string user, Person person, JsonElement e, string type, long timeMs, long nowMs, LogPosition source, Dictionary<string, double> weights)
    {
        var request = e.TryGetProperty("request_id", out var r) ? r.GetString() : null;
        if (type == "impression")
        {
            Show(user, person, e, request, timeMs, nowMs, source);
            return;
        }
        if (type is "served" or "user_upsert" or "search") return;
        var item = e.GetProperty("item").GetString()!;
        var value = e.TryGetProperty("value", out var v) ? v.GetDouble() : double.NaN;
        var weight = type == "dwell" && !(value >= settings.DwellPositiveSeconds) ? 0 : (float)weights[type];
        var shown = FindShown(person, item, request);
        var carries = false;
        if (type == "rating")
        {
            var isPositive = value >= settings.RatingPositiveAt;
            Release(user, source, item, timeMs, timeMs, isPositive ? 1 : 0, false, type, 1);
            if (shown is { Label: 'w' }) shown.Label = 's';
            weight = isPositive ? weight : (float)settings.RatingNegativeWeight;
            carries = true;
        }
        else if (weight > 0)
        {
            if (shown is null)
            {
                Release(user, source, item, timeMs, timeMs, 1, false, type, weight);
                Enqueue(user, person, new Shown { Item = item, Request = request, ShownMs = timeMs, Ordinal = 0, Label = 's' }, nowMs, source);
                carries = true;
            }
            else if (shown.Label != 's')
            {
                Release(user, source, item, shown.ShownMs, timeMs, 1, shown.Label == 'n', type, weight);
                shown.Label = 's';
            }
        }
        else if (weight < 0)
        {
            if (shown is { Label: 'w' })
            {
                Release(user, source, item, shown.ShownMs, timeMs, 0, false, type, 1);
                shown.Label = 'n';
            }
        }
        else
        {
            return;
        }
        var marks = person.Of(item);
        if (carries) person.Impressions++;
        if (carries) marks.Seen++;
        if (weight > 0) marks.Clicked++;
        if (weight > 0) person.Positives++;
        marks.Unwanted |= type is "dislike" or "hide";
        Released.Add(new Released(user, source, StableHash.Of(item), false, 0, timeMs, 0, false, type, weight));
    }

    private void Show(string user, Person person, JsonElement e, string? request, long timeMs, long nowMs, LogPosition source)
    {
        List<string> items = e.TryGetProperty("items", out var list) ? [.. list.EnumerateArray().Select(i => i.GetString()!)] : [e.GetProperty("item").GetString()!];
        List<Shown> captured = [];
        for (var i = 0; i < items.Count; i++)
        {
            var isRepeat = captured.Exists(s => s.Item == items[i])
                || (request is not null && person.Pending.Concat(person.Closed).Any(s => s.Request == request && s.Item == items[i]));
            if (!isRepeat) captured.Add(new Shown { Item = items[i], Request = request, ShownMs = timeMs, Ordinal = i });
        }
        foreach (var shown in captured) Enqueue(user, person, shown, nowMs, source);
        foreach (var shown in captured)
        {
            person.Of(shown.Item).Seen++;
            person.Impressions++;
        }
    }

    /// <summary>The impression of the action's own request, else the newest; those whose window is open before those past it.</summary>
    private static Shown? FindShown(Person person, string item, string? request)
    {
        var pending = person.Pending.Where(s => s.Item == item).Reverse().ToList();
        var closed = person.Closed.Where(s => s.Item == item).Reverse().ToList();
        return (request is null ? null : pending.Concat(closed).FirstOrDefault(s => s.Request == request)) ?? pending.Concat(closed).FirstOrDefault();
    }

    private void Enqueue(string user, Person person, Shown shown, long nowMs, LogPosition source)
    {
        Insert(person.Pending, shown);
        while (person.Pending.Count > settings.PendingMax)
        {
            var oldest = person.Pending[0];
            Leave(user, person, oldest, Math.Min(oldest.ShownMs + settings.AttributionWindowMs, nowMs), nowMs, source);
            person.Pending.RemoveAt(0);
        }
    }

    private void Advance(string user, Person person, long nowMs, LogPosition source)
    {
        foreach (var shown in person.Pending.TakeWhile(s => s.ShownMs + settings.AttributionWindowMs <= nowMs).ToList())
        {
            Leave(user, person, shown, shown.ShownMs + settings.AttributionWindowMs, nowMs, source);
            person.Pending.Remove(shown);
        }
        while (person.Closed.Count > 0 && LateEnd(person.Closed[0]) <= nowMs) person.Closed.RemoveAt(0);
    }

    private void Leave(string user, Person person, Shown shown, long labelMs, long nowMs, LogPosition source)
    {
        if (shown.Label == 'w')
        {
            shown.Label = 'n';
            if (IsKept(user, shown)) Release(user, source, shown.Item, shown.ShownMs, labelMs, 0, false, "impression", 1);
        }
        if (LateEnd(shown) <= nowMs || settings.ClosedMax == 0) return;
        Insert(person.Closed, shown);
        if (person.Closed.Count > settings.ClosedMax) person.Closed.RemoveAt(0);
    }

    /// <summary>The draw is part of the promise: by user, time shown, item and ordinal.</summary>
    private bool IsKept(string user, Shown shown)
    {
        if (settings.NegativeSampleRate >= 1) return true;
        var salt = StableHash.Combine((ulong)seed, StableHash.Of("users:negatives"));
        var place = StableHash.Combine(
            StableHash.Combine(StableHash.Of(user), (ulong)shown.ShownMs), StableHash.Combine(StableHash.Of(shown.Item), (ulong)shown.Ordinal));
        return StableHash.Unit(StableHash.Combine(salt, place)) < settings.NegativeSampleRate;
    }

    private void Wake(int partition, LogPosition source)
    {
        var nowMs = _clocks[partition];
        while (_wakes[partition].Count > 0 && _wakes[partition].Min() is var first && first.DueMs <= nowMs)
        {
            _wakes[partition].Remove(first);
            if (!_people[partition].TryGetValue(first.User, out var person)) continue;
            Advance(first.User, person, nowMs, source);
            Schedule(partition, first.User, person, nowMs);
        }
    }

    private void Schedule(int partition, string user, Person person, long nowMs)
    {
        if (person.WakeMs <= nowMs) person.WakeMs = 0;
        if (person.Pending.Find(s => s.Label == 'w') is not { } first) return;
        var dueMs = first.ShownMs + settings.AttributionWindowMs;
        if (person.WakeMs != 0 && person.WakeMs <= dueMs) return;
        person.WakeMs = dueMs;
        _wakes[partition].Add((dueMs, user));
    }

    private long LateEnd(Shown shown) => shown.ShownMs + settings.AttributionWindowMs + settings.LateWindowMs;

    private void Release(string user, LogPosition source, string item, long shownMs, long timeMs, float label, bool isCorrection, string action, float weight) =>
        Released.Add(new Released(user, source, StableHash.Of(item), true, shownMs, timeMs, label, isCorrection, action, weight));

    private static void Insert(List<Shown> into, Shown shown)
    {
        var at = into.FindLastIndex(s => s.ShownMs <= shown.ShownMs) + 1;
        into.Insert(at, shown);
    }
}
