using System.Threading.Channels;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Node.Splitting;

namespace Streaming.Node;

/// <summary>
/// Sends served lists back into <c>events</c>, behind the look-up: with arm, position and propensity in them they are the
/// propensity ledger. A page of a list version is logged once per user, however often it is fetched. When the log falls
/// behind, records are dropped and counted rather than slowing look-ups down.
/// </summary>
public sealed class ServedLog : IAsyncDisposable
{
    private readonly Channel<UserEvent> _queue;
    private readonly IEventLog _log;
    private readonly TimeProvider _time;
    private readonly Action<NodeNotice> _notice;
    private readonly Func<bool> _refused;
    private readonly RecentHashes _pages = new(1 << 16);
    private readonly Task _pump;
    private long _dropped;
    private long _logged;

    internal ServedLog(IEventLog log, TimeProvider time, int queuedMax, Action<NodeNotice> notice, Func<bool> refused)
    {
        _log = log;
        _time = time;
        _notice = notice;
        _refused = refused;
        _queue = Channel.CreateBounded<UserEvent>(new BoundedChannelOptions(queuedMax) { SingleReader = true });
        _pump = PumpAsync();
    }

    /// <summary>Served records that are durable in the log.</summary>
    public long Logged => Interlocked.Read(ref _logged);

    /// <summary>Served records that found the queue full, or the disk.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>True the first time that this page of this list version leaves for this user: then build and <see cref="Add"/> its event.</summary>
    public bool IsNew(ulong user, long version, int offset, int limit) =>
        _pages.Add(Core.Ids.StableHash.Combine(user, Core.Ids.StableHash.Finalise((ulong)version << 20 ^ (ulong)offset << 10 ^ (ulong)limit)));

    public void Add(UserEvent served)
    {
        if (_refused() || !_queue.Writer.TryWrite(served)) Interlocked.Increment(ref _dropped);
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _pump;
    }

    private async Task PumpAsync()
    {
        var entries = new List<LogEntry>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            entries.Clear();
            while (entries.Count < 512 && _queue.Reader.TryRead(out var e))
            {
                var json = new ByteWriter(1024);
                EventWriter.Write(e, json);
                entries.Add(new LogEntry(System.Text.Encoding.UTF8.GetBytes(e.User), json.WrittenMemory, _time.GetUtcNow().ToUnixTimeMilliseconds()));
            }
            try
            {
                await _log.AppendAsync(Topics.Events, entries.ToArray());
                Interlocked.Add(ref _logged, entries.Count);
            }
            catch (EventLogException problem)
            {
                Interlocked.Add(ref _dropped, entries.Count);
                _notice(new NodeNotice(NoticeLevel.Warning, $"{entries.Count} served lists could not be logged: {problem.Message}", problem));
            }
        }
    }
}
