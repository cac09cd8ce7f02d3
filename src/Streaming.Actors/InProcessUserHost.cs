using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Threads;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>
/// User actors in this process: one bounded mailbox and one thread of control per shard. A fault outside an actor (the store
/// failing, say) stops the host: every later call throws it, and the node restarts from its checkpoint.
/// </summary>
public sealed class InProcessUserHost : IShardHost
{
    private const int RecordsPerMessage = 256;

    private readonly Worker?[] _workers;
    private readonly Func<int, UserShard>? _open;
    private readonly int _messagesMax;
    private readonly IThreads _threads;

    /// <param name="shards">One shard per partition of <c>events</c>, in order.</param>
    /// <param name="mailboxRecordsMax">Records waiting per shard at most.</param>
    /// <param name="threads">Where the shards' threads of control come from; null for the system's.</param>
    public InProcessUserHost(IReadOnlyList<UserShard> shards, int mailboxRecordsMax, IThreads? threads = null)
        : this(shards.Count, null, mailboxRecordsMax, threads)
    {
        for (var i = 0; i < _workers.Length; i++)
        {
            if (shards[i].Partition != i) throw new ArgumentException($"shard {i} is of partition {shards[i].Partition}", nameof(shards));
            _workers[i] = NewWorker(shards[i]);
        }
    }

    /// <summary>A host without shards, until <see cref="WantAsync(IReadOnlyCollection{int}, CancellationToken)"/> names some.</summary>
    /// <param name="partitions">Of <c>events</c>, wherever their shards run.</param>
    /// <param name="open">Opens the shard of a partition in the state that it goes on from.</param>
    /// <param name="mailboxRecordsMax">Records waiting per shard at most.</param>
    /// <param name="threads">Where the shards' threads of control come from; null for the system's.</param>
    public InProcessUserHost(int partitions, Func<int, UserShard>? open, int mailboxRecordsMax, IThreads? threads = null)
    {
        _workers = new Worker?[partitions];
        _open = open;
        _messagesMax = Math.Max(1, mailboxRecordsMax / RecordsPerMessage);
        _threads = threads ?? SystemThreads.Instance;
    }

    public IReadOnlyList<int> Shards => [.. Here().Select(w => w.Shard.Partition)];

    public UserHostCounts Counts
    {
        get
        {
            var sum = default(UserHostCounts);
            foreach (var worker in Here()) sum += worker.Shard.Counts;
            return sum;
        }
    }

    public async ValueTask TellAsync(LogBatch batch, CancellationToken cancel = default)
    {
        var worker = WorkerOf(batch.Partition);
        for (var from = 0; from < batch.Count; from += RecordsPerMessage)
        {
            var to = Math.Min(batch.Count, from + RecordsPerMessage);
            var copy = worker.RentBatch();
            copy.Clear(batch.Partition, batch.Offset(from));
            copy.ReceivedMs = batch.ReceivedMs;
            for (var i = from; i < to; i++)
            {
                var next = i + 1 < batch.Count ? batch.Offset(i + 1) : batch.NextOffset;
                copy.Add(batch.Offset(i), next, batch.TimeMs(i), batch.Key(i).Span, batch.Value(i).Span);
            }
            await worker.PostAsync(new Message(copy, null), cancel);
        }
    }

    public Task DrainAsync(CancellationToken cancel = default) => OnEveryShard(_ => 0, cancel);

    public async Task<int> RefreshAsync(long nowMs, int listsMax, bool quietToo = true, CancellationToken cancel = default) =>
        (await OnEveryShard(shard => shard.Refresh(nowMs, listsMax, quietToo), cancel)).Sum();

    public Task RequestListAsync(string user, string surface, string? arm = null, CancellationToken cancel = default) => WorkerOf(user).CallAsync(
        shard =>
        {
            if (arm is null) shard.RequestList(user, surface);
            else shard.Want(new WantedList(user, surface, arm));
            return 0;
        },
        cancel);

    public Task FlushAsync(CancellationToken cancel = default) => OnEveryShard(
        shard =>
        {
            shard.Flush();
            return 0;
        },
        cancel);

