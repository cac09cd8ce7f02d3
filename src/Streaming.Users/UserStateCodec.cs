using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>
/// The persisted form of <see cref="UserState"/>: a version byte, then the fields in a fixed order, times as differences. Equal states
/// give equal bytes, and a state that was written and read back goes on bit for bit as the original: collections keep
/// their order. The user's id is the record's key and not part of it. Version 2, written only where a list has teams, has them after each list's propensities; version 3, written
/// only where a list was shuffled, the teams and after them how many of its items were; version 4, written only where an impression has goals, both.
/// </summary>
public static class UserStateCodec
{
    private const byte Version = 1;
    private const byte VersionWithTeams = 2;
    private const byte VersionWithSlates = 3;
    private const byte VersionWithGoals = 4;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(UserState state, ByteWriter into)
    {
        var version = state.Pending.HasGoals || state.Closed.HasGoals ? VersionWithGoals : HasSlates(state) ? VersionWithSlates : HasTeams(state) ? VersionWithTeams : Version;
        into.Byte(version);
        into.Signed(state.LastEventMs);
        into.Signed(state.LastEventMs - state.FirstEventMs);
        WritePosition(into, state.LastApplied);
        into.Signed(state.Events);
        into.Signed(state.Impressions);
        into.Signed(state.Positives);
        into.Signed(state.RatingCount);
        if (state.RatingCount != 0)
        {
            into.Double(state.RatingSum);
            into.Signed(state.RatingPositives);
        }
        into.Signed(state.SessionsClosed);
        into.Signed(state.ListVersion);
        into.Signed(state.SeenListVersion);
        into.Signed(state.SeenSinceList);
        into.Signed(state.WakeMs == 0 ? 0 : state.WakeMs - state.LastEventMs + (state.WakeMs >= state.LastEventMs ? 1 : 0));
        WritePosition(into, state.ReleaseSource);
        into.Signed(state.ReleaseOrdinal);
        WriteProfile(into, state.Profile);
        WriteSession(into, state);
        WriteActions(into, state.History, state.LastEventMs);
        ImpressionCodec.Write(into, state.Pending, state.LastEventMs);
        ImpressionCodec.Write(into, state.Closed, state.LastEventMs);
        WriteTables(into, state);
        WriteKeys(into, CollectionsMarshal.AsSpan(state.RecentEventIds));
        into.Count(state.RecentTerms.Count);
        foreach (var term in state.RecentTerms) into.String(term);
        WriteLists(into, state, version);
        WriteVectors(into, state);
    }

    /// <param name="bytes">What <see cref="Write"/> wrote, nothing more.</param>
    /// <param name="dimension">Length of every vector.</param>
    /// <param name="user">The record's key.</param>
    /// <exception cref="FormatException">Torn, corrupt, of another dimension, or from a newer build.</exception>
    public static UserState Read(ReadOnlySpan<byte> bytes, int dimension, string user)
    {
        var reader = new ByteReader(bytes);
        var version = reader.Version(VersionWithGoals, "a user's state");
        var state = new UserState(user, dimension);
        state.LastEventMs = reader.Signed();
        state.FirstEventMs = state.LastEventMs - reader.Signed();
        state.LastApplied = ReadPosition(ref reader);
        state.Events = reader.Signed();
        state.Impressions = reader.Signed();
        state.Positives = reader.Signed();
        state.RatingCount = reader.Signed();
        if (state.RatingCount != 0)
        {
            state.RatingSum = reader.Double();
            state.RatingPositives = reader.Signed();
        }
        state.SessionsClosed = reader.Signed();
        state.ListVersion = reader.Signed();
        state.SeenListVersion = reader.Signed();
        state.SeenSinceList = Int(reader.Signed());
        var wake = reader.Signed();
        state.WakeMs = wake == 0 ? 0 : state.LastEventMs + wake - (wake > 0 ? 1 : 0);
        state.ReleaseSource = ReadPosition(ref reader);
        state.ReleaseOrdinal = Int(reader.Signed());
        state.Profile = ReadProfile(ref reader);
        ReadSession(ref reader, state);
        ReadActions(ref reader, state.History, state.LastEventMs);
        ImpressionCodec.Read(ref reader, state.Pending, state.LastEventMs);
        ImpressionCodec.Read(ref reader, state.Closed, state.LastEventMs);
        ReadTables(ref reader, state);
        ReadKeys(ref reader, state.RecentEventIds);
        for (var left = reader.Count(); left > 0; left--) state.RecentTerms.Add(Text(ref reader));
        ReadLists(ref reader, state, version);
        ReadVectors(ref reader, state, dimension);
        if (!reader.AtEnd) throw new FormatException($"{reader.Remaining} bytes follow the user's state");
        return state;
    }

    internal static void WritePosition(ByteWriter into, LogPosition position)
    {
        into.Signed(position.Partition);
        into.Signed(position.Offset);
    }

    internal static LogPosition ReadPosition(ref ByteReader reader) => new(Int(reader.Signed()), reader.Signed());

