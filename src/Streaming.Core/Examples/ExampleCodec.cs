using System.Runtime.InteropServices;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Core.Examples;

/// <summary>One record of the <c>examples</c> topic; exactly one of the three is set.</summary>
public readonly record struct ExampleRecord(Example? Example, Interaction? Interaction, Forgotten? Forgotten = null);

/// <summary>
/// Binary form of the <c>examples</c> topic. Byte 0 is the version, byte 1 the kind, byte 2 the flags; then the members in
/// order. What nearly always has its default (values and weights of 1, an unknown propensity, no team) costs one flag bit; all eight are taken. An example drawn from a slate
/// is a kind of its own, which ends with the slate; one that labels goals is another, which ends with further bits, the goals known and met, and the slate where a bit says so.
/// </summary>
public static class ExampleCodec
{
    private const byte Version = 1;
    private const byte ExampleKind = 1;
    private const byte InteractionKind = 2;
    private const byte ForgottenKind = 3;
    private const byte SlateExampleKind = 4;
    private const byte GoalsExampleKind = 5;

    [Flags]
    private enum Flags : byte
    {
        None = 0, Correction = 1, UnitValues = 2, UnitWeight = 4, UnitRate = 8, NoPropensity = 16, History = 32, Team = 64, Dense = 128,
    }

    [Flags]
    private enum GoalFlags : byte
    {
        None = 0, FollowUp = 1, Slate = 2, All = 3,
    }

    /// <summary>Appends the example.</summary>
    /// <exception cref="ArgumentException">Features and values differ in length.</exception>
    public static void Write(Example example, ByteWriter into)
    {
        if (example.Features.Length != example.Values.Length)
            throw new ArgumentException($"{example.Features.Length} features have {example.Values.Length} values", nameof(example));
        var flags = (example.IsCorrection ? Flags.Correction : 0)
            | (example.Values.AsSpan().ContainsAnyExcept(1f) ? 0 : Flags.UnitValues)
            | (example.Weight == 1f ? Flags.UnitWeight : 0)
            | (example.SampleRate == 1f ? Flags.UnitRate : 0)
            | (float.IsNaN(example.Propensity) ? Flags.NoPropensity : 0)
            | (example.History.Length > 0 ? Flags.History : 0)
            | (example.Team != Team.None ? Flags.Team : 0)
            | (example.Dense.Length > 0 ? Flags.Dense : 0);
        var hasGoals = example.GoalsKnown != 0 || example.IsFollowUp;
        Head(into, hasGoals ? GoalsExampleKind : example.Slate.Length > 0 ? SlateExampleKind : ExampleKind, flags, example.Source, example.Ordinal, example.User, example.ItemKey, example.ItemId);
        into.Signed(example.ShownMs);
        into.Signed(example.LabelMs - example.ShownMs);
        into.Single(example.Label);
        if ((flags & Flags.UnitWeight) == 0) into.Single(example.Weight);
        if ((flags & Flags.UnitRate) == 0) into.Single(example.SampleRate);
        if ((flags & Flags.NoPropensity) == 0) into.Single(example.Propensity);
        if ((flags & Flags.Team) != 0) into.Byte((byte)example.Team);
        into.Byte((byte)example.Action);
        into.Signed(example.Position);
        into.String(example.Surface);
        into.String(example.Arm);
        into.Signed(example.ListVersion);
        into.String(example.ModelVersion);
        into.Count(example.Features.Length);
        into.Raw(MemoryMarshal.AsBytes(example.Features.AsSpan()));
        if ((flags & Flags.UnitValues) == 0) into.Raw(MemoryMarshal.AsBytes(example.Values.AsSpan()));
        into.Singles(example.UserVector);
        if ((flags & Flags.Dense) != 0) into.Singles(example.Dense);
        if ((flags & Flags.History) != 0)
        {
            into.Count(example.HistoryInSession);
            Keys(into, example.History);
        }
        if (hasGoals)
        {
            into.Byte((byte)((example.IsFollowUp ? GoalFlags.FollowUp : 0) | (example.Slate.Length > 0 ? GoalFlags.Slate : 0)));
            into.VarInt(example.GoalsKnown);
            into.VarInt(example.GoalsMet);
        }
        if (example.Slate.Length > 0) Keys(into, example.Slate);
    }

