using FASTER.core;

namespace Streaming.Storage.State;

/// <summary>One thread's access to a <see cref="HybridStore"/>.</summary>
internal sealed class HybridSession : IDisposable
{
    private readonly HybridStore _store;
    private readonly StoreFunctions _functions = new();
    private readonly ClientSession<SpanByte, SpanByte, SpanByte, ValueSink, Empty, StoreFunctions> _session;
    private byte[] _value = GC.AllocateUninitializedArray<byte>(4096, pinned: true);

    public HybridSession(HybridStore store, FasterKV<SpanByte, SpanByte> kv)
    {
        _store = store;
        _session = kv.For(_functions).NewSession<StoreFunctions>();
    }

    /// <summary>Hands the value to <paramref name="sink"/>; waits where it has to come from the disk. False when the key is absent.</summary>
    /// <exception cref="InvalidDataException">The value on the disk is damaged.</exception>
    public unsafe bool TryRead(ReadOnlySpan<byte> key, ValueSink sink)
    {
        Check(key);
        fixed (byte* pinned = key)
        {
            var stored = SpanByte.FromPointer(pinned, key.Length);
            SpanByte input = default;
            _functions.Corrupt = false;
            var status = _session.Read(ref stored, ref input, ref sink);
            if (status.IsPending)
            {
                _functions.FromDisk = true;
                _session.CompletePending(wait: true);
                _functions.FromDisk = false;
                status = _functions.Completed;
            }
            if (_functions.Corrupt || status.IsFaulted) throw new InvalidDataException($"A value in '{_store.Folder}' is damaged on the disk. Recover an older checkpoint.");
            return status.Found;
        }
    }

    /// <exception cref="ArgumentException">Key and value together are larger than a page takes.</exception>
    public unsafe void Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Check(key);
        if (key.Length + value.Length > _store.RecordBytesMax)
            throw new ArgumentException($"A record of {key.Length + value.Length} bytes is larger than the {_store.RecordBytesMax} that fit a page; raise PageKb of this store.", nameof(value));
        var length = StoreFunctions.CrcBytes + value.Length;
        if (_value.Length < length) _value = GC.AllocateUninitializedArray<byte>(Math.Max(length, _value.Length * 2), pinned: true);
        BitConverter.TryWriteBytes(_value, Crc32C.Of(value));
        value.CopyTo(_value.AsSpan(StoreFunctions.CrcBytes));
        fixed (byte* pinnedKey = key, pinnedValue = _value)
        {
            var storedKey = SpanByte.FromPointer(pinnedKey, key.Length);
            var storedValue = SpanByte.FromPointer(pinnedValue, length);
            if (_session.Upsert(ref storedKey, ref storedValue).IsPending) _session.CompletePending(wait: true);
        }
    }

    public unsafe void Delete(ReadOnlySpan<byte> key)
    {
        Check(key);
        fixed (byte* pinned = key)
        {
            var stored = SpanByte.FromPointer(pinned, key.Length);
            if (_session.Delete(ref stored).IsPending) _session.CompletePending(wait: true);
        }
    }

    public void Dispose() => _session.Dispose();

    private void Check(ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty) throw new ArgumentException("a key must not be empty", nameof(key));
        _store.ThrowIfFailed();
    }
}
