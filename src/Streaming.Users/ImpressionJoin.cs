using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Users;

/// <summary>
/// The join of impressions with the actions that label them. An impression waits in the half-open window
/// [shown, shown + <see cref="UsersSettings.AttributionWindowMs"/>); at its end it leaves as a negative, and for
/// <see cref="UsersSettings.LateWindowMs"/> more a positive action corrects it. Each impression becomes at most one negative and
/// one positive example. Each of <see cref="UsersSettings.Goals"/> is labelled by the same rule: 1 when its action comes, 0 when the window ends, and a late 1
/// corrects; with the impression's own label where both come at once, else as a record that follows it. Holds buffers: one per shard.
/// </summary>
internal sealed class ImpressionJoin(UsersSettings settings, IUserModels models, long seed)
{
    private readonly ImpressionCapture _capture = new(models, settings.ExampleHistoryMax);
    private readonly ushort _goals = Goals.MaskOf(settings.GoalKinds());
    private readonly HashSet<ulong> _inRequest = [];
    private readonly List<PendingImpression> _captured = [];
    private readonly ulong _salt = StableHash.Combine((ulong)seed, StableHash.Of("users:negatives"));

    public string? UnknownItemId(ulong itemKey, string item) => _capture.UnknownItemId(itemKey, item);

    /// <summary>Ends the windows that are over by <paramref name="nowMs"/> and forgets what no late click can reach any more.</summary>
    public void Advance(UserState state, long nowMs, in Outlet outlet)
    {
        var ended = 0;
        while (ended < state.Pending.Count && WindowEnd(state.Pending[ended]) <= nowMs) ended++;
        for (var i = 0; i < ended; i++) Leave(state, state.Pending[i], WindowEnd(state.Pending[i]), nowMs, outlet);
        if (ended > 0) state.Pending.RemoveRange(0, ended);

        var forgotten = 0;
        while (forgotten < state.Closed.Count && LateEnd(state.Closed[forgotten]) <= nowMs) forgotten++;
        if (forgotten > 0) state.Closed.RemoveRange(0, forgotten);
    }

    /// <summary>
    /// Takes in the shown items of an impression event. An item that the same request (or the same event) has shown already is
    /// the same impression. All are captured before any of them counts as seen. Returns them; valid until the next call.
    /// </summary>
    public List<PendingImpression> Show(UserState state, UserEvent e, long nowMs, in Outlet outlet)
    {
        _captured.Clear();
        _inRequest.Clear();
        if (e.RequestId is not null)
        {
            NoteRequest(state.Pending, e.RequestId);
            NoteRequest(state.Closed, e.RequestId);
        }
        var moment = _capture.MomentOf(state);
        if (e.Items.Count == 0) Take(state, e, new ShownItem(e.Item!, e.Position), 0, moment, outlet);
        else
            for (var i = 0; i < e.Items.Count; i++) Take(state, e, e.Items[i], i, moment, outlet);
        foreach (var impression in _captured) Enqueue(state, impression, nowMs, outlet);
        return _captured;
    }

    /// <summary>
    /// Labels an impression of the item 1: the one of the action's own request, else the newest. A waiting one leaves
    /// as shown; one that left as a negative is corrected; one that is positive already stays as it is. Without any, the item
    /// was on screen without anybody reporting it: it is captured now and leaves at once, with unknown propensity, so that
    /// streams of clicks alone still teach. True when that happened.
    /// </summary>
    public bool Positive(UserState state, UserEvent e, ulong itemKey, float weight, long nowMs, in Outlet outlet)
    {
        if (Find(state, itemKey, e.RequestId) is { } shown)
        {
            var isSettled = shown.Label == ImpressionLabel.Settled;
            var isCorrection = isSettled ? (shown.GoalsKnown & Goals.Bit(e.Kind)) != 0 : shown.Label == ImpressionLabel.Negative;
            var met = Meet(shown, e.Kind);
            // What was settled before it had goals has let its features go.
            if (isSettled && (met == 0 || shown.Features.Length == 0)) return false;
            outlet.Label(shown, 1, weight, e.Kind, e.TimeMs, isCorrection: isCorrection, goalsKnown: met, goalsMet: met, isFollowUp: isSettled);
            Settle(shown);
            if (isSettled) return false;
            models.LearnUser(state, itemKey, 1, weight);
            return false;
        }
        var unreported = CaptureNow(state, e, itemKey, outlet);
        var first = Meet(unreported, e.Kind);
        outlet.Label(unreported, 1, weight, e.Kind, e.TimeMs, goalsKnown: first, goalsMet: first);
        Settle(unreported);
        Enqueue(state, unreported, nowMs, outlet);
        models.LearnUser(state, itemKey, 1, weight);
        return true;
    }

