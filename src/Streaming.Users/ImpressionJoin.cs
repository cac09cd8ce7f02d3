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
    private readonly List<ulong> _captured = [];
    private readonly ImpressionQueue _now = new();
    private readonly ulong _salt = StableHash.Combine((ulong)seed, StableHash.Of("users:negatives"));

    public string? UnknownItemId(ulong itemKey, string item) => _capture.UnknownItemId(itemKey, item);

    /// <summary>Ends the windows that are over by <paramref name="nowMs"/> and forgets what no late click can reach any more.</summary>
    public void Advance(UserState state, long nowMs, in Outlet outlet)
    {
        while (state.Pending.Count > 0 && WindowEnd(state.Pending.ShownMsAt(0)) <= nowMs) LeaveFirst(state, WindowEnd(state.Pending.ShownMsAt(0)), nowMs, outlet);
        while (state.Closed.Count > 0 && LateEnd(state.Closed.ShownMsAt(0)) <= nowMs) state.Closed.RemoveFirst();
    }

    /// <summary>
    /// Takes in the shown items of an impression event. An item that the same request (or the same event) has shown already is
    /// the same impression. All are captured before any of them counts as seen. Returns the items' keys; valid until the next call.
    /// </summary>
    public List<ulong> Show(UserState state, UserEvent e, long nowMs, in Outlet outlet)
    {
        _captured.Clear();
        _inRequest.Clear();
        if (e.RequestId is not null)
        {
            var request = ImpressionQueue.RequestOf(e.RequestId);
            NoteRequest(state.Pending, request);
            NoteRequest(state.Closed, request);
        }
        if (e.Items.Count == 0) Take(state, e, new ShownItem(e.Item!, e.Position), 0, outlet);
        else
            for (var i = 0; i < e.Items.Count; i++) Take(state, e, e.Items[i], i, outlet);
        Bound(state, nowMs, outlet);
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
        if (Find(state, itemKey, e.RequestId) is var (shown, at) && shown is not null)
        {
            var p = shown.At(at);
            var isSettled = p.Label == ImpressionLabel.Settled;
            var met = NewlyMet(p, e.Kind);
            // What was settled before it had goals has let its features go.
            var says = !isSettled || (met != 0 && p.Features.Length > 0);
            var isCorrection = isSettled ? (p.GoalsKnown & met) != 0 : p.Label == ImpressionLabel.Negative;
            if (says) outlet.Label(p, 1, weight, e.Kind, e.TimeMs, isCorrection: isCorrection, goalsKnown: met, goalsMet: met, isFollowUp: isSettled);
            shown.Know(at, met, met);
            if (says) Settle(shown, at);
            if (isSettled) return false;
            models.LearnUser(state, itemKey, 1, weight);
            return false;
        }
        var unreported = CaptureNow(state, e, itemKey, outlet, state.Pending);
        var first = NewlyMet(state.Pending.At(unreported), e.Kind);
        outlet.Label(state.Pending.At(unreported), 1, weight, e.Kind, e.TimeMs, goalsKnown: first, goalsMet: first);
        state.Pending.Know(unreported, first, first);
        Settle(state.Pending, unreported);
        Bound(state, nowMs, outlet);
        models.LearnUser(state, itemKey, 1, weight);
        return true;
    }

    /// <summary>
    /// A dislike or the like: a waiting impression leaves at once with label 0, never sampled away. The user's embedding learns
    /// the 0 in any case.
    /// </summary>
    public void Negative(UserState state, UserEvent e, ulong itemKey, in Outlet outlet)
    {
        if (Find(state, itemKey, e.RequestId) is var (shown, at) && shown?.LabelAt(at) == ImpressionLabel.Waiting)
        {
            outlet.Label(shown.At(at), 0, 1, e.Kind, e.TimeMs, goalsKnown: Deny(shown, at));
            shown.SetLabel(at, ImpressionLabel.Negative);
        }
        models.LearnUser(state, itemKey, 0, 1);
    }

    /// <summary>
    /// A rating is its own impression, captured and released now. It also settles a waiting impression of the item, whose
    /// end would otherwise contradict it.
    /// </summary>
    public void Rate(UserState state, UserEvent e, ulong itemKey, float label, in Outlet outlet)
    {
        outlet.Label(_now.At(CaptureNow(state, e, itemKey, outlet, _now)), label, 1, e.Kind, e.TimeMs);
        _now.RemoveFirst();
        if (Find(state, itemKey, e.RequestId) is var (shown, at) && shown?.LabelAt(at) == ImpressionLabel.Waiting) shown.Close(at);
        models.LearnUser(state, itemKey, label, 1);
    }

    /// <summary>
    /// Keeps one wake-up outstanding, for the earliest window that still waits; asks again only where that is earlier than
    /// the one asked for, or where the one asked for should have come by now.
    /// </summary>
    public void ScheduleWake(UserState state, long nowMs, IUserEffects effects)
    {
        if (state.WakeMs <= nowMs) state.WakeMs = 0;
        for (var i = 0; i < state.Pending.Count; i++)
        {
            if (state.Pending.LabelAt(i) != ImpressionLabel.Waiting && !OwesGoals(state.Pending, i)) continue;
            var due = WindowEnd(state.Pending.ShownMsAt(i));
            if (state.WakeMs != 0 && state.WakeMs <= due) return;
            state.WakeMs = due;
            effects.Wake(due);
            return;
        }
    }

    private long WindowEnd(long shownMs) => shownMs + settings.AttributionWindowMs;

    private long LateEnd(long shownMs) => WindowEnd(shownMs) + settings.LateWindowMs;

    private void NoteRequest(ImpressionQueue impressions, ulong request)
    {
        for (var i = 0; i < impressions.Count; i++)
            if (impressions.RequestAt(i) == request) _inRequest.Add(impressions.ItemKeyAt(i));
    }

    private void Take(UserState state, UserEvent e, in ShownItem shown, int ordinal, in Outlet outlet)
    {
        var key = StableHash.Of(shown.Item);
        if (!_inRequest.Add(key)) return;
        var origin = _capture.Find(state, e, key);
        var propensity = ImpressionCapture.PropensityOf(shown.Propensity, origin, key, shown.Position);
        var team = ImpressionCapture.TeamOf(shown.Team, origin, key, shown.Position);
        _capture.Capture(state, e, outlet.Source, ordinal, key, shown.Item, shown.Position, propensity, team, origin, state.Pending);
        _captured.Add(key);
    }

    private int CaptureNow(UserState state, UserEvent e, ulong itemKey, in Outlet outlet, ImpressionQueue into)
    {
        var origin = _capture.Find(state, e, itemKey);
        return _capture.Capture(
            state, e, outlet.Source, 0, itemKey, e.Item!, e.Position, float.NaN, ImpressionCapture.TeamOf(Team.None, origin, itemKey, e.Position),
            origin, into);
    }

    private void Bound(UserState state, long nowMs, in Outlet outlet)
    {
        while (state.Pending.Count > settings.PendingMax) LeaveFirst(state, Math.Min(WindowEnd(state.Pending.ShownMsAt(0)), nowMs), nowMs, outlet);
    }

    /// <summary>The one that was shown first waits no longer.</summary>
    private void LeaveFirst(UserState state, long labelMs, long nowMs, in Outlet outlet)
    {
        var pending = state.Pending;
        if (pending.LabelAt(0) == ImpressionLabel.Waiting)
        {
            pending.SetLabel(0, ImpressionLabel.Negative);
            var denied = Deny(pending, 0);
            if (IsKept(state, pending.At(0)))
            {
                outlet.Label(pending.At(0), 0, 1, EventKind.Impression, labelMs, (float)settings.NegativeSampleRate, goalsKnown: denied);
                models.LearnUser(state, pending.ItemKeyAt(0), 0, 1);
            }
        }
        else if (OwesGoals(pending, 0))
            outlet.Label(pending.At(0), 1, 1, EventKind.Impression, labelMs, goalsKnown: Deny(pending, 0), isFollowUp: true);
        if (settings.ClosedMax > 0 && LateEnd(pending.ShownMsAt(0)) > nowMs)
        {
            state.Closed.AddFrom(pending, 0);
            if (state.Closed.Count > settings.ClosedMax) state.Closed.RemoveFirst();
        }
        pending.RemoveFirst();
    }

    /// <summary>
    /// The draw goes by who was shown what and when, so that neither what ends its window matters nor which log it came through.
    /// </summary>
    private bool IsKept(UserState state, in PackedImpression p)
    {
        if (settings.NegativeSampleRate >= 1) return true;
        var place = StableHash.Combine(StableHash.Combine(StableHash.Of(state.User), (ulong)p.ShownMs), StableHash.Combine(p.ItemKey, (ulong)(uint)p.Ordinal));
        return StableHash.Unit(StableHash.Combine(_salt, place)) < settings.NegativeSampleRate;
    }

    /// <summary>Whether the end of its window still has goals to label 0.</summary>
    private bool OwesGoals(ImpressionQueue queue, int at) =>
        _goals != 0 && queue.LabelAt(at) == ImpressionLabel.Settled && queue.At(at) is var p && (_goals & ~p.GoalsKnown) != 0 && p.Features.Length > 0;

    /// <summary>The goal that an action meets; none where it is none or was met before.</summary>
    private ushort NewlyMet(in PackedImpression shown, EventKind kind) => (ushort)(Goals.Bit(kind) & _goals & ~shown.GoalsMet);

    /// <summary>Notes that all other goals are not met, by now; returns them.</summary>
    private ushort Deny(ImpressionQueue queue, int at)
    {
        var denied = (ushort)(_goals & ~queue.At(at).GoalsKnown);
        queue.Know(at, denied, 0);
        return denied;
    }

    /// <summary>Its label is 1. What may still meet a goal keeps its features until nothing can any more.</summary>
    private void Settle(ImpressionQueue queue, int at)
    {
        queue.SetLabel(at, ImpressionLabel.Settled);
        if ((_goals & ~queue.At(at).GoalsMet) == 0) queue.Close(at);
    }

    /// <summary>The impression of that very request, else the newest of the item, those that wait first; null where none is left.</summary>
    private static (ImpressionQueue? Queue, int At) Find(UserState state, ulong itemKey, string? requestId)
    {
        var request = ImpressionQueue.RequestOf(requestId);
        (ImpressionQueue?, int) newest = default;
        foreach (var queue in (ReadOnlySpan<ImpressionQueue>)[state.Pending, state.Closed])
        {
            for (var i = queue.Count - 1; i >= 0; i--)
            {
                if (queue.ItemKeyAt(i) != itemKey) continue;
                if (request != 0 && queue.RequestAt(i) == request) return (queue, i);
                if (newest.Item1 is null) newest = (queue, i);
            }
        }
        return newest;
    }
}
