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
public sealed class InProcessUserHost : IUserHost
{
    private const int RecordsPerMessage = 256;

    private readonly Worker[] _workers;

    /// <param name="shards">One shard per partition of <c>events</c>, in order.</param>
    /// <param name="mailboxRecordsMax">Records waiting per shard at most.</param>
    /// <param name="threads">Where the shards' threads of control come from; null for the system's.</param>
    public InProcessUserHost(IReadOnlyList<UserShard> shards, int mailboxRecordsMax, IThreads? threads = null)
    {
        _workers = new Worker[shards.Count];
        for (var i = 0; i < _workers.Length; i++)
        {
            if (shards[i].Partition != i) throw new ArgumentException($"shard {i} is of partition {shards[i].Partition}", nameof(shards));
            _workers[i] = new Worker(shards[i], Math.Max(1, mailboxRecordsMax / RecordsPerMessage), threads ?? SystemThreads.Instance);
        }
    }

    public UserHostCounts Counts
    {
        get
        {
            var sum = default(UserHostCounts);
            foreach (var worker in _workers) sum += worker.Shard.Counts;
            return sum;
        }
    }

    public async ValueTask TellAsync(LogBatch batch, CancellationToken cancel = default)
    {
        var worker = _workers[batch.Partition];
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

    public Task RequestListAsync(string user, string surface, CancellationToken cancel = default) => WorkerOf(user).CallAsync(
        shard =>
        {
            shard.RequestList(user, surface);
            return 0;
        },
        cancel);

    /// <summary>Asks for lists of given arms with the next <see cref="RefreshAsync"/>; unknown users get none.</summary>
    public async Task WantAsync(IReadOnlyList<WantedList> lists, CancellationToken cancel = default)
    {
        foreach (var ofShard in lists.GroupBy(l => WorkerOf(l.User)))
            await ofShard.Key.CallAsync(
                shard =>
                {
                    shard.Want([.. ofShard]);
                    return 0;
                },
                cancel).ConfigureAwait(false);
    }

    public Task FlushAsync(CancellationToken cancel = default) => OnEveryShard(
        shard =>
        {
            shard.Flush();
            return 0;
        },
        cancel);

    public Task<T> AskAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel = default) =>
        WorkerOf(user).CallAsync(shard => question(shard.Peek(user)), cancel);

    /// <summary>Sums a figure over all users in memory.</summary>
    public async Task<long> SumAsync(Func<UserState, long> figure, CancellationToken cancel = default) =>
        (await OnEveryShard(shard => shard.Sum(figure), cancel)).Sum();

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers) await worker.DisposeAsync();
    }

    private Worker WorkerOf(string user) => _workers[Murmur2.PartitionOf(Encoding.UTF8.GetBytes(user), _workers.Length)];

    private async Task<T[]> OnEveryShard<T>(Func<UserShard, T> work, CancellationToken cancel)
    {
        var tasks = new Task<T>[_workers.Length];
        for (var i = 0; i < tasks.Length; i++) tasks[i] = _workers[i].CallAsync(work, cancel);
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
