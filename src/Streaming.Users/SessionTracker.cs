using Streaming.Core.Events;
using Streaming.Core.Settings;

namespace Streaming.Users;

/// <summary>
/// Where sessions begin and end. Inactivity closes an implicit session; an explicit id wins: a session that has one lasts until
/// another id comes, or an event without id after the gap.
/// </summary>
internal sealed class SessionTracker(UsersSettings settings)
{
    /// <summary>Closes an implicit session whose gap has passed by <paramref name="nowMs"/>.</summary>
    public void Advance(UserState state, long nowMs)
    {
        if (state.Session.StartMs != 0 && state.Session.Id is null && GapPassed(state.Session, nowMs)) Close(state);
    }

    /// <summary>
    /// Notes activity and opens a session where none is under way. False for a late event of an earlier session, which leaves
    /// the present one alone.
    /// </summary>
    public bool Enter(UserState state, UserEvent e)
    {
        var session = state.Session;
        var sameId = e.SessionId is not null && e.SessionId == session.Id;
        var otherId = e.SessionId is not null && !sameId;
        if (session.StartMs != 0)
        {
            var before = e.TimeMs < session.StartMs;
            if (before && !sameId && (otherId || session.StartMs - e.TimeMs >= settings.SessionGapMs)) return false;
            if (!before && (otherId || (!sameId && GapPassed(session, e.TimeMs)))) Close(state);
        }
        if (session.StartMs == 0)
        {
            session.Id = e.SessionId;
            session.StartMs = session.LastMs = e.TimeMs;
        }
        session.LastMs = Math.Max(session.LastMs, e.TimeMs);
        return true;
    }

    /// <summary>
    /// Appends an action of the session under way. A full implicit session closes and the action opens the next one; a full
    /// explicit one forgets its oldest action.
    /// </summary>
    public void Act(UserState state, PastAction action)
    {
        var session = state.Session;
        if (session.Actions.Count >= settings.SessionActionsMax)
        {
            if (session.Id is not null) session.Actions.RemoveAt(0);
            else
            {
                var lastMs = session.LastMs;
                Close(state);
                session.StartMs = action.TimeMs;
                session.LastMs = lastMs;
            }
        }
        session.Actions.Add(action);
    }

    private bool GapPassed(Session session, long nowMs) => nowMs - session.LastMs >= settings.SessionGapMs;

    private static void Close(UserState state)
    {
        var session = state.Session;
        state.SessionsClosed++;
        session.Id = null;
        session.StartMs = session.LastMs = 0;
        session.Actions.Clear();
    }
}
