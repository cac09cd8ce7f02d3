using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Wire;
using Streaming.Experiments.Interleaving;

namespace Streaming.Experiments.Ledger;

/// <summary>
/// What every user did in every experiment, added up event by event from the <c>events</c> topic: a user is the unit of randomisation, so a user is
/// what is added up. The rules:
/// <list type="bullet">
/// <item>A user enters an experiment with the first list of it that is served or seen, and belongs to the arm that it names from then on.</item>
/// <item>Credit goes to the arm that showed the item: an event that names a list of another arm than the user's counts for nobody
/// (<see cref="ArmLedger.CrossedOver"/>); one that names no list counts for the user's arm.</item>
/// <item>Visits are the user's, whoever made the lists.</item>
/// <item>What was before the user entered is the covariate of CUPED.</item>
/// <item>Of an interleaved arm, a click goes to the ranking whose item it was (<see cref="ArmLedger.Interleaved"/>), beside all else.</item>
/// <item>A repeated event id counts once; events outside the experiment's time do not count.</item>
/// </list>
/// One thread; everything is bounded (<see cref="LedgerLimits"/>).
/// </summary>
public sealed class ExperimentLedger
{
    private const byte FormatVersion = 1;

    /// <summary>Written where an arm is interleaved, with the tallies of such.</summary>
    private const byte FormatWithDuels = 2;

    private readonly LedgerLimits _limits;
    private readonly List<ArmLedger> _experiments = [];
    private readonly Dictionary<string, (int Experiment, int Arm)[]> _decoded = new(StringComparer.Ordinal);
    private UserHistory _history;
    private RecentEvents _recent;
    private RecentTeams _teams;

    public ExperimentLedger(LedgerLimits limits)
    {
        _limits = limits;
        (_history, _recent, _teams) = (NewHistory(), new RecentEvents(limits.RecentEventsMax), new RecentTeams(limits.RecentEventsMax));
    }

    /// <summary>Events applied, repeats and others that do not count left out.</summary>
    public long Applied { get; private set; }

    /// <summary>Events whose id had been seen lately.</summary>
    public long Repeats { get; private set; }

    /// <summary>Event time: the latest seen, Unix ms.</summary>
    public long ClockMs { get; private set; }

    internal IReadOnlyList<ArmLedger> Experiments => _experiments;

    internal ArmLedger? Find(string experiment) => _experiments.Find(e => e.Id == experiment);

    /// <summary>Takes over the experiments as they are defined now; those that are no longer named keep their figures.</summary>
    public void Track(IEnumerable<TrackedExperiment> experiments)
    {
        foreach (var now in experiments)
        {
            var found = Find(now.Id);
            if (found is null)
            {
                if (_experiments.Count >= _limits.ExperimentsMax) _experiments.Remove(_experiments.MinBy(e => (e.LastMs, e.StartMs))!);
                _experiments.Add(found = new ArmLedger(now.Id, _limits.UsersMax));
            }
            found.Track(now);
        }
        _decoded.Clear();
    }