    /// <summary>
    /// A dislike or the like: a waiting impression leaves at once with label 0, never sampled away. The user's embedding learns
    /// the 0 in any case.
    /// </summary>
    public void Negative(UserState state, UserEvent e, ulong itemKey, in Outlet outlet)
    {
        if (Find(state, itemKey, e.RequestId) is { Label: ImpressionLabel.Waiting } shown)
        {
            outlet.Label(shown, 0, 1, e.Kind, e.TimeMs, goalsKnown: Deny(shown));
            shown.Label = ImpressionLabel.Negative;
        }
        models.LearnUser(state, itemKey, 0, 1);
    }

    /// <summary>
    /// A rating is its own impression, captured and released now. It also settles a waiting impression of the item, whose
    /// end would otherwise contradict it.
    /// </summary>
    public void Rate(UserState state, UserEvent e, ulong itemKey, float label, in Outlet outlet)
    {
        outlet.Label(CaptureNow(state, e, itemKey, outlet), label, 1, e.Kind, e.TimeMs);
        if (Find(state, itemKey, e.RequestId) is { Label: ImpressionLabel.Waiting } shown) Close(shown);
        models.LearnUser(state, itemKey, label, 1);
    }

    /// <summary>
    /// Keeps one wake-up outstanding, for the earliest window that still waits; asks again only where that is earlier than
    /// the one asked for, or where the one asked for should have come by now.
    /// </summary>
    public void ScheduleWake(UserState state, long nowMs, IUserEffects effects)
    {
        if (state.WakeMs <= nowMs) state.WakeMs = 0;
        foreach (var impression in state.Pending)
        {
            if (impression.Label != ImpressionLabel.Waiting && !OwesGoals(impression)) continue;
            var due = WindowEnd(impression);
            if (state.WakeMs != 0 && state.WakeMs <= due) return;
            state.WakeMs = due;
            effects.Wake(due);
            return;
        }
    }

    private long WindowEnd(PendingImpression p) => p.ShownMs + settings.AttributionWindowMs;

    private long LateEnd(PendingImpression p) => WindowEnd(p) + settings.LateWindowMs;

    private void NoteRequest(List<PendingImpression> impressions, string requestId)
    {
        foreach (var p in impressions)
            if (p.RequestId == requestId) _inRequest.Add(p.ItemKey);
    }

    private void Take(UserState state, UserEvent e, in ShownItem shown, int ordinal, in ImpressionCapture.Moment moment, in Outlet outlet)
    {
        var key = StableHash.Of(shown.Item);
        if (!_inRequest.Add(key)) return;
        var origin = _capture.Find(state, e, key);
        var propensity = ImpressionCapture.PropensityOf(shown.Propensity, origin, key, shown.Position);
        var team = ImpressionCapture.TeamOf(shown.Team, origin, key, shown.Position);
        _captured.Add(_capture.Capture(state, e, outlet.Source, ordinal, key, shown.Item, shown.Position, propensity, team, origin, moment));
    }

    private PendingImpression CaptureNow(UserState state, UserEvent e, ulong itemKey, in Outlet outlet)
    {
        var origin = _capture.Find(state, e, itemKey);
        return _capture.Capture(
            state, e, outlet.Source, 0, itemKey, e.Item!, e.Position, float.NaN, ImpressionCapture.TeamOf(Team.None, origin, itemKey, e.Position),
            origin, _capture.MomentOf(state));
    }

    private void Enqueue(UserState state, PendingImpression impression, long nowMs, in Outlet outlet)
    {
        InsertByTime(state.Pending, impression);
        while (state.Pending.Count > settings.PendingMax)
        {
            Leave(state, state.Pending[0], Math.Min(WindowEnd(state.Pending[0]), nowMs), nowMs, outlet);
            state.Pending.RemoveAt(0);
        }
    }