    /// <summary>Appends the interaction.</summary>
    public static void Write(Interaction interaction, ByteWriter into)
    {
        var flags = interaction.Weight == 1f ? Flags.UnitWeight : 0;
        Head(into, InteractionKind, flags, interaction.Source, interaction.Ordinal, interaction.User, interaction.ItemKey, interaction.ItemId);
        into.Signed(interaction.TimeMs);
        if ((flags & Flags.UnitWeight) == 0) into.Single(interaction.Weight);
        into.Byte((byte)interaction.Action);
        into.String(interaction.Surface);
        into.Signed(interaction.UserActions);
        Keys(into, interaction.Recent);
    }

    /// <summary>Appends the deletion of a user.</summary>
    public static void Write(Forgotten forgotten, ByteWriter into)
    {
        into.Byte(Version);
        into.Byte(ForgottenKind);
        into.Byte((byte)Flags.None);
        into.Signed(forgotten.Source.Partition);
        into.Signed(forgotten.Source.Offset);
        into.UInt64(forgotten.User);
    }

    /// <exception cref="FormatException">Cut short, corrupt, or from a newer build.</exception>
    public static ExampleRecord Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        reader.Version(Version, "a record of the examples topic");
        var kind = reader.Byte();
        var flags = (Flags)reader.Byte();
        if (kind == InteractionKind && (flags & ~Flags.UnitWeight) != 0)
            throw new FormatException($"an interaction of the examples topic has unknown flags {(byte)flags}");
        var record = kind switch
        {
            ExampleKind or SlateExampleKind or GoalsExampleKind => new ExampleRecord(ReadExample(ref reader, flags, kind), null),
            InteractionKind => new ExampleRecord(null, ReadInteraction(ref reader, flags)),
            ForgottenKind => new ExampleRecord(
                null, null, new Forgotten { Source = new LogPosition(reader.SignedInt32(), reader.Signed()), User = reader.UInt64() }),
            _ => throw new FormatException($"a record of the examples topic has kind {kind}; known are {ExampleKind} to {GoalsExampleKind}"),
        };
        if (!reader.AtEnd) throw new FormatException($"{reader.Remaining} bytes follow a record of the examples topic");
        return record;
    }

    private static void Head(
        ByteWriter into, byte kind, Flags flags, LogPosition source, int ordinal, string user, ulong itemKey, string? itemId)
    {
        into.Byte(Version);
        into.Byte(kind);
        into.Byte((byte)flags);
        into.Signed(source.Partition);
        into.Signed(source.Offset);
        into.Signed(ordinal);
        into.String(user);
        into.UInt64(itemKey);
        into.String(itemId);
    }

    private static Example ReadExample(ref ByteReader reader, Flags flags, byte kind)
    {
        var names = StringCache.Shared;
        var source = new LogPosition(reader.SignedInt32(), reader.Signed());
        var ordinal = reader.SignedInt32();
        var user = User(ref reader);
        var itemKey = reader.UInt64();
        var itemId = reader.String();
        var shownMs = reader.Signed();
        var labelMs = shownMs + reader.Signed();
        var label = reader.Single();
        var weight = (flags & Flags.UnitWeight) != 0 ? 1f : reader.Single();
        var sampleRate = (flags & Flags.UnitRate) != 0 ? 1f : reader.Single();
        var propensity = (flags & Flags.NoPropensity) != 0 ? float.NaN : reader.Single();
        var team = (flags & Flags.Team) != 0 ? ReadTeam(ref reader) : Team.None;
        var action = Action(ref reader);
        var position = reader.SignedInt32();
        var surface = reader.Name(names);
        var arm = reader.Name(names);
        var listVersion = reader.Signed();
        var modelVersion = reader.Name(names);
        var features = new uint[reader.Count(4)];
        reader.Raw(features.Length * 4).CopyTo(MemoryMarshal.AsBytes(features.AsSpan()));
        var values = Values(ref reader, features.Length, flags);
        var userVector = reader.Singles();
        var dense = (flags & Flags.Dense) != 0 ? reader.Singles() : [];
        var (inSession, history) = (flags & Flags.History) != 0 ? (reader.Count(), Keys(ref reader)) : (0, []);
        if (inSession > history.Length) throw new FormatException($"{inSession} of {history.Length} past items cannot be of the session");
        var (isFollowUp, hasSlate, known, met) = kind == GoalsExampleKind ? ReadGoals(ref reader) : (false, kind == SlateExampleKind, (ushort)0, (ushort)0);
        var slate = hasSlate ? Keys(ref reader) : [];
        return new Example
        {
            Source = source, Ordinal = ordinal, User = user, ItemKey = itemKey, ItemId = itemId, ShownMs = shownMs, LabelMs = labelMs,
            Label = label, Weight = weight, SampleRate = sampleRate, IsCorrection = (flags & Flags.Correction) != 0, Action = action,
            Position = position, Surface = surface, Arm = arm, ListVersion = listVersion, ModelVersion = modelVersion,
            Propensity = propensity, Team = team, Dense = dense, Features = features, Values = values, UserVector = userVector, History = history, HistoryInSession = inSession, Slate = slate,
            GoalsKnown = known, GoalsMet = met, IsFollowUp = isFollowUp,
        };
    }

    private static (bool IsFollowUp, bool HasSlate, ushort Known, ushort Met) ReadGoals(ref ByteReader reader)
    {
        var flags = (GoalFlags)reader.Byte();
        if ((flags & ~GoalFlags.All) != 0) throw new FormatException($"an example has unknown flags of goals {(byte)flags}");
        var (known, met) = (reader.VarInt(), reader.VarInt());
        // A mask without a goal would not be written as one; goals are met only where known.
        if ((known & ~(ulong)Goals.AllowedMask) != 0 || (met & ~known) != 0 || (known == 0 && (flags & GoalFlags.FollowUp) == 0))
            throw new FormatException($"an example has the goals {known:x}, of which {met:x} are met");
        return ((flags & GoalFlags.FollowUp) != 0, (flags & GoalFlags.Slate) != 0, (ushort)known, (ushort)met);
    }

    private static float[] Values(ref ByteReader reader, int count, Flags flags)
    {
        var values = new float[count];
        if ((flags & Flags.UnitValues) != 0) values.AsSpan().Fill(1f);
        else reader.Raw(count * 4).CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static Interaction ReadInteraction(ref ByteReader reader, Flags flags)
    {
        var source = new LogPosition(reader.SignedInt32(), reader.Signed());
        var ordinal = reader.SignedInt32();
        var user = User(ref reader);
        var itemKey = reader.UInt64();
        var itemId = reader.String();
        var timeMs = reader.Signed();
        var weight = (flags & Flags.UnitWeight) != 0 ? 1f : reader.Single();
        var action = Action(ref reader);
        var surface = reader.Name(StringCache.Shared);
        var userActions = reader.SignedInt32();
        var recent = Keys(ref reader);
        return new Interaction
        {
            Source = source, Ordinal = ordinal, User = user, ItemKey = itemKey, ItemId = itemId, Action = action, Weight = weight,
            TimeMs = timeMs, Surface = surface, Recent = recent, UserActions = userActions,
        };
    }

    private static void Keys(ByteWriter into, ulong[] keys)
    {
        into.Count(keys.Length);
        into.Raw(MemoryMarshal.AsBytes(keys.AsSpan()));
    }

    private static ulong[] Keys(ref ByteReader reader)
    {
        var keys = new ulong[reader.Count(8)];
        reader.Raw(keys.Length * 8).CopyTo(MemoryMarshal.AsBytes(keys.AsSpan()));
        return keys;
    }

    private static Team ReadTeam(ref ByteReader reader)
    {
        var team = reader.Byte();
        return team <= Teams.Max ? (Team)team : throw new FormatException($"{team} is no team of an example");
    }

    private static string User(ref ByteReader reader) => reader.String() ?? throw new FormatException("a record of the examples topic names no user");

    private static EventKind Action(ref ByteReader reader)
    {
        var action = (EventKind)reader.Byte();
        return Enum.IsDefined(action) ? action : throw new FormatException($"{(byte)action} is no kind of event");
    }
}
