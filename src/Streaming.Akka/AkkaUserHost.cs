#if USE_AKKA
using System.Text;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Streaming.Actors;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Users;

namespace Streaming.Akka;

/// <summary>
/// <see cref="IUserHost"/> over the whole cluster: every partition is an entity somewhere, and this is the way to it. Records on
/// their way to a shard are bounded by a window that its answers refill. An answer that fails or never comes stops the host:
/// every later call throws, and the node restarts from its checkpoint.
/// </summary>
public class AkkaUserHost : IUserHost
{
    private const int RecordsPerMessage = 256;

    private readonly ActorSystem _system;
    private readonly AkkaHostOptions _options;
    private readonly bool _ownsSystem;
    private readonly IActorRef _region;
    private readonly TimeSpan _askTimeout;
    private readonly SemaphoreSlim[] _windows;
    private readonly UserHostCounts[] _counts;
    private IReadOnlyList<int>? _all;
    private volatile Exception? _fault;

    private protected AkkaUserHost(ActorSystem system, AkkaHostOptions options, IActorRef region, bool ownsSystem)
    {
        _system = system;
        _options = options;
        _region = region;
        _ownsSystem = ownsSystem;
        _askTimeout = system.Settings.Config.GetTimeSpan("streaming.users.ask-timeout");
        var messagesMax = Math.Max(1, options.MailboxRecordsMax / RecordsPerMessage);
        _windows = new SemaphoreSlim[options.Partitions];
        for (var i = 0; i < _windows.Length; i++) _windows[i] = new SemaphoreSlim(messagesMax);
        _counts = new UserHostCounts[options.Partitions];
    }

    /// <summary>Registers the shards with a system that has joined its cluster.</summary>
    public static async Task<AkkaUserHost> StartAsync(ActorSystem system, AkkaHostOptions options, Func<int, UserShard> shardOf, bool ownsSystem)
    {
        var sharding = ClusterSharding.Get(system);
        var settings = ClusterShardingSettings.Create(system);
        var region = await sharding.StartAsync(
            options.TypeName, id => UserShardActor.Props(id, shardOf, waits: false), settings, new PartitionExtractor(),
            sharding.DefaultShardAllocationStrategy(settings), UserShardActor.HandOver.Instance).ConfigureAwait(false);
        return new AkkaUserHost(system, options, region, ownsSystem);
    }

    public UserHostCounts Counts
    {
        get
        {
            var sum = default(UserHostCounts);
            lock (_counts)
                foreach (var p in Asked) sum += _counts[p];
            return sum;
        }
    }

    /// <summary>Partitions whose shards are told what is for all, and counted.</summary>
    private protected virtual IReadOnlyList<int> Asked => _all ??= [.. Enumerable.Range(0, _options.Partitions)];

    /// <summary>Throws where a partition's shard is not this host's to ask.</summary>
    private protected virtual void Check(int partition)
    {
    }

    public async ValueTask TellAsync(LogBatch batch, CancellationToken cancel = default)
    {
        Check(batch.Partition);
        var window = _windows[batch.Partition];
        for (var from = 0; from < batch.Count; from += RecordsPerMessage)
        {
            await window.WaitAsync(cancel).ConfigureAwait(false);
            ThrowIfFaulted();
            var bytes = ShardMessageCodec.EncodeBatch(batch, from, Math.Min(batch.Count, from + RecordsPerMessage));
            // Not awaited: the window is what waits. Messages reach the shard in the order in which this loop sends them.
            _ = ApplyAsync(window, new ApplyRecords(batch.Partition, bytes));
        }
    }

    public Task DrainAsync(CancellationToken cancel = default) => OnEveryShard(p => new DrainShard(p), cancel);

    public async Task<int> RefreshAsync(long nowMs, int listsMax, bool quietToo = true, CancellationToken cancel = default) =>
        (await OnEveryShard(p => new RefreshLists(p, nowMs, listsMax, quietToo), cancel).ConfigureAwait(false)).Sum(a => a.Waiting);

    public Task RequestListAsync(string user, string surface, string? arm = null, CancellationToken cancel = default) =>
        CallAsync(new RequestList(PartitionOf(user), user, surface, arm), cancel);

    public Task FlushAsync(CancellationToken cancel = default) => OnEveryShard(p => new FlushShard(p), cancel);

    /// <summary>The state comes over as bytes, so the question runs here, on a copy, wherever the shard is.</summary>
    public async Task<T> AskAsync<T>(string user, Func<UserState?, T> question, CancellationToken cancel = default)
    {
        var answer = await CallAsync(new GetUser(PartitionOf(user), user), cancel).ConfigureAwait(false);
        return question(answer.User is { } bytes ? UserStateCodec.Read(bytes, _options.Dimension, user) : null);
    }

    /// <summary>Hands this node's shards over to the others, or writes them into the store where there are none.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        var timeout = _system.Settings.Config.GetTimeSpan("streaming.users.leave-timeout");
        await _region.GracefulStop(timeout, GracefulShutdown.Instance).ConfigureAwait(false);
        if (_ownsSystem) await CoordinatedShutdown.Get(_system).Run(CoordinatedShutdown.ActorSystemTerminateReason.Instance).ConfigureAwait(false);
    }

    private int PartitionOf(string user) => Murmur2.PartitionOf(Encoding.UTF8.GetBytes(user), _options.Partitions);

    private async Task ApplyAsync(SemaphoreSlim window, ApplyRecords records)
    {
        try
        {
            Check(await _region.Ask<ShardAnswer>(records, _askTimeout).ConfigureAwait(false), records.Partition);
        }
        catch (Exception problem)
        {
            _fault ??= problem;
        }
        finally
        {
            window.Release();
        }
    }

    private async Task<ShardAnswer[]> OnEveryShard(Func<int, IShardCommand> command, CancellationToken cancel)
    {
        var answers = await Task.WhenAll(Asked.Select(p => CallAsync(command(p), cancel)).ToList()).ConfigureAwait(false);
        ThrowIfFaulted();
        return answers;
    }

    private protected async Task<ShardAnswer> CallAsync(IShardCommand command, CancellationToken cancel, TimeSpan? timeout = null)
    {
        ThrowIfFaulted();
        if (command is not (OpenShard or CloseShard)) Check(command.Partition);
        var answer = await _region.Ask<ShardAnswer>(command, timeout ?? _askTimeout, cancel).ConfigureAwait(false);
        Check(answer, command.Partition);
        // Only here: the answers to records come in while later commands are already answered, and would turn the counts back.
        lock (_counts) _counts[command.Partition] = answer.Counts;
        return answer;
    }

    private static void Check(ShardAnswer answer, int partition)
    {
        if (answer.Fault == UserShardActor.Elsewhere) throw new ShardElsewhereException(partition);
        if (answer.Fault is { } fault) throw new InvalidOperationException($"user shard {partition} stopped: {fault}");
    }

    private void ThrowIfFaulted()
    {
        if (_fault is { } fault) throw new InvalidOperationException($"{fault.Message} The node has to restart from its checkpoint.", fault);
    }
}
#endif
