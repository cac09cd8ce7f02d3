using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>
/// The persisted form of the impressions in a join. Neighbours mostly come from one list, so each writes only what differs
/// from the one before; values that are all 1, no team, no slate, no goals and no dense features are left out.
/// </summary>
internal static class ImpressionCodec
{
    [Flags]
    private enum Same : ushort
    {
        None = 0, Surface = 1, Arm = 2, RequestId = 4, Models = 8, Vector = 16, Ones = 32, Source = 64, Shown = 128, NoPropensity = 256,
        NewHistory = 512, Team = 1024, Dense = 2048, Slate = 4096, Goals = 8192, All = 16383,
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(ByteWriter into, ImpressionQueue impressions, long baseMs)
    {
        into.Count(impressions.Count);
        PackedImpression before = default;
        for (var i = 0; i < impressions.Count; i++)
        {
            var p = impressions.At(i);
            var same = Compare(p, before, isFirst: i == 0);
            into.VarInt((ulong)same);
            into.UInt64(p.ItemKey);
            into.Byte((byte)p.Label);
            Text(into, p.ItemId, p.HasItemId);
            if ((same & Same.Source) == 0) UserStateCodec.WritePosition(into, p.Source);
            into.Signed(p.Ordinal);
            if ((same & Same.Shown) == 0) into.Signed(baseMs - p.ShownMs);
            into.Signed(p.Position);
            if ((same & Same.Surface) == 0) Text(into, p.Surface);
            if ((same & Same.Arm) == 0)
            {
                Text(into, p.Arm);
                into.Signed(p.ListVersion);
            }
            if ((same & Same.RequestId) == 0) Text(into, p.RequestId, p.HasRequestId);
            if ((same & Same.Models) == 0) Text(into, p.ModelVersion);
            if ((same & Same.NoPropensity) == 0) into.Single(p.Propensity);
            if ((same & Same.Team) != 0) into.Byte((byte)p.Team);
            into.Count(p.Features.Length);
            into.Raw(MemoryMarshal.AsBytes(p.Features));
            if ((same & Same.Ones) == 0) into.Singles(p.Values);
            if ((same & Same.Vector) == 0) into.Singles(p.UserVector);
            if ((same & Same.Dense) != 0) into.Singles(p.Dense);
            if ((same & Same.NewHistory) != 0)
            {
                into.Count(p.HistoryInSession);
                UserStateCodec.WriteKeys(into, p.History);
            }
            if ((same & Same.Slate) != 0) UserStateCodec.WriteKeys(into, p.Slate);
            if ((same & Same.Goals) != 0)
            {
                into.VarInt(p.GoalsKnown);
                into.VarInt(p.GoalsMet);
            }
            before = p;
        }
    }

    public static void Read(ref ByteReader reader, ImpressionQueue into, long baseMs)
    {
        var count = reader.Count(14);
        PendingImpression? before = null;
        for (var i = 0; i < count; i++) into.Add(before = ReadOne(ref reader, before, baseMs));
    }

    /// <summary>As <see cref="ByteWriter.String"/> writes it.</summary>
    private static void Text(ByteWriter into, ReadOnlySpan<byte> text, bool isThere = true)
    {
        into.VarInt(isThere ? (ulong)text.Length + 1 : 0);
        into.Raw(text);
    }

