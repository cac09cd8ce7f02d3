using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>
/// Where the records released while handling one message go. It stamps each with the message's position and an ordinal; the
/// ordinal goes on counting when the same user is given the same position again (an event, then the time-outs that it caused), so
/// (user, source, ordinal) names a record for good. Several users may be timed out by one event: without the user the name
/// is not unique.
/// </summary>
internal readonly struct Outlet(UserState state, LogPosition source, IUserEffects effects)
{
    public LogPosition Source => source;

    public void Label(in PackedImpression shown, float label, float weight, EventKind action, long labelMs, float sampleRate = 1, bool isCorrection = false,
        ushort goalsKnown = 0, ushort goalsMet = 0, bool isFollowUp = false)
    {
        var texts = StringCache.Shared;
        effects.Emit(new Example
        {
            Source = source, Ordinal = NextOrdinal(), User = state.User, ItemKey = shown.ItemKey, ItemId = shown.HasItemId ? Encoding.UTF8.GetString(shown.ItemId) : null,
            ShownMs = shown.ShownMs, LabelMs = labelMs, Label = label, Weight = weight, SampleRate = sampleRate,
            IsCorrection = isCorrection, Action = action, Position = shown.Position, Surface = texts.Get(shown.Surface), Arm = texts.Get(shown.Arm),
            ListVersion = shown.ListVersion, ModelVersion = texts.Get(shown.ModelVersion), Propensity = shown.Propensity,
            Features = shown.Features.ToArray(), Values = shown.AllValues(), UserVector = shown.UserVector.ToArray(),
            History = shown.History.ToArray(), HistoryInSession = shown.HistoryInSession, Team = shown.Team, Dense = shown.Dense.ToArray(), Slate = shown.Slate.ToArray(),
            GoalsKnown = goalsKnown, GoalsMet = goalsMet, IsFollowUp = isFollowUp,
        });
    }

    public void Interact(UserEvent e, ulong itemKey, string? itemId, float weight, ulong[] recent, int userActions) =>
        effects.Emit(new Interaction
        {
            Source = source, Ordinal = NextOrdinal(), User = state.User, ItemKey = itemKey, ItemId = itemId, Action = e.Kind,
            Weight = weight, TimeMs = e.TimeMs, Surface = e.Surface, Recent = recent, UserActions = userActions,
        });

    private int NextOrdinal()
    {
        if (state.ReleaseSource != source)
        {
            state.ReleaseSource = source;
            state.ReleaseOrdinal = 0;
        }
        return state.ReleaseOrdinal++;
    }
}
