using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Users;

/// <summary>What became of an event.</summary>
public enum HandleResult
{
    /// <summary>The state has changed.</summary>
    Applied,
    /// <summary>An event with this id was applied lately; the state is as before.</summary>
    Repeat,
    /// <summary>The event cannot be applied (<see cref="IUserEffects.Reject"/> says why); the state is as before.</summary>
    Rejected,
}

/// <summary>
/// One user as a state machine: the only writer of <see cref="UserState"/>. It keeps nothing between calls but buffers and the weights of actions
/// (<see cref="Weigh"/>), so one instance serves all users of a shard, one call at a time; given the same state, event, weights, answers of the models
/// and seed it does the same, bit for bit. Time is the user's event time: the largest seen, so late events move no window and no decay backwards.
/// Every record it emits is named by (user, source, ordinal).
/// </summary>
public sealed class UserMachine
{
    private readonly UsersSettings _settings;
    private readonly ImpressionJoin _join;
    private readonly SessionTracker _sessions;
    private readonly InterestUpdater _interests;
    private readonly Forgetter _forgetter = new();
    private readonly Dictionary<string, float> _weights = [];
    private readonly float[] _builtInWeights = new float[byte.MaxValue + 1];
    private readonly ulong[] _recent;

    public UserMachine(UsersSettings settings, IUserModels models, long seed)
    {
        _settings = settings;
        _join = new ImpressionJoin(settings, models, seed);
        _sessions = new SessionTracker(settings);
        _interests = new InterestUpdater(settings, models, _forgetter);
        _recent = new ulong[settings.RecentMax];
        Weigh(ChangedWeights.None);
    }

    /// <summary>From the next event on, these actions have these weights, and all others the settings' own. What was done keeps the weight that it had.</summary>
    public void Weigh(ChangedWeights changed)
    {
        _weights.Clear();
        Array.Clear(_builtInWeights);
        foreach (var (type, weight) in _settings.ActionWeights.Concat(changed.Values))
        {
            _weights[type] = (float)weight;
            if (EventKinds.Parse(type) is not EventKind.Custom and var kind) _builtInWeights[(int)kind] = (float)weight;
        }
    }

    /// <summary>Applies one event of the user. <paramref name="source"/> is its position in the log.</summary>
    /// <exception cref="ArgumentException">The event is another user's: a bug of the caller.</exception>
    public HandleResult Handle(UserState state, UserEvent e, LogPosition source, IUserEffects effects)
    {
        if (e.User != state.User && e.Kind != EventKind.Tick) throw new ArgumentException("the event is another user's", nameof(e));
        var idHash = e.EventId is null || _settings.RecentEventIdsMax == 0 ? 0 : StableHash.Of(e.EventId);
        if (idHash != 0 && state.RecentEventIds.Contains(idHash)) return HandleResult.Repeat;
        if (Problem(e, out var weight) is { } problem)
        {
            effects.Reject(problem);
            return HandleResult.Rejected;
        }
        if (e.Kind == EventKind.UserDelete)
        {
            effects.Forget();
            return HandleResult.Applied;
        }

        var nowMs = Math.Max(state.LastEventMs, e.TimeMs);
        var outlet = new Outlet(state, source, effects);
        _join.Advance(state, nowMs, outlet);
        if (e.SessionId is null || e.SessionId != state.Session.Id) _sessions.Advance(state, nowMs);
        Note(state, e, idHash, source, nowMs);
        Apply(state, e, weight, nowMs, outlet, effects);
        _join.ScheduleWake(state, nowMs, effects);
        return HandleResult.Applied;
    }

    /// <summary>
    /// Event time has passed a wake-up of the user: ends attribution windows and the session as of <paramref name="nowMs"/>. Calling
    /// it early, late or twice does no harm. <paramref name="source"/> is the position of the record that moved time on.
    /// </summary>
    public void OnTime(UserState state, long nowMs, LogPosition source, IUserEffects effects)
    {
        _join.Advance(state, nowMs, new Outlet(state, source, effects));
        _sessions.Advance(state, nowMs);
        _join.ScheduleWake(state, nowMs, effects);
    }