    internal static int Int(long value) =>
        value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new FormatException($"{value} does not fit 32 bits");

    internal static string Text(ref ByteReader reader) => reader.String() ?? throw new FormatException("a text is missing");

    private static EventKind Kind(byte value) =>
        value <= (byte)EventKind.Tick ? (EventKind)value : throw new FormatException($"{value} is no kind of event");

    private static void WriteProfile(ByteWriter into, UserProfile? profile)
    {
        into.Bool(profile is not null);
        if (profile is null) return;
        into.Count(profile.Interests.Count);
        foreach (var interest in profile.Interests) into.String(interest);
        into.Count(profile.Attributes.Count);
        foreach (var (name, value) in profile.Attributes)
        {
            into.String(name);
            into.String(value);
        }
    }

    private static UserProfile? ReadProfile(ref ByteReader reader)
    {
        if (!reader.Bool()) return null;
        var interests = new string[reader.Count()];
        for (var i = 0; i < interests.Length; i++) interests[i] = Text(ref reader);
        var attributes = new KeyValuePair<string, string>[reader.Count(2)];
        for (var i = 0; i < attributes.Length; i++) attributes[i] = new(Text(ref reader), Text(ref reader));
        return new UserProfile { Interests = interests, Attributes = attributes };
    }

    private static void WriteSession(ByteWriter into, UserState state)
    {
        var session = state.Session;
        into.Bool(session.StartMs != 0);
        if (session.StartMs == 0) return;
        into.String(session.Id);
        into.Signed(session.StartMs);
        into.Signed(session.LastMs - session.StartMs);
        WriteActions(into, session.Actions, session.LastMs);
    }

