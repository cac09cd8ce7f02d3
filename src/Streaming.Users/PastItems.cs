namespace Streaming.Users;

/// <summary>A user's past positive items, as sequence models read them: the same when an example is made and when a list is.</summary>
public static class PastItems
{
    /// <summary>Keys of the newest items, newest first; returns how many.</summary>
    /// <param name="state">The user.</param>
    /// <param name="into">As many as are wanted.</param>
    /// <param name="inSession">How many of them, from the start, belong to the open session.</param>
    public static int Newest(UserState state, Span<ulong> into, out int inSession)
    {
        var count = Math.Min(into.Length, state.History.Count);
        inSession = 0;
        for (var i = 0; i < count; i++)
        {
            var action = state.History[^(i + 1)];
            into[i] = action.ItemKey;
            if (inSession == i && state.Session.StartMs != 0 && action.TimeMs >= state.Session.StartMs) inSession++;
        }
        return count;
    }
}
