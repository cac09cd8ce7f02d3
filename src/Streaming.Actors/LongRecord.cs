using System.Text;
using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Actors;

/// <summary>
/// One value of any length in a state store whose records must fit a page: cut into pieces under numbered keys. Writers are quiet
/// during a checkpoint, so the pieces of one value are in it together.
/// </summary>
internal sealed class LongRecord(IStateSession store, string name)
{
    private const byte FormatVersion = 1;

    /// <summary>Half the smallest page of a store.</summary>
    private const int PieceBytesMax = 32 * 1024;

    private readonly ByteWriter _head = new();
    private int _pieces;

    public void Write(ReadOnlySpan<byte> value)
    {
        var before = _pieces;
        _pieces = (value.Length + PieceBytesMax - 1) / PieceBytesMax;
        for (var i = 0; i < _pieces; i++)
            store.Upsert(PieceKey(i), value[(i * PieceBytesMax)..Math.Min(value.Length, (i + 1) * PieceBytesMax)]);
        for (var i = _pieces; i < before; i++) store.Delete(PieceKey(i));
        _head.Clear();
        _head.Byte(FormatVersion);
        _head.Count(_pieces);
        store.Upsert(Encoding.UTF8.GetBytes(name), _head.WrittenSpan);
    }

    /// <summary>Appends the value to <paramref name="into"/>; false when there is none.</summary>
    /// <exception cref="InvalidDataException">A piece is missing.</exception>
    public bool TryRead(ByteWriter into)
    {
        _head.Clear();
        if (!store.TryRead(Encoding.UTF8.GetBytes(name), _head)) return false;
        var head = new ByteReader(_head.WrittenSpan);
        head.Version(FormatVersion, "the shard's record");
        _pieces = (int)Math.Min(int.MaxValue, head.VarInt());
        for (var i = 0; i < _pieces; i++)
            if (!store.TryRead(PieceKey(i), into)) throw new InvalidDataException($"piece {i} of {_pieces} of a shard's state is missing");
        return true;
    }

    private byte[] PieceKey(int piece) => Encoding.UTF8.GetBytes($"{name}:{piece}");
}