    private static void ReadSession(ref ByteReader reader, UserState state)
    {
        if (!reader.Bool()) return;
        var session = state.Session;
        session.Id = reader.String();
        session.StartMs = reader.Signed();
        session.LastMs = session.StartMs + reader.Signed();
        ReadActions(ref reader, session.Actions, session.LastMs);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteActions(ByteWriter into, List<PastAction> actions, long baseMs)
    {
        into.Count(actions.Count);
        foreach (var action in actions)
        {
            into.UInt64(action.ItemKey);
            into.Byte((byte)action.Action);
            into.Single(action.Weight);
            into.Signed(baseMs - action.TimeMs);
        }
    }

    private static void ReadActions(ref ByteReader reader, List<PastAction> actions, long baseMs)
    {
        var count = reader.Count(14);
        actions.EnsureCapacity(count);
        for (var i = 0; i < count; i++)
            actions.Add(new PastAction(reader.UInt64(), Kind(reader.Byte()), reader.Single(), baseMs - reader.Signed()));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteTables(ByteWriter into, UserState state)
    {
        into.Count(state.Interests.Count);
        foreach (var (key, interest) in state.Interests)
        {
            into.UInt64(key);
            into.Single(interest.Weight);
            into.Signed(state.LastEventMs - interest.TimeMs);
            into.Signed(interest.Count);
        }
        into.Count(state.Marks.Count);
        foreach (var (key, marks) in state.Marks)
        {
            into.UInt64(key);
            into.Byte((byte)((marks.Disliked ? 1 : 0) | (marks.Hidden ? 2 : 0)));
            into.Signed(marks.Served);
            into.Signed(marks.Seen);
            into.Signed(marks.Clicked);
            into.Signed(state.LastEventMs - marks.LastMs);
        }
    }

    private static void ReadTables(ref ByteReader reader, UserState state)
    {
        var interests = reader.Count(14);
        state.Interests.Reserve(interests);
        for (var i = 0; i < interests; i++)
        {
            var key = reader.UInt64();
            NewSlot(state.Interests, key) = new Interest(reader.Single(), state.LastEventMs - reader.Signed(), Int(reader.Signed()));
        }
        var count = reader.Count(13);
        state.Marks.Reserve(count);
        for (var i = 0; i < count; i++)
        {
            var key = reader.UInt64();
            var flags = reader.Byte();
            if (flags > 3) throw new FormatException($"{flags} are no marks");
            NewSlot(state.Marks, key) = new ItemMarks(
                Int(reader.Signed()), Int(reader.Signed()), Int(reader.Signed()), (flags & 1) != 0, (flags & 2) != 0,
                state.LastEventMs - reader.Signed());
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void WriteKeys(ByteWriter into, ReadOnlySpan<ulong> keys)
    {
        into.Count(keys.Length);
        into.Raw(MemoryMarshal.AsBytes(keys));
    }

    internal static ulong[] Keys(ref ByteReader reader)
    {
        var keys = new ulong[reader.Count(8)];
        reader.Raw(keys.Length * 8).CopyTo(MemoryMarshal.AsBytes(keys.AsSpan()));
        return keys;
    }

    private static ref T NewSlot<T>(KeyedTable<T> table, ulong key) where T : struct
    {
        ref var slot = ref table.Slot(key, out var existed);
        if (existed) throw new FormatException($"key {key:x} comes twice");
        return ref slot;
    }

    private static void ReadKeys(ref ByteReader reader, List<ulong> keys)
    {
        var count = reader.Count(8);
        CollectionsMarshal.SetCount(keys, count);
        reader.Raw(count * 8).CopyTo(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(keys)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteLists(ByteWriter into, UserState state, byte version)
    {
        into.Count(state.Lists.Count);
        foreach (var list in state.Lists)
        {
            into.Signed(list.Version);
            into.String(list.Surface);
            into.String(list.Arm);
            into.String(list.Models);
            WriteKeys(into, list.Items);
            into.Singles(list.Propensities);
            if (version >= VersionWithTeams) into.Bytes(MemoryMarshal.AsBytes(list.Teams.AsSpan()));
            if (version >= VersionWithSlates) into.Count(list.Shuffled);
        }
    }

    private static void ReadLists(ref ByteReader reader, UserState state, byte version)
    {
        for (var left = reader.Count(6); left > 0; left--)
        {
            var list = reader.Signed();
            var (surface, arm, models) = (Text(ref reader), Text(ref reader), Text(ref reader));
            var items = Keys(ref reader);
            var propensities = reader.Singles();
            var teams = version >= VersionWithTeams ? ReadTeams(ref reader) : [];
            var shuffled = version >= VersionWithSlates ? reader.Count() : 0;
            if (shuffled > items.Length) throw new FormatException($"{shuffled} of {items.Length} items of a list cannot be shuffled");
            state.Lists.Add(new ListRef
            {
                Version = list, Surface = surface, Arm = arm, Models = models, Items = items, Propensities = propensities, Teams = teams, Shuffled = shuffled,
            });
        }
    }

    private static Team[] ReadTeams(ref ByteReader reader)
    {
        var teams = MemoryMarshal.Cast<byte, Team>(reader.Bytes()).ToArray();
        foreach (var team in teams)
            if ((byte)team > Teams.Max) throw new FormatException($"{(byte)team} is no team of a list");
        return teams;
    }

    private static bool HasTeams(UserState state)
    {
        foreach (var list in state.Lists)
            if (list.Teams.Length > 0) return true;
        return false;
    }

    private static bool HasSlates(UserState state)
    {
        foreach (var list in state.Lists)
            if (list.Shuffled > 0) return true;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteVectors(ByteWriter into, UserState state)
    {
        WriteVector(into, state.Embedding);
        into.Single(state.EmbeddingG2);
        into.Single(state.EmbeddingBias);
        into.Single(state.EmbeddingBiasG2);
        WriteMean(into, state.ShortVector, state.ShortWeight, state.ShortMs);
        WriteMean(into, state.LongVector, state.LongWeight, state.LongMs);
        into.Count(state.InterestVectors.Count);
        foreach (var vector in state.InterestVectors)
        {
            into.Singles(vector.Centre);
            into.Single(vector.Weight);
            into.Signed(vector.TimeMs);
        }
    }

    private static void ReadVectors(ref ByteReader reader, UserState state, int dimension)
    {
        ReadVector(ref reader, state.Embedding);
        state.EmbeddingG2 = reader.Single();
        state.EmbeddingBias = reader.Single();
        state.EmbeddingBiasG2 = reader.Single();
        (state.ShortWeight, state.ShortMs) = ReadMean(ref reader, state.ShortVector);
        (state.LongWeight, state.LongMs) = ReadMean(ref reader, state.LongVector);
        for (var left = reader.Count(4 * dimension + 6); left > 0; left--)
        {
            var centre = reader.Singles();
            if (centre.Length != dimension) throw new FormatException($"expected a vector of {dimension}, found {centre.Length}");
            state.InterestVectors.Add(new InterestVector(centre) { Weight = reader.Single(), TimeMs = reader.Signed() });
        }
    }

    private static void WriteMean(ByteWriter into, float[] mean, float weight, long timeMs)
    {
        WriteVector(into, mean);
        into.Single(weight);
        into.Signed(timeMs);
    }

    private static (float Weight, long TimeMs) ReadMean(ref ByteReader reader, float[] mean)
    {
        ReadVector(ref reader, mean);
        return (reader.Single(), reader.Signed());
    }

    /// <summary>A vector of all-zero bits, as users have who never acted, takes one byte.</summary>
    private static void WriteVector(ByteWriter into, ReadOnlySpan<float> vector)
    {
        if (MemoryMarshal.AsBytes(vector).ContainsAnyExcept((byte)0)) into.Singles(vector);
        else into.Count(0);
    }

    private static void ReadVector(ref ByteReader reader, Span<float> vector)
    {
        var count = reader.Count(4);
        if (count == 0) return;
        if (count != vector.Length) throw new FormatException($"expected a vector of {vector.Length}, found {count}");
        reader.Raw(count * 4).CopyTo(MemoryMarshal.AsBytes(vector));
    }
}