    /// <summary>Adds one event; its order among one user's events is the log's.</summary>
    /// <param name="e">Valid.</param>
    /// <param name="recordMs">The record's own time, Unix ms.</param>
    public void Apply(UserEvent e, long recordMs)
    {
        if (e.Kind is EventKind.Tick or EventKind.UserUpsert || e.TimeMs > recordMs + _limits.FutureSkewMsMax) return;
        var user = StableHash.Of(e.User);
        if (e.Kind == EventKind.UserDelete)
        {
            Forget(user);
            return;
        }
        if (e.EventId is { } id && !_recent.Add(StableHash.Combine(user, StableHash.Of(id))))
        {
            Repeats++;
            return;
        }
        Applied++;
        ClockMs = Math.Max(ClockMs, e.TimeMs);
        var row = _history.Enter(user, e.TimeMs, out var isNew);
        var opens = e.Kind != EventKind.Served && _history.Visit(row, e.TimeMs, e.SessionId is null ? 0 : StableHash.Of(e.SessionId));
        var arms = ArmsOf(e);
        for (var i = 0; i < _experiments.Count; i++)
        {
            var experiment = _experiments[i];
            if (e.TimeMs < experiment.StartMs || e.TimeMs >= experiment.EndMs) continue;
            var arm = -1;
            foreach (var (shownIn, shown) in arms)
                if (shownIn == i) arm = shown;
            Count(experiment, user, row, isNew, arm, opens, e);
            if (arm >= 0 && experiment.Interleaved.TryGetValue(arm, out var duel) && !experiment.IsExcluded(user)) Tell(duel.Tally, user, e);
        }
        if (e.Kind == EventKind.Served) return;
        _history.SumsAt(row, e.TimeMs);
        foreach (var (column, value) in new Contribution(e)) _history.Add(row, column, value);
        if (opens) _history.Add(row, UserColumn.Sessions, 1);
    }

    private void Count(ArmLedger experiment, ulong user, int history, bool isNew, int arm, bool opens, UserEvent e)
    {
        var row = experiment.Users.Find(user);
        if (row < 0)
        {
            if (arm < 0 || experiment.IsExcluded(user)) return;
            row = experiment.Users.Enter(user, arm, experiment.Epoch, isNew ? [] : _history.SumsAt(history, e.TimeMs));
            if (row < 0) return;
            experiment.Entered(e.TimeMs);
            // The visit in which a user meets the experiment is their first in it.
            experiment.Users.Add(row, UserColumn.Sessions, 1);
        }
        else if (opens)
        {
            experiment.Users.Add(row, UserColumn.Sessions, 1);
        }
        if (e.Kind == EventKind.Served) return;
        if (arm >= 0 && arm != experiment.Users.ArmOf(row))
        {
            experiment.CrossedOver++;
            return;
        }
        if (arm < 0) experiment.Unnamed++;
        foreach (var (column, value) in new Contribution(e)) experiment.Users.Add(row, column, value);
    }

    /// <summary>Notes whose the slots of a list of two rankings are, and gives a click on one of them to its team.</summary>
    private void Tell(InterleavingTally tally, ulong user, UserEvent e)
    {
        // The list, whatever look-up it was served by.
        RequestId.TryParse(e.RequestId!, out var token, out var version, out _);
        var list = StableHash.Combine(StableHash.Combine(user, StableHash.Of(token)), (ulong)version);
        foreach (var shown in e.Items)
            if (shown.Team != Team.None) _teams.Put(StableHash.Combine(list, StableHash.Of(shown.Item)), shown.Team);
        if (e is { Kind: EventKind.Click, Item: { } item }) tally.Click(user, _teams.Of(StableHash.Combine(list, StableHash.Of(item))));
    }

    private void Forget(ulong user)
    {
        _history.Forget(user);
        foreach (var experiment in _experiments)
        {
            experiment.Users.Forget(user);
            foreach (var (_, tally) in experiment.Interleaved.Values) tally.Forget(user);
        }
    }

    private ReadOnlySpan<(int Experiment, int Arm)> ArmsOf(UserEvent e)
    {
        if (e.RequestId is null || !RequestId.TryParse(e.RequestId, out var token, out _, out _)) return [];
        var lookup = _decoded.GetAlternateLookup<ReadOnlySpan<char>>();
        if (lookup.TryGetValue(token, out var known)) return known;
        List<(int, int)> arms = [];
        foreach (var (id, arm) in ArmKey.PartsOf(token.ToString()))
            if (_experiments.FindIndex(x => x.Id == id) is >= 0 and var at && _experiments[at].IndexOf(arm) is >= 0 and var index) arms.Add((at, index));
        // Callers can make ids up; what is remembered of them is bounded.
        if (_decoded.Count > 100_000) _decoded.Clear();
        return _decoded[token.ToString()] = [.. arms];
    }