    public async Task<T> AskAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel = default)
    {
        var worker = WorkerOf(user);
        try
        {
            return await worker.CallAsync(shard => question(shard.Peek(user)), cancel);
        }
        catch (ObjectDisposedException) when (_open is not null)
        {
            // It left between the two lines above.
            throw new ShardElsewhereException(worker.Shard.Partition);
        }
    }

    public async Task WantAsync(IReadOnlyCollection<int> partitions, CancellationToken cancel = default)
    {
        if (_open is null) throw new InvalidOperationException("the shards of this host are fixed");
        for (var p = 0; p < _workers.Length; p++)
        {
            if (_workers[p] is not { } worker || partitions.Contains(p)) continue;
            await worker.CallAsync(
                shard =>
                {
                    shard.Flush();
                    return 0;
                },
                cancel).ConfigureAwait(false);
            await EndAsync(p).ConfigureAwait(false);
        }
        foreach (var p in partitions)
            if (_workers[p] is null) Volatile.Write(ref _workers[p], NewWorker(_open(p)));
    }

    public async Task DropAsync(IReadOnlyCollection<int> partitions)
    {
        foreach (var p in partitions) await EndAsync(p).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in Here()) await worker.DisposeAsync();
    }

    private async Task EndAsync(int partition)
    {
        if (Interlocked.Exchange(ref _workers[partition], null) is { } worker) await worker.DisposeAsync().ConfigureAwait(false);
    }

    private Worker NewWorker(UserShard shard) => new(shard, _messagesMax, _threads);

    private IEnumerable<Worker> Here()
    {
        for (var p = 0; p < _workers.Length; p++)
            if (Volatile.Read(ref _workers[p]) is { } worker) yield return worker;
    }

    private Worker WorkerOf(string user) => WorkerOf(Murmur2.PartitionOf(Encoding.UTF8.GetBytes(user), _workers.Length));

    private Worker WorkerOf(int partition) => Volatile.Read(ref _workers[partition]) ?? throw new ShardElsewhereException(partition);

    private async Task<T[]> OnEveryShard<T>(Func<UserShard, T> work, CancellationToken cancel)
    {
        var tasks = new List<Task<T>>(_workers.Length);
        foreach (var worker in Here()) tasks.Add(worker.CallAsync(work, cancel));
        return await Task.WhenAll(tasks);
    }

    /// <summary>Either records to apply, or a call to make on the shard's thread.</summary>
    private readonly record struct Message(LogBatch? Batch, Action<UserShard, Exception?>? Call);

    private sealed class Worker : IAsyncDisposable
    {
        private readonly ILoop<Message> _loop;
        private readonly System.Collections.Concurrent.ConcurrentBag<LogBatch> _free = [];
        private volatile Exception? _fault;

        public Worker(UserShard shard, int messagesMax, IThreads threads)
        {
            Shard = shard;
            _loop = threads.Start<Message>($"shard-{shard.Partition}", messagesMax, Handle);
        }

        public UserShard Shard { get; }

        public LogBatch RentBatch() => _free.TryTake(out var batch) ? batch : new LogBatch();

        public ValueTask PostAsync(Message message, CancellationToken cancel)
        {
            ThrowIfFaulted();
            return _loop.PostAsync(message, cancel);
        }

        public async Task<T> CallAsync<T>(Func<UserShard, T> work, CancellationToken cancel)
        {
            var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
            await PostAsync(
                new Message(null, (shard, fault) =>
                {
                    try
                    {
                        if (fault is not null) done.TrySetException(Wrap(fault));
                        else done.TrySetResult(work(shard));
                    }
                    catch (Exception problem)
                    {
                        done.TrySetException(problem);
                    }
                }),
                cancel);
            return await done.Task.WaitAsync(cancel);
        }

        public ValueTask DisposeAsync() => _loop.DisposeAsync();

        private void Handle(Message message)
        {
            if (message.Batch is { } batch)
            {
                if (_fault is null) Apply(batch);
                _free.Add(batch);
            }
            else
            {
                message.Call!(Shard, _fault);
            }
        }

        private void Apply(LogBatch batch)
        {
            try
            {
                Shard.Apply(batch);
            }
            catch (Exception problem)
            {
                _fault = problem;
            }
        }

        private void ThrowIfFaulted()
        {
            if (_fault is { } fault) throw Wrap(fault);
        }

        private InvalidOperationException Wrap(Exception fault) =>
            new($"user shard {Shard.Partition} stopped: {fault.Message} The node has to restart from its checkpoint.", fault);
    }
}
