using System.Collections;
using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Users;

/// <summary>
/// Impressions of one user by the time shown, packed into a few arrays of bytes. Several hundred of them wait for every user, and each outlives the
/// collector's first generation: as objects they made its pauses, which every look-up sees. Reading an element by index makes a copy.
/// </summary>
public sealed class ImpressionQueue : IReadOnlyList<PendingImpression>
{
    private const int BlockMin = 256, BlockMax = 4096;

    /// <summary>What an empty queue holds on to at most, bytes.</summary>
    private const int KeptEmpty = 1024;

    /// <summary>Emptied blocks that a thread keeps for the next queue that is short of one, when those that emptied them have their own.</summary>
    private const int SparesMax = 64;

    [ThreadStatic] private static ByteWriter? _scratch;
    [ThreadStatic] private static Stack<byte[]>? _spares;

    private Slot[] _slots = [];
    private int _first;

    /// <summary>Filled one after the other; each is used again when all that lay in it has left.</summary>
    private readonly List<Block> _blocks = [];

    /// <summary>How many blocks have left the list so far: slots count from there.</summary>
    private int _gone;

    /// <summary>An emptied block for the next to be filled, so that a queue that stays as long as it is allocates nothing.</summary>
    private byte[]? _spare;

    private record struct Place(int Block, int Start, int Bytes);

    /// <summary>What is searched, and where the rest lies.</summary>
    private struct Slot
    {
        public ulong ItemKey, Request;
        public long ShownMs;
        public Place Own, Moment;
        public ImpressionLabel Label;
        public ushort GoalsKnown, GoalsMet;
    }

    private struct Block(byte[] bytes)
    {
        public byte[] Bytes = bytes;
        public int End;

        /// <summary>Pieces of slots that lie in it.</summary>
        public int Pieces;
    }

    public int Count { get; private set; }

    /// <summary>A copy: changing it changes nothing here.</summary>
    public PendingImpression this[int index]
    {
        get
        {
            var p = At(index);
            return new PendingImpression
            {
                ItemKey = p.ItemKey, ItemId = p.HasItemId ? Encoding.UTF8.GetString(p.ItemId) : null, Source = p.Source, Ordinal = p.Ordinal,
                ShownMs = p.ShownMs, Position = p.Position, Surface = Encoding.UTF8.GetString(p.Surface), Arm = Encoding.UTF8.GetString(p.Arm),
                RequestId = p.HasRequestId ? Encoding.UTF8.GetString(p.RequestId) : null, ListVersion = p.ListVersion,
                ModelVersion = Encoding.UTF8.GetString(p.ModelVersion), Propensity = p.Propensity, Team = p.Team, Features = p.Features.ToArray(),
                Values = p.AllValues(), UserVector = p.UserVector.ToArray(), Dense = p.Dense.ToArray(), History = p.History.ToArray(),
                HistoryInSession = p.HistoryInSession, Slate = p.Slate.ToArray(), Label = p.Label, GoalsKnown = p.GoalsKnown, GoalsMet = p.GoalsMet,
            };
        }
    }

    internal ulong ItemKeyAt(int index) => SlotAt(index).ItemKey;

    internal long ShownMsAt(int index) => SlotAt(index).ShownMs;

    /// <summary>Hash of the request id; 0 where there is none.</summary>
    internal ulong RequestAt(int index) => SlotAt(index).Request;

    internal ImpressionLabel LabelAt(int index) => SlotAt(index).Label;

    /// <summary>What <see cref="RequestAt"/> says of that id.</summary>
    internal static ulong RequestOf(string? requestId) => requestId is null ? 0 : StableHash.Of(requestId);

    /// <summary>Roughly what they take in memory, bytes; goes by what they hold, so that it is the same before and after passivation.</summary>
    internal long ApproxBytes
    {
        get
        {
            long bytes = 120;
            ReadOnlySpan<byte> moment = default;
            for (var i = 0; i < Count; i++)
            {
                var p = At(i);
                bytes += 64 + p.OwnBytes.Length + (p.MomentBytes.SequenceEqual(moment) ? 0 : p.MomentBytes.Length);
                moment = p.MomentBytes;
            }
            return bytes;
        }
    }

    /// <summary>Whether the label of any goal has left.</summary>
    internal bool HasGoals
    {
        get
        {
            for (var i = 0; i < Count; i++)
                if (SlotAt(i).GoalsKnown != 0) return true;
            return false;
        }
    }

    /// <summary>How many have that label.</summary>
    public int CountOf(ImpressionLabel label)
    {
        var count = 0;
        for (var i = 0; i < Count; i++)
            if (SlotAt(i).Label == label) count++;
        return count;
    }

    /// <summary>Puts it behind the last one that was shown no later.</summary>
    public void Add(PendingImpression p)
    {
        var at = Add(p.ItemKey, p.ShownMs, p.Label, new ImpressionFields
        {
            Source = p.Source, Ordinal = p.Ordinal, Position = p.Position, ItemId = p.ItemId, Surface = p.Surface, Arm = p.Arm, RequestId = p.RequestId,
            ListVersion = p.ListVersion, ModelVersion = p.ModelVersion, Propensity = p.Propensity, Team = p.Team, Features = p.Features, Values = p.Values,
            Dense = p.Dense, Slate = p.Slate, UserVector = p.UserVector, History = p.History, HistoryInSession = p.HistoryInSession,
        });
        Know(at, p.GoalsKnown, p.GoalsMet);
    }