    /// <summary>Whether an event claims a time too far ahead of its record's own: such a one is set aside before it reaches the user.</summary>
    public bool IsTooEarly(UserEvent e, long recordMs) => e.TimeMs > recordMs + _settings.FutureSkewMsMax;

    /// <summary>Why the event cannot be applied, or null; and the action's weight as far as its type decides it.</summary>
    private string? Problem(UserEvent e, out float weight)
    {
        weight = _builtInWeights[(byte)e.Kind];
        switch (e.Kind)
        {
            case EventKind.Custom when !_weights.TryGetValue(e.Type, out weight):
                return $"type '{e.Type}' is not built in and has no weight in Users:ActionWeights";
            case EventKind.Custom or EventKind.Search when weight == 0 || !string.IsNullOrEmpty(e.Item):
            case EventKind.Search or EventKind.UserDelete:
                return null;
            case EventKind.Impression or EventKind.Served:
                if (e.Items.Count == 0 && string.IsNullOrEmpty(e.Item)) return $"'{e.Type}' names no item";
                for (var i = 0; i < e.Items.Count; i++)
                    if (string.IsNullOrEmpty(e.Items[i].Item)) return $"slot {i} of '{e.Type}' names no item";
                return null;
            case EventKind.UserUpsert:
                return e.Profile is null ? "a user_upsert needs a profile" : null;
            case EventKind.Tick:
                return "a tick belongs to a partition, not to a user";
            default:
                if (string.IsNullOrEmpty(e.Item)) return $"'{e.Type}' names no item";
                return e.Kind == EventKind.Rating && !double.IsFinite(e.Value) ? "a rating needs a finite value" : null;
        }
    }

    private void Note(UserState state, UserEvent e, ulong idHash, LogPosition source, long nowMs)
    {
        if (idHash != 0)
        {
            if (state.RecentEventIds.Count >= _settings.RecentEventIdsMax) state.RecentEventIds.RemoveAt(0);
            state.RecentEventIds.Add(idHash);
        }
        state.FirstEventMs = state.Events == 0 ? e.TimeMs : Math.Min(state.FirstEventMs, e.TimeMs);
        state.LastEventMs = nowMs;
        state.LastApplied = source;
        state.Events++;
    }

    private void Apply(UserState state, UserEvent e, float weight, long nowMs, in Outlet outlet, IUserEffects effects)
    {
        switch (e.Kind)
        {
            case EventKind.Impression:
                _sessions.Enter(state, e);
                OnImpression(state, e, nowMs, outlet, effects);
                return;
            case EventKind.Served:
                OnServed(state, e);
                return;
            case EventKind.UserUpsert:
                state.Profile = e.Profile;
                RefreshAll(state, e.Surface, effects);
                return;
            case EventKind.Search:
                if (e.Query is not null) _interests.OnSearch(state, e.Query, e.TimeMs);
                break;
            case EventKind.Dwell when !(e.Value >= _settings.DwellPositiveSeconds):
                weight = 0;
                break;
        }
        var inSession = _sessions.Enter(state, e);
        if (!string.IsNullOrEmpty(e.Item)) OnAction(state, e, weight, inSession, nowMs, outlet, effects);
    }

    private void OnImpression(UserState state, UserEvent e, long nowMs, in Outlet outlet, IUserEffects effects)
    {
        if (state.SeenListVersion != state.ListVersion)
        {
            state.SeenListVersion = state.ListVersion;
            state.SeenSinceList = 0;
        }
        foreach (var shown in _join.Show(state, e, nowMs, outlet))
        {
            state.Impressions++;
            ref var marks = ref state.Marks.Slot(shown, out _);
            if (marks.Seen == 0) state.SeenSinceList++;
            marks = marks with { Seen = marks.Seen + 1, LastMs = Math.Max(marks.LastMs, e.TimeMs) };
        }
        _forgetter.Bound(state.Marks, _settings.MarksMax, new MarkRetention());
        if (state.SeenSinceList < _settings.RefreshAfterSeen) return;
        state.SeenSinceList = 0;
        effects.Refresh(e.Surface, urgent: false);
    }

