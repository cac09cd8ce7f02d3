using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Storage.State;

namespace Streaming.Storage;

/// <summary>The users' state on FasterKV: a bounded part in memory, the rest on disk.</summary>
public sealed class FasterStateStore : IStateStore, IErasableStore
{
    private readonly HybridStore _store;

    /// <param name="folder">A folder of its own; created where missing.</param>
    /// <param name="settings">Usually <see cref="StorageSettings.State"/>.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public FasterStateStore(string folder, HybridStoreSettings settings) => _store = new HybridStore(folder, settings);

    /// <summary>Bytes of log, live and dead, in memory and on disk: what compaction keeps bounded.</summary>
    public long LogBytes => _store.LogBytes;

    public IStateSession OpenSession() => new Session(_store.OpenSession());

    public Task<string> CheckpointAsync(CancellationToken cancel = default) => _store.CheckpointAsync(cancel);

    public Task RecoverAsync(string token, CancellationToken cancel = default) => _store.RecoverAsync(token, cancel);

    public void Prune(IReadOnlyCollection<string> keep) => _store.Prune(keep);

    /// <inheritdoc/>
    /// <remarks>Replaced versions of what the owner keeps under names that start with NUL go with it: they may name any user.</remarks>
    public Task<bool> EraseAsync(IReadOnlyCollection<string> users, Action<string> erased, CancellationToken cancel = default) =>
        _store.EraseAsync(users, erased, ownRecordsToo: true, cancel);

    public void Dispose() => _store.Dispose();

    private sealed class Session(HybridSession session) : ValueSink, IStateSession
    {
        private readonly ByteWriter _value = new(4096);

        public bool TryRead(ReadOnlySpan<byte> key, ByteWriter into)
        {
            if (!session.TryRead(key, this)) return false;
            into.Raw(_value.WrittenSpan);
            return true;
        }

        public void Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => session.Upsert(key, value);

        public void Delete(ReadOnlySpan<byte> key) => session.Delete(key);

        public override void Accept(ReadOnlySpan<byte> value)
        {
            _value.Clear();
            _value.Raw(value);
        }

        public void Dispose() => session.Dispose();
    }
}
