using System.Buffers.Text;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Wire;
using Streaming.Experiments.Splitting;

namespace Streaming.Node.Splitting;

/// <summary>
/// A user's attributes in the cache of lists, where look-ups find them: an entry per attribute of a list on a reserved surface. It goes
/// where the user's lists go: into checkpoints, and away with the user. Only there while an experiment asks for attributes.
/// </summary>
internal static class UserTraits
{
    public const int Max = EventLimits.ContextEntriesMax;

    /// <summary>No look-up's own surface starts with a NUL.</summary>
    private const string Surface = "\0traits";

    public static FeedList Of(string user, UserProfile profile, long nowMs)
    {
        Span<ulong> keys = stackalloc ulong[Max];
        var count = TraitKey.Fill(profile, keys);
        var entries = new FeedEntry[count];
        for (var i = 0; i < count; i++) entries[i] = new FeedEntry(keys[i].ToString("x16"), keys[i], 0, "", 1);
        return new FeedList
        {
            User = user, Surface = Surface, Arm = "", Version = 0, BuiltMs = nowMs, LastEventMs = nowMs, LastApplied = new LogPosition(0, -1), Models = "", Entries = entries,
        };
    }

    /// <summary>Fills <paramref name="into"/> with the user's keys and returns how many; <paramref name="buffer"/> is cleared.</summary>
    public static int Find(IFeedCache cache, string user, ByteWriter buffer, Span<ulong> into)
    {
        buffer.Clear();
        if (!cache.TryGet(user, Surface, "", buffer)) return 0;
        var view = new FeedListView(buffer.WrittenSpan);
        var count = Math.Min(view.Count, into.Length);
        for (var i = 0; i < count; i++)
            if (!Utf8Parser.TryParse(view.ItemJson(i)[1..^1], out into[i], out _, 'x')) throw new FormatException("a trait of a stored list is no hexadecimal number");
        return count;
    }
}