    private static PendingImpression ReadOne(ref ByteReader reader, PendingImpression? before, long baseMs)
    {
        var flags = reader.VarInt();
        const Same needsBefore = Same.All & ~(Same.Ones | Same.NoPropensity | Same.NewHistory | Same.Team | Same.Dense | Same.Slate | Same.Goals);
        if (flags > (ulong)Same.All || (before is null && ((Same)flags & needsBefore) != 0))
            throw new FormatException($"an impression has the unknown flags {flags:x}");
        var same = (Same)flags;
        var key = reader.UInt64();
        var label = reader.Byte();
        if (label > (byte)ImpressionLabel.Settled) throw new FormatException($"{label} is no label of an impression");
        var itemId = reader.String();
        var source = (same & Same.Source) != 0 ? before!.Source : UserStateCodec.ReadPosition(ref reader);
        var ordinal = UserStateCodec.Int(reader.Signed());
        var shownMs = (same & Same.Shown) != 0 ? before!.ShownMs : baseMs - reader.Signed();
        var position = UserStateCodec.Int(reader.Signed());
        var surface = (same & Same.Surface) != 0 ? before!.Surface : UserStateCodec.Text(ref reader);
        var (arm, version) = (same & Same.Arm) != 0 ? (before!.Arm, before.ListVersion) : (UserStateCodec.Text(ref reader), reader.Signed());
        var requestId = (same & Same.RequestId) != 0 ? before!.RequestId : reader.String();
        var models = (same & Same.Models) != 0 ? before!.ModelVersion : UserStateCodec.Text(ref reader);
        var propensity = (same & Same.NoPropensity) != 0 ? float.NaN : reader.Single();
        var team = (same & Same.Team) != 0 ? reader.Byte() : (byte)0;
        if (team > Teams.Max) throw new FormatException($"{team} is no team of an impression");
        var features = new uint[reader.Count(4)];
        reader.Raw(features.Length * 4).CopyTo(MemoryMarshal.AsBytes(features.AsSpan()));
        float[] values;
        if ((same & Same.Ones) != 0) Array.Fill(values = new float[features.Length], 1f);
        else values = reader.Singles();
        if (values.Length != features.Length) throw new FormatException($"{features.Length} features have {values.Length} values");
        var vector = (same & Same.Vector) != 0 ? before!.UserVector : reader.Singles();
        var dense = (same & Same.Dense) != 0 ? reader.Singles() : [];
        var (inSession, history) = (before?.HistoryInSession ?? 0, before?.History ?? []);
        if ((same & Same.NewHistory) != 0) (inSession, history) = (reader.Count(), UserStateCodec.Keys(ref reader));
        if (inSession > history.Length) throw new FormatException($"{inSession} of {history.Length} past items cannot be of the session");
        var slate = (same & Same.Slate) != 0 ? UserStateCodec.Keys(ref reader) : [];
        var (known, met) = (same & Same.Goals) != 0 ? (reader.VarInt(), reader.VarInt()) : (0, 0);
        if (known > ushort.MaxValue || (met & ~known) != 0) throw new FormatException($"an impression has the goals {known:x}, of which {met:x} are met");
        return new PendingImpression
        {
            ItemKey = key, ItemId = itemId, Source = source, Ordinal = ordinal, ShownMs = shownMs, Position = position,
            Surface = surface, Arm = arm, RequestId = requestId, ListVersion = version, ModelVersion = models,
            Propensity = propensity, Features = features, Values = values, Label = (ImpressionLabel)label,
            UserVector = vector, History = history, HistoryInSession = inSession, Team = (Team)team, Dense = dense, Slate = slate,
            GoalsKnown = (ushort)known, GoalsMet = (ushort)met,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Same Compare(in PackedImpression p, in PackedImpression before, bool isFirst)
    {
        var same = Same.None;
        if (p.Ones) same |= Same.Ones;
        if (BitConverter.SingleToInt32Bits(p.Propensity) == BitConverter.SingleToInt32Bits(float.NaN)) same |= Same.NoPropensity;
        if (p.HistoryInSession != before.HistoryInSession || !p.History.SequenceEqual(before.History)) same |= Same.NewHistory;
        if (p.Team != Team.None) same |= Same.Team;
        if (p.Dense.Length > 0) same |= Same.Dense;
        if (p.Slate.Length > 0) same |= Same.Slate;
        if (p.GoalsKnown != 0) same |= Same.Goals;
        if (isFirst) return same;
        if (p.Surface.SequenceEqual(before.Surface)) same |= Same.Surface;
        if (p.ListVersion == before.ListVersion && p.Arm.SequenceEqual(before.Arm)) same |= Same.Arm;
        if (p.HasRequestId == before.HasRequestId && p.RequestId.SequenceEqual(before.RequestId)) same |= Same.RequestId;
        if (p.ModelVersion.SequenceEqual(before.ModelVersion)) same |= Same.Models;
        if (p.Source == before.Source) same |= Same.Source;
        if (p.ShownMs == before.ShownMs) same |= Same.Shown;
        if (MemoryMarshal.AsBytes(p.UserVector).SequenceEqual(MemoryMarshal.AsBytes(before.UserVector))) same |= Same.Vector;
        return same;
    }
}
