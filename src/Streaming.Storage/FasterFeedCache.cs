using System.Collections.Concurrent;
using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Storage.State;

namespace Streaming.Storage;

/// <summary>The newest lists on FasterKV, one record per user. Any number of threads may read; each borrows a session from a pool.</summary>
public sealed class FasterFeedCache : IFeedCache, IErasableStore
{
    private readonly HybridStore _store;
    private readonly Action<FeedList, ByteWriter> _encode;
    private readonly int _listsMax;
    private readonly ConcurrentQueue<Worker> _idle = new();

    /// <param name="folder">A folder of its own; created where missing.</param>
    /// <param name="settings">Uses <see cref="StorageSettings.Cache"/> and <see cref="StorageSettings.FeedListsPerUserMax"/>.</param>
    /// <param name="encode">Appends a list's stored form: FeedListCodec.Write.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public FasterFeedCache(string folder, StorageSettings settings, Action<FeedList, ByteWriter> encode)
    {
        _store = new HybridStore(folder, settings.Cache);
        _encode = encode;
        _listsMax = settings.FeedListsPerUserMax;
    }

    /// <summary>Bytes of log, live and dead, in memory and on disk: what compaction keeps bounded.</summary>
    public long LogBytes => _store.LogBytes;

    public bool TryGet(string user, string surface, string arm, ByteWriter into)
    {
        var worker = Borrow();
        try
        {
            return worker.TryGet(user, surface, arm, into);
        }
        finally
        {
            _idle.Enqueue(worker);
        }
    }

    /// <exception cref="ArgumentException">The list is larger than a page of the store, or its user is empty.</exception>
    public void Put(FeedList list)
    {
        var worker = Borrow();
        try
        {
            worker.Put(list, _encode, _listsMax, _store.RecordBytesMax);
        }
        finally
        {
            _idle.Enqueue(worker);
        }
    }

    public void Delete(string user)
    {
        var worker = Borrow();
        try
        {
            worker.Delete(user);
        }
        finally
        {
            _idle.Enqueue(worker);
        }
    }

    public Task<string> CheckpointAsync(CancellationToken cancel = default) => _store.CheckpointAsync(cancel);

    public Task RecoverAsync(string token, CancellationToken cancel = default) => _store.RecoverAsync(token, cancel);

    public void Prune(IReadOnlyCollection<string> keep) => _store.Prune(keep);

    public Task<bool> EraseAsync(IReadOnlyCollection<string> users, Action<string> erased, CancellationToken cancel = default) =>
        _store.EraseAsync(users, erased, ownRecordsToo: false, cancel);

    public void Dispose()
    {
        while (_idle.TryDequeue(out var worker)) worker.Dispose();
        _store.Dispose();
    }

    private Worker Borrow() => _idle.TryDequeue(out var worker) ? worker : new Worker(_store.OpenSession());

    /// <summary>A session with its buffers; used by one thread at a time.</summary>
    private sealed class Worker(HybridSession session) : IDisposable
    {
        private readonly ByteWriter _user = new();
        private readonly ByteWriter _surface = new();
        private readonly ByteWriter _arm = new();
        private readonly ByteWriter _list = new();
        private readonly ByteWriter _after = new();
        private readonly ListSink _listSink = new();
        private readonly WholeSink _wholeSink = new();

        public bool TryGet(string user, string surface, string arm, ByteWriter into)
        {
            Utf8(_user, user);
            Utf8(_surface, surface);
            Utf8(_arm, arm);
            _listSink.Begin(_surface, _arm);
            if (!session.TryRead(_user.WrittenSpan, _listSink)) return false;
            if (_listSink.Damage is { } damage) throw new InvalidDataException($"The lists of a user are damaged: {damage.Message}", damage);
            if (_listSink.Found) into.Raw(_listSink.List.WrittenSpan);
            return _listSink.Found;
        }

        public void Put(FeedList list, Action<FeedList, ByteWriter> encode, int listsMax, int recordBytesMax)
        {
            Utf8(_user, list.User);
            Utf8(_surface, list.Surface);
            Utf8(_arm, list.Arm);
            _list.Clear();
            encode(list, _list);
            var before = session.TryRead(_user.WrittenSpan, _wholeSink) ? _wholeSink.Bytes.WrittenSpan : default;
            _after.Clear();
            UserLists.Replace(before, _surface.WrittenSpan, _arm.WrittenSpan, _list.WrittenSpan, listsMax, recordBytesMax - _user.Length, _after);
            session.Upsert(_user.WrittenSpan, _after.WrittenSpan);
        }

        public void Delete(string user)
        {
            Utf8(_user, user);
            session.Delete(_user.WrittenSpan);
        }

        public void Dispose() => session.Dispose();

        private static void Utf8(ByteWriter into, string text)
        {
            into.Clear();
            Encoding.UTF8.GetBytes(text.AsSpan(), into);
        }
    }

    /// <summary>Copies the one list that is asked for.</summary>
    private sealed class ListSink : ValueSink
    {
        private ByteWriter _surface = null!;
        private ByteWriter _arm = null!;

        public ByteWriter List { get; } = new(4096);
        public bool Found { get; private set; }
        public FormatException? Damage { get; private set; }

        public void Begin(ByteWriter surface, ByteWriter arm) => (_surface, _arm) = (surface, arm);

        public override void Accept(ReadOnlySpan<byte> value)
        {
            List.Clear();
            Damage = null;
            Found = false;
            try
            {
                Found = UserLists.TryFind(value, _surface.WrittenSpan, _arm.WrittenSpan, out var list);
                List.Raw(list);
            }
            catch (FormatException e)
            {
                Damage = e;
            }
        }
    }

    private sealed class WholeSink : ValueSink
    {
        public ByteWriter Bytes { get; } = new(4096);

        public override void Accept(ReadOnlySpan<byte> value)
        {
            Bytes.Clear();
            Bytes.Raw(value);
        }
    }
}
