using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Users;

/// <summary>
/// Freezes the moment of showing: features, user vector, and the list that put the item there. Holds buffers: one per shard.
/// </summary>
internal sealed class ImpressionCapture(IUserModels models, int historyMax)
{
    private readonly FeatureBuffer _buffer = new();
    private readonly ulong[] _history = new ulong[historyMax];

    /// <summary>What is known of the list behind an event; <see cref="Items"/> is empty where the list itself is forgotten.</summary>
    public readonly record struct Origin(string Arm, long Version, string Models, ulong[] Items, float[] Propensities, Team[] Teams, int Shuffled = 0);

    public string? UnknownItemId(ulong itemKey, string item) => models.Items.TryGet(itemKey, out _) ? null : item;

    /// <summary>
    /// The list of an impression: by request id (the id's own arm and version where the list is forgotten), else the newest
    /// list of that surface that holds the item, else unknown.
    /// </summary>
    public Origin Find(UserState state, UserEvent e, ulong itemKey)
    {
        if (e.RequestId is not null && RequestId.TryParse(e.RequestId, out var arm, out var version, out _))
        {
            for (var i = state.Lists.Count - 1; i >= 0; i--)
                if (state.Lists[i].Version == version && arm.SequenceEqual(state.Lists[i].Arm)) return Of(state.Lists[i]);
            return new Origin(arm.ToString(), version, models.Versions, [], [], []);
        }
        for (var i = state.Lists.Count - 1; i >= 0; i--)
            if (state.Lists[i].Surface == e.Surface && Array.IndexOf(state.Lists[i].Items, itemKey) >= 0) return Of(state.Lists[i]);
        return new Origin("", 0, models.Versions, [], [], []);
    }

    /// <summary>Captures one shown item as of now: it waits from here on. Returns where.</summary>
    public int Capture(
        UserState state, UserEvent e, LogPosition source, int ordinal, ulong itemKey, string item, int position, float propensity, Team team, in Origin origin,
        ImpressionQueue into)
    {
        var context = new ShownContext(e.TimeMs, e.Surface, position);
        models.Features(state, itemKey, context, _buffer);
        var history = _history.AsSpan(0, Math.Min(_history.Length, state.History.Count));
        PastItems.Newest(state, history, out var inSession);
        return into.Add(itemKey, e.TimeMs, ImpressionLabel.Waiting, new ImpressionFields
        {
            Source = source, Ordinal = ordinal, Position = position, ItemId = UnknownItemId(itemKey, item), Surface = e.Surface, Arm = origin.Arm,
            RequestId = e.RequestId, ListVersion = origin.Version, ModelVersion = origin.Models, Propensity = propensity, Team = team,
            Features = _buffer.Features, Values = _buffer.Values, Dense = models.DenseFeatures(state, itemKey, context, origin.Arm),
            Slate = SlateOf(origin, itemKey, position), UserVector = state.Embedding, History = history, HistoryInSession = inSession,
        });
    }

    /// <summary>The explicit propensity, else the list's for this item (tried at its position first), else NaN.</summary>
    public static float PropensityOf(float stated, in Origin origin, ulong itemKey, int position)
    {
        if (!float.IsNaN(stated)) return stated;
        var at = SlotOf(origin, itemKey, position);
        return (uint)at < (uint)origin.Propensities.Length ? origin.Propensities[at] : float.NaN;
    }

    /// <summary>The same for the team.</summary>
    public static Team TeamOf(Team stated, in Origin origin, ulong itemKey, int position) =>
        stated != Team.None || origin.Teams.Length == 0 ? stated : Teams.Of(origin.Teams, SlotOf(origin, itemKey, position));

    /// <summary>What could have stood in the item's place with the same probability, the item first.</summary>
    private static ReadOnlySpan<ulong> SlateOf(in Origin origin, ulong itemKey, int position)
    {
        if (origin.Shuffled == 0) return [];
        var at = SlotOf(origin, itemKey, position);
        return at >= 0 && at < origin.Shuffled - 1 ? origin.Items.AsSpan(at..origin.Shuffled) : [];
    }

    private static int SlotOf(in Origin origin, ulong itemKey, int position) =>
        (uint)position < (uint)origin.Items.Length && origin.Items[position] == itemKey ? position : Array.IndexOf(origin.Items, itemKey);

    private static Origin Of(ListRef list) => new(list.Arm, list.Version, list.Models, list.Items, list.Propensities, list.Teams, list.Shuffled);
}
