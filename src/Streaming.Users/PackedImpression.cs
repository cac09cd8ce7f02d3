using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>What there is to pack of an impression; absent texts are null.</summary>
internal readonly ref struct ImpressionFields
{
    public required LogPosition Source { get; init; }
    public required int Ordinal { get; init; }
    public required int Position { get; init; }
    public string? ItemId { get; init; }
    public required string Surface { get; init; }
    public required string Arm { get; init; }
    public string? RequestId { get; init; }
    public required long ListVersion { get; init; }
    public required string ModelVersion { get; init; }
    public required float Propensity { get; init; }
    public required Team Team { get; init; }
    public required ReadOnlySpan<uint> Features { get; init; }
    public required ReadOnlySpan<float> Values { get; init; }
    public required ReadOnlySpan<float> Dense { get; init; }
    public required ReadOnlySpan<ulong> Slate { get; init; }
    public required ReadOnlySpan<float> UserVector { get; init; }
    public required ReadOnlySpan<ulong> History { get; init; }
    public required int HistoryInSession { get; init; }
}

/// <summary>
/// An impression as it lies in an <see cref="ImpressionQueue"/>, in two pieces: its own, and the moment (history and user vector), which neighbours
/// share. Valid until the queue changes. Texts are UTF-8; an absent one is empty, and says so.
/// </summary>
internal readonly ref struct PackedImpression
{
    /// <summary>Length of a text that is absent.</summary>
    private const int Absent = -1;

    /// <summary>Arrays of ones by length, for the many whose values are: one is as good as another.</summary>
    private static readonly float[]?[] SharedOnes = new float[]?[256];

    private readonly Own _own;
    private readonly ReadOnlySpan<byte> _texts;

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Own
    {
        public long Offset, ListVersion;
        public int Partition, Ordinal, Position, Features, Dense, Slate, ItemId, Surface, Arm, RequestId, Models;
        public float Propensity;
        public byte Team, Ones;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Moment
    {
        public int History, InSession, Vector;
    }

    public PackedImpression(
        ulong itemKey, long shownMs, ImpressionLabel label, ushort goalsKnown, ushort goalsMet, ReadOnlySpan<byte> own, ReadOnlySpan<byte> moment)
    {
        (ItemKey, ShownMs, Label, GoalsKnown, GoalsMet) = (itemKey, shownMs, label, goalsKnown, goalsMet);
        OwnBytes = own;
        MomentBytes = moment;
        _own = MemoryMarshal.Read<Own>(own);
        var rest = own[Unsafe.SizeOf<Own>()..];
        Slate = Next<ulong>(ref rest, _own.Slate);
        Features = Next<uint>(ref rest, _own.Features);
        Values = Next<float>(ref rest, _own.Ones != 0 ? 0 : _own.Features);
        Dense = Next<float>(ref rest, _own.Dense);
        _texts = rest;
        if (moment.IsEmpty) return;
        var counts = MemoryMarshal.Read<Moment>(moment);
        rest = moment[Unsafe.SizeOf<Moment>()..];
        HistoryInSession = counts.InSession;
        History = Next<ulong>(ref rest, counts.History);
        UserVector = Next<float>(ref rest, counts.Vector);
    }

    public ulong ItemKey { get; }
    public long ShownMs { get; }
    public ImpressionLabel Label { get; }

    /// <inheritdoc cref="PendingImpression.GoalsKnown"/>
    public ushort GoalsKnown { get; }

    /// <inheritdoc cref="PendingImpression.GoalsMet"/>
    public ushort GoalsMet { get; }

    public ReadOnlySpan<byte> OwnBytes { get; }
    public ReadOnlySpan<byte> MomentBytes { get; }

    public LogPosition Source => new(_own.Partition, _own.Offset);
    public int Ordinal => _own.Ordinal;
    public int Position => _own.Position;
    public long ListVersion => _own.ListVersion;
    public float Propensity => _own.Propensity;
    public Team Team => (Team)_own.Team;
    public ReadOnlySpan<ulong> Slate { get; }
    public ReadOnlySpan<uint> Features { get; }

    /// <summary>Whether every feature has the value 1; then <see cref="Values"/> is empty.</summary>
    public bool Ones => _own.Ones != 0;

    public ReadOnlySpan<float> Values { get; }
    public ReadOnlySpan<float> Dense { get; }
    public int HistoryInSession { get; }
    public ReadOnlySpan<ulong> History { get; }
    public ReadOnlySpan<float> UserVector { get; }

    public bool HasItemId => _own.ItemId != Absent;
    public ReadOnlySpan<byte> ItemId => Text(0, _own.ItemId);
    public ReadOnlySpan<byte> Surface => Text(Length(_own.ItemId), _own.Surface);
    public ReadOnlySpan<byte> Arm => Text(Length(_own.ItemId) + _own.Surface, _own.Arm);
    public bool HasRequestId => _own.RequestId != Absent;
    public ReadOnlySpan<byte> RequestId => Text(Length(_own.ItemId) + _own.Surface + _own.Arm, _own.RequestId);
    public ReadOnlySpan<byte> ModelVersion => _texts[(Length(_own.ItemId) + _own.Surface + _own.Arm + Length(_own.RequestId))..];

    /// <summary>The values, ones and all; not to be written.</summary>
    public float[] AllValues() => Ones ? OnesOf(Features.Length) : Values.ToArray();

    /// <summary>Appends an impression's own piece.</summary>
    public static void WriteOwn(ByteWriter into, in ImpressionFields p)
    {
        var ones = !p.Values.ContainsAnyExcept(1f);
        var own = new Own
        {
            Offset = p.Source.Offset, ListVersion = p.ListVersion, Partition = p.Source.Partition, Ordinal = p.Ordinal, Position = p.Position,
            Features = p.Features.Length, Dense = p.Dense.Length, Slate = p.Slate.Length, ItemId = BytesOf(p.ItemId), Surface = BytesOf(p.Surface),
            Arm = BytesOf(p.Arm), RequestId = BytesOf(p.RequestId), Models = BytesOf(p.ModelVersion), Propensity = p.Propensity, Team = (byte)p.Team,
            Ones = ones ? (byte)1 : (byte)0,
        };
        into.Raw(MemoryMarshal.AsBytes(new ReadOnlySpan<Own>(in own)));
        into.Raw(MemoryMarshal.AsBytes(p.Slate));
        into.Raw(MemoryMarshal.AsBytes(p.Features));
        if (!ones) into.Raw(MemoryMarshal.AsBytes(p.Values));
        into.Raw(MemoryMarshal.AsBytes(p.Dense));
        foreach (var text in (ReadOnlySpan<string?>)[p.ItemId, p.Surface, p.Arm, p.RequestId, p.ModelVersion])
        {
            if (string.IsNullOrEmpty(text)) continue;
            into.Advance(Encoding.UTF8.GetBytes(text, into.GetSpan(Encoding.UTF8.GetByteCount(text))));
        }
    }

    /// <summary>Appends its moment; nothing where nothing is known of it.</summary>
    public static void WriteMoment(ByteWriter into, in ImpressionFields p)
    {
        if (p.History.Length + p.UserVector.Length + p.HistoryInSession == 0) return;
        var counts = new Moment { History = p.History.Length, InSession = p.HistoryInSession, Vector = p.UserVector.Length };
        into.Raw(MemoryMarshal.AsBytes(new ReadOnlySpan<Moment>(in counts)));
        into.Raw(MemoryMarshal.AsBytes(p.History));
        into.Raw(MemoryMarshal.AsBytes(p.UserVector));
    }

    /// <summary>Drops all but position and texts from an own piece, in place. Returns what its length is then.</summary>
    public static int Strip(Span<byte> piece)
    {
        ref var own = ref MemoryMarshal.AsRef<Own>(piece);
        var head = Unsafe.SizeOf<Own>();
        var dropped = 8 * own.Slate + 4 * own.Features + (own.Ones != 0 ? 0 : 4 * own.Features) + 4 * own.Dense;
        piece[(head + dropped)..].CopyTo(piece[head..]);
        (own.Slate, own.Features, own.Dense, own.Ones) = (0, 0, 0, 1);
        return piece.Length - dropped;
    }

    private static float[] OnesOf(int length)
    {
        if (length < SharedOnes.Length && SharedOnes[length] is { } shared) return shared;
        var ones = new float[length];
        Array.Fill(ones, 1f);
        if (length < SharedOnes.Length) SharedOnes[length] = ones;
        return ones;
    }

    private static ReadOnlySpan<T> Next<T>(scoped ref ReadOnlySpan<byte> rest, int count) where T : unmanaged
    {
        var bytes = count * Unsafe.SizeOf<T>();
        var values = MemoryMarshal.Cast<byte, T>(rest[..bytes]);
        rest = rest[bytes..];
        return values;
    }

    private static int BytesOf(string? text) => text is null ? Absent : Encoding.UTF8.GetByteCount(text);

    private static int Length(int bytes) => Math.Max(0, bytes);

    private ReadOnlySpan<byte> Text(int start, int bytes) => _texts.Slice(start, Length(bytes));
}