    private void Leave(UserState state, PendingImpression impression, long labelMs, long nowMs, in Outlet outlet)
    {
        if (impression.Label == ImpressionLabel.Waiting)
        {
            impression.Label = ImpressionLabel.Negative;
            var denied = Deny(impression);
            if (IsKept(state, impression))
            {
                outlet.Label(impression, 0, 1, EventKind.Impression, labelMs, (float)settings.NegativeSampleRate, goalsKnown: denied);
                models.LearnUser(state, impression.ItemKey, 0, 1);
            }
        }
        else if (OwesGoals(impression))
            outlet.Label(impression, 1, 1, EventKind.Impression, labelMs, goalsKnown: Deny(impression), isFollowUp: true);
        if (settings.ClosedMax == 0 || LateEnd(impression) <= nowMs) return;
        InsertByTime(state.Closed, impression);
        if (state.Closed.Count > settings.ClosedMax) state.Closed.RemoveAt(0);
    }

    /// <summary>
    /// The draw goes by who was shown what and when, so that neither what ends its window matters nor which log it came through.
    /// </summary>
    private bool IsKept(UserState state, PendingImpression p)
    {
        if (settings.NegativeSampleRate >= 1) return true;
        var place = StableHash.Combine(StableHash.Combine(StableHash.Of(state.User), (ulong)p.ShownMs), StableHash.Combine(p.ItemKey, (ulong)(uint)p.Ordinal));
        return StableHash.Unit(StableHash.Combine(_salt, place)) < settings.NegativeSampleRate;
    }

    /// <summary>Whether the end of its window still has goals to label 0.</summary>
    private bool OwesGoals(PendingImpression impression) =>
        impression.Label == ImpressionLabel.Settled && (_goals & ~impression.GoalsKnown) != 0 && impression.Features.Length > 0;

    /// <summary>Notes that an action has met its goal; returns the goal, or none where it is none or was met before.</summary>
    private ushort Meet(PendingImpression impression, EventKind kind)
    {
        var met = (ushort)(Goals.Bit(kind) & _goals & ~impression.GoalsMet);
        impression.GoalsMet |= met;
        impression.GoalsKnown |= met;
        return met;
    }

    /// <summary>Notes that all other goals are not met, by now; returns them.</summary>
    private ushort Deny(PendingImpression impression)
    {
        var denied = (ushort)(_goals & ~impression.GoalsKnown);
        impression.GoalsKnown |= denied;
        return denied;
    }

    /// <summary>Its label is 1. What may still meet a goal keeps its features until nothing can any more.</summary>
    private void Settle(PendingImpression impression)
    {
        impression.Label = ImpressionLabel.Settled;
        if ((_goals & ~impression.GoalsMet) == 0) Close(impression);
    }

    /// <summary>Nothing more can be learned from it: what is left only tells later actions so.</summary>
    private static void Close(PendingImpression impression)
    {
        impression.Label = ImpressionLabel.Settled;
        impression.Features = [];
        impression.Values = [];
        impression.UserVector = [];
        impression.Dense = [];
        impression.History = [];
        impression.HistoryInSession = 0;
        impression.Slate = [];
    }

    private static PendingImpression? Find(UserState state, ulong itemKey, string? requestId)
    {
        PendingImpression? newest = null;
        return FindIn(state.Pending, itemKey, requestId, ref newest) ?? FindIn(state.Closed, itemKey, requestId, ref newest) ?? newest;
    }

    /// <summary>The impression of that very request; <paramref name="newest"/> is set to the newest of any where it was null.</summary>
    private static PendingImpression? FindIn(List<PendingImpression> impressions, ulong itemKey, string? requestId, ref PendingImpression? newest)
    {
        for (var i = impressions.Count - 1; i >= 0; i--)
        {
            var p = impressions[i];
            if (p.ItemKey != itemKey) continue;
            if (requestId is not null && p.RequestId == requestId) return p;
            newest ??= p;
        }
        return null;
    }

    private static void InsertByTime(List<PendingImpression> impressions, PendingImpression impression)
    {
        var at = impressions.Count;
        while (at > 0 && impressions[at - 1].ShownMs > impression.ShownMs) at--;
        impressions.Insert(at, impression);
    }
}