    private void OnServed(UserState state, UserEvent e)
    {
        for (var i = 0; i < Math.Max(1, e.Items.Count); i++)
        {
            ref var marks = ref state.Marks.Slot(StableHash.Of(e.Items.Count == 0 ? e.Item! : e.Items[i].Item), out _);
            marks = marks with { Served = marks.Served + 1, LastMs = Math.Max(marks.LastMs, e.TimeMs) };
        }
        _forgetter.Bound(state.Marks, _settings.MarksMax, new MarkRetention());
    }

    private void OnAction(UserState state, UserEvent e, float weight, bool inSession, long nowMs, in Outlet outlet, IUserEffects effects)
    {
        var key = StableHash.Of(e.Item!);
        var isRating = e.Kind == EventKind.Rating;
        var isPush = e.Kind is EventKind.Dislike or EventKind.Hide;
        var carriesImpression = isRating;
        if (isRating) weight = Rate(state, e, key, weight, outlet);
        else if (weight > 0) carriesImpression = _join.Positive(state, e, key, weight, nowMs, outlet);
        else if (weight < 0 || isPush) _join.Negative(state, e, key, outlet);
        else return;

        if (carriesImpression) state.Impressions++;
        Mark(state, e, key, weight, carriesImpression);
        if (weight != 0)
        {
            if (weight > 0) state.Positives++;
            outlet.Interact(e, key, _join.UnknownItemId(key, e.Item!), weight, Recent(state, key), (int)Math.Min(int.MaxValue, state.Positives));
            var action = new PastAction(key, e.Kind, weight, e.TimeMs);
            if (weight > 0)
            {
                if (state.History.Count >= _settings.HistoryMax) state.History.RemoveAt(0);
                state.History.Add(action);
            }
            if (inSession) _sessions.Act(state, action);
            _interests.OnAction(state, key, weight, e.TimeMs);
        }
        RefreshAll(state, e.Surface, effects);
    }

    /// <summary>Releases the rating as an example, then counts it. Returns the weight of the action that it amounts to.</summary>
    private float Rate(UserState state, UserEvent e, ulong key, float weight, in Outlet outlet)
    {
        var isPositive = e.Value >= _settings.RatingPositiveAt;
        _join.Rate(state, e, key, isPositive ? 1 : 0, outlet);
        state.RatingCount++;
        state.RatingSum += e.Value;
        if (isPositive) state.RatingPositives++;
        return isPositive ? weight : (float)_settings.RatingNegativeWeight;
    }

    private void Mark(UserState state, UserEvent e, ulong key, float weight, bool seen)
    {
        ref var marks = ref state.Marks.Slot(key, out _);
        marks = marks with
        {
            Seen = marks.Seen + (seen ? 1 : 0),
            Clicked = marks.Clicked + (weight > 0 ? 1 : 0),
            Disliked = marks.Disliked || e.Kind == EventKind.Dislike,
            Hidden = marks.Hidden || e.Kind == EventKind.Hide,
            LastMs = Math.Max(marks.LastMs, e.TimeMs),
        };
        _forgetter.Bound(state.Marks, _settings.MarksMax, new MarkRetention());
    }

    /// <summary>Earlier positive items, newest first, each once, without <paramref name="key"/>; at most <see cref="UsersSettings.RecentMax"/>.</summary>
    private ulong[] Recent(UserState state, ulong key)
    {
        var count = 0;
        for (var i = state.History.Count - 1; i >= 0 && count < _recent.Length; i--)
        {
            var item = state.History[i].ItemKey;
            if (item != key && !_recent.AsSpan(0, count).Contains(item)) _recent[count++] = item;
        }
        return count == 0 ? [] : _recent.AsSpan(0, count).ToArray();
    }

    /// <summary>An action makes every list of the user stale: that of its own surface, and those built lately.</summary>
    private static void RefreshAll(UserState state, string surface, IUserEffects effects)
    {
        effects.Refresh(surface, urgent: true);
        for (var i = 0; i < state.Lists.Count; i++)
        {
            var other = state.Lists[i].Surface;
            var isNew = other != surface;
            for (var j = 0; j < i && isNew; j++) isNew = state.Lists[j].Surface != other;
            if (isNew) effects.Refresh(other, urgent: true);
        }
    }
}