    /// <summary>What one event adds to which columns.</summary>
    private readonly ref struct Contribution(UserEvent e)
    {
        public Enumerator GetEnumerator() => new(e);

        public ref struct Enumerator
        {
            private readonly (UserColumn Column, double Value) _first, _second;
            private readonly int _count;
            private int _at;

            public Enumerator(UserEvent e)
            {
                switch (e.Kind)
                {
                    case EventKind.Impression:
                        (_first, _count) = ((UserColumn.Impressions, Math.Max(1, e.Items.Count)), 1);
                        break;
                    case EventKind.Click:
                        (_first, _second, _count) = ((UserColumn.Clicks, 1), (UserColumn.Actions, 1), 2);
                        break;
                    case EventKind.Dwell:
                        (_first, _count) = ((UserColumn.Dwell, e.Value), double.IsFinite(e.Value) ? 1 : 0);
                        break;
                    case EventKind.Purchase:
                        // A purchase is an action, too; its amount may be unknown.
                        (_first, _second, _count) = ((UserColumn.Purchases, 1), (UserColumn.Revenue, double.IsFinite(e.Value) ? e.Value : 0), 3);
                        break;
                    case EventKind.Dislike or EventKind.Hide:
                        (_first, _count) = ((UserColumn.Dislikes, 1), 1);
                        break;
                    case EventKind.Search or EventKind.Served:
                        break;
                    default:
                        (_first, _count) = ((UserColumn.Actions, 1), 1);
                        break;
                }
            }

            public readonly (UserColumn Column, double Value) Current => _at switch { 1 => _first, 2 => _second, _ => (UserColumn.Actions, 1) };

            public bool MoveNext() => ++_at <= _count;
        }
    }

    /// <summary>Everything, with where reading goes on from.</summary>
    /// <param name="offsets">Next offset of each partition of <c>events</c>: what was applied, and nothing after it.</param>
    public void Save(Stream into, ReadOnlySpan<long> offsets)
    {
        var hasDuels = _experiments.Exists(x => x.Interleaved.Count > 0);
        var writer = new CheckpointWriter(into, hasDuels ? FormatWithDuels : FormatVersion);
        writer.Int32(offsets.Length);
        writer.Values(offsets);
        foreach (var value in (ReadOnlySpan<long>)[Applied, Repeats, ClockMs]) writer.Int64(value);
        _history.Save(writer);
        _recent.Save(writer);
        if (hasDuels) _teams.Save(writer);
        writer.Int32(_experiments.Count);
        foreach (var experiment in _experiments) experiment.Save(writer, hasDuels);
        writer.Finish();
    }

    /// <summary>Replaces the content by what was saved; returns the offsets.</summary>
    /// <exception cref="InvalidDataException">Torn, corrupt, or from a newer build; the ledger is as before.</exception>
    public long[] Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatWithDuels, "the ledger of experiments");
        var offsets = new long[reader.Count(1 << 20)];
        reader.Values(offsets.AsSpan());
        var (applied, repeats, clock) = (reader.Int64(), reader.Int64(), reader.Int64());
        var (history, recent, teams) = (NewHistory(), new RecentEvents(_limits.RecentEventsMax), new RecentTeams(_limits.RecentEventsMax));
        history.Load(reader);
        recent.Load(reader);
        if (reader.Version >= FormatWithDuels) teams.Load(reader);
        List<ArmLedger> experiments = [];
        for (var left = reader.Count(1 << 16); left > 0; left--) experiments.Add(ArmLedger.Read(reader, _limits.UsersMax, reader.Version >= FormatWithDuels));
        reader.Finish();
        (Applied, Repeats, ClockMs, _history, _recent, _teams) = (applied, repeats, clock, history, recent, teams);
        _experiments.Clear();
        _experiments.AddRange(experiments);
        _decoded.Clear();
        return offsets;
    }

    private UserHistory NewHistory() => new(_limits.HistoryUsersMax, _limits.HistoryHalfLifeMs, _limits.SessionGapMs);
}
