using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>Where a shard's effects go. Each shard has its own sink and calls it from its own thread.</summary>
public interface IShardSink
{
    void Example(Example example);
    void Interaction(Interaction interaction);
    /// <summary>A list was built. <paramref name="sinceMs"/>: when the node received the first event that asked for it, Unix ms.</summary>
    void List(FeedList list, long sinceMs);

    void DeadLetter(LogPosition source, long timeMs, ReadOnlySpan<byte> payload, string reason);

    /// <summary>The user's state is gone; lists have to go too, and whatever else names the user.</summary>
    /// <param name="user">Who.</param>
    /// <param name="source">The deletion's record, or the late event's.</param>
    /// <param name="timeMs">Its time, Unix ms.</param>
    /// <param name="isLate">
    /// An event from before its user's deletion came after it and was ignored: only its record in the log is left to go.
    /// </param>
    void Forgotten(string user, LogPosition source, long timeMs, bool isLate);

    /// <summary>A record of the changelog, where one is kept; an empty value removes the key. The spans are valid during the call.</summary>
    void Changed(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);
}

/// <summary>A list that a look-up lacks: of the arm that the user has now, or that a tester asks for.</summary>
public readonly record struct WantedList(string User, string Surface, string Arm);

/// <summary>What a shard is made of. One per shard: machine, builder, session and sink are used from its thread only.</summary>
public sealed record ShardParts
{
    public required int Partition { get; init; }
    public required UsersSettings Settings { get; init; }

    /// <summary>Dimension of the user embedding.</summary>
    public required int Dimension { get; init; }

    public required UserMachine Machine { get; init; }
    public required IFeedBuilder Builder { get; init; }

    /// <summary>The arm of a user on a surface: fixed before a list is built.</summary>
    public required Func<UserState, string, string> ArmOf { get; init; }

    public required IStateSession Store { get; init; }
    public required IShardSink Sink { get; init; }

    /// <summary>
    /// Reads this partition again from an offset, for the restart of an actor that threw.
    /// </summary>
    public required Func<long, ILogReader> Reread { get; init; }

    /// <summary>Whether the sink is told, at the end of every <see cref="UserShard.Refresh"/>, the state of each user that has changed.</summary>
    public bool KeepsChangelog { get; init; }

    /// <summary>The changelog holds the states as of this offset already: nothing is told of before.</summary>
    public long ChangelogOffset { get; init; }

    /// <summary>Who writes the changelog, in its records: of this process alone, where several take turns (<see cref="UserShard.Lead"/>).</summary>
    public string Writer { get; init; } = "";

    /// <summary>Users this shard may hold in memory.</summary>
    public required int HotUsersMax { get; init; }
}