    public IEnumerator<PendingImpression> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc cref="Add(PendingImpression)"/>
    /// <returns>Where it is.</returns>
    internal int Add(ulong itemKey, long shownMs, ImpressionLabel label, in ImpressionFields fields)
    {
        var scratch = _scratch ??= new ByteWriter(4096);
        scratch.Clear();
        PackedImpression.WriteOwn(scratch, fields);
        var own = scratch.Length;
        PackedImpression.WriteMoment(scratch, fields);
        return Insert(
            new Slot { ItemKey = itemKey, Request = RequestOf(fields.RequestId), ShownMs = shownMs, Label = label },
            scratch.WrittenSpan[..own], scratch.WrittenSpan[own..]);
    }

    internal PackedImpression At(int index)
    {
        ref readonly var slot = ref SlotAt(index);
        return new PackedImpression(slot.ItemKey, slot.ShownMs, slot.Label, slot.GoalsKnown, slot.GoalsMet, BytesOf(slot.Own), BytesOf(slot.Moment));
    }

    internal void SetLabel(int index, ImpressionLabel label) => SlotAt(index).Label = label;

    /// <summary>Adds goals whose label has left, and those of them that were met.</summary>
    internal void Know(int index, ushort goals, ushort met)
    {
        ref var slot = ref SlotAt(index);
        slot.GoalsKnown |= goals;
        slot.GoalsMet |= met;
    }

    /// <summary>Adds a copy of another queue's.</summary>
    internal void AddFrom(ImpressionQueue other, int index)
    {
        var p = other.At(index);
        Insert(other.SlotAt(index), p.OwnBytes, p.MomentBytes);
    }

    /// <summary>Nothing more can be learned from it: what is left only tells later actions so.</summary>
    internal void Close(int index)
    {
        ref var slot = ref SlotAt(index);
        slot.Own.Bytes = PackedImpression.Strip(BytesOf(slot.Own));
        Release(slot.Moment);
        slot.Moment = default;
        slot.Label = ImpressionLabel.Settled;
    }

    internal void RemoveFirst()
    {
        ref readonly var slot = ref SlotAt(0);
        Release(slot.Own);
        Release(slot.Moment);
        _first++;
        if (--Count > 0) return;
        _first = 0;
        if (_slots.Length > KeptEmpty / 64) _slots = [];
    }

    private ref Slot SlotAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return ref _slots[_first + index];
    }

    private Span<byte> BytesOf(in Place place) => place.Bytes == 0 ? default : _blocks[place.Block - _gone].Bytes.AsSpan(place.Start, place.Bytes);

    private int Insert(Slot slot, ReadOnlySpan<byte> own, ReadOnlySpan<byte> moment)
    {
        var at = Count;
        while (at > 0 && ShownMsAt(at - 1) > slot.ShownMs) at--;
        // Those of one event have their moment in common, and mostly stand side by side.
        if (at > 0 && !moment.IsEmpty && BytesOf(SlotAt(at - 1).Moment).SequenceEqual(moment))
        {
            slot.Moment = SlotAt(at - 1).Moment;
            Blocks[slot.Moment.Block - _gone].Pieces++;
        }
        else slot.Moment = Store(moment);
        slot.Own = Store(own);
        if (_first + Count == _slots.Length) MakeRoom();
        Count++;
        Array.Copy(_slots, _first + at, _slots, _first + at + 1, Count - 1 - at);
        _slots[_first + at] = slot;
        return at;
    }

    private Span<Block> Blocks => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_blocks);

    private void MakeRoom()
    {
        var into = _first > _slots.Length / 4 ? _slots : Resting.Array<Slot>(Math.Max(4, 2 * _slots.Length));
        Array.Copy(_slots, _first, into, 0, Count);
        (_slots, _first) = (into, 0);
    }

    private Place Store(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return default;
        if (_blocks.Count == 0 || _blocks[^1].Bytes.Length - _blocks[^1].End < bytes.Length) _blocks.Add(new Block(NewBlock(bytes.Length)));
        ref var block = ref Blocks[^1];
        var place = new Place(_gone + _blocks.Count - 1, block.End, bytes.Length);
        bytes.CopyTo(block.Bytes.AsSpan(block.End));
        block.End += bytes.Length;
        block.Pieces++;
        return place;
    }

    private byte[] NewBlock(int bytes)
    {
        // A user who comes once takes little; one of many impressions has few blocks.
        var size = Math.Max(bytes, _blocks.Count == 0 ? BlockMin : Math.Min(BlockMax, 2 * _blocks[^1].Bytes.Length));
        if (size != BlockMax) return Resting.Array<byte>(size);
        var spare = _spare ?? (Spares.TryPop(out var other) ? other : Resting.Array<byte>(BlockMax));
        _spare = null;
        return spare;
    }

    private void Release(in Place place)
    {
        if (place.Bytes == 0) return;
        var at = place.Block - _gone;
        ref var block = ref Blocks[at];
        if (--block.Pieces > 0) return;
        if (at == _blocks.Count - 1) block.End = 0;
        else
        {
            Spare(block.Bytes);
            block.Bytes = [];
        }
        while (_blocks.Count > 1 && _blocks[0].Pieces == 0)
        {
            _blocks.RemoveAt(0);
            _gone++;
        }
        if (_blocks is not [{ Pieces: 0, Bytes.Length: > KeptEmpty }]) return;
        _spare ??= _blocks[0].Bytes;
        _blocks.Clear();
        _gone++;
        // An empty queue keeps none.
        if (_spare.Length == BlockMax && Spares.Count < SparesMax) Spares.Push(_spare);
        _spare = null;
    }

    private static Stack<byte[]> Spares => _spares ??= new Stack<byte[]>();

    private void Spare(byte[] block)
    {
        if (block.Length != BlockMax) return;
        if (_spare is null) _spare = block;
        else if (Spares.Count < SparesMax) Spares.Push(block);
    }
}
