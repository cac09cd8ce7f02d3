#if USE_AKKA
using System.Globalization;
using Akka.Actor;
using Akka.Cluster.Sharding;
using Streaming.Actors;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Users;

namespace Streaming.Akka;

/// <summary>
/// The shard of one partition as an entity of the cluster: a mailbox and one thread of control around the same
/// <see cref="UserShard"/> that runs in-process. It never throws: a fault stops its work and is the answer to every message from
/// then on, because a shard restarted by its supervisor would have skipped a record.
/// </summary>
internal sealed class UserShardActor(int partition, Func<int, UserShard> shardOf) : UntypedActor
{
    /// <summary>Sent by Akka before the shard moves or its node leaves.</summary>
    public sealed class HandOver
    {
        public static readonly HandOver Instance = new();
    }

    private readonly LogBatch _batch = new();
    private UserShard? _shard;
    private string? _fault;

    public static Props Props(string entityId, Func<int, UserShard> shardOf) =>
        global::Akka.Actor.Props.Create(() => new UserShardActor(int.Parse(entityId, CultureInfo.InvariantCulture), shardOf));

    protected override void OnReceive(object message)
    {
        var waiting = 0;
        byte[]? user = null;
        if (_fault is null)
        {
            try
            {
                Handle(message, out waiting, out user);
            }
            catch (Exception problem)
            {
                _fault = $"{problem.GetType().Name}: {problem.Message}";
            }
        }
        if (message is HandOver) Context.Stop(Self);
        else Sender.Tell(new ShardAnswer(_shard?.Counts ?? default, waiting, user, _fault));
    }

    private void Handle(object message, out int waiting, out byte[]? user)
    {
        waiting = 0;
        user = null;
        // Made here and not when the actor starts: a store that cannot be opened is then an answer like any other fault.
        _shard ??= shardOf(partition);
        switch (message)
        {
            case ApplyRecords m:
                ShardMessageCodec.DecodeBatch(m.Batch.Span, partition, _batch);
                _shard.Apply(_batch);
                break;
            case RefreshLists m:
                waiting = _shard.Refresh(m.NowMs, m.ListsMax, m.QuietToo);
                break;
            case RequestList m:
                _shard.RequestList(m.User, m.Surface);
                break;
            case GetUser m:
                user = Encode(_shard.Peek(m.User));
                break;
            case FlushShard or HandOver:
                _shard.Flush();
                break;
            case DrainShard:
                break;
            default:
                throw new InvalidOperationException($"a shard does not understand {message.GetType()}");
        }
    }

    private static byte[]? Encode(UserState? state)
    {
        if (state is null) return null;
        var into = new ByteWriter(1024);
        UserStateCodec.Write(state, into);
        return into.WrittenSpan.ToArray();
    }
}

/// <summary>Entity and shard are both the partition.</summary>
internal sealed class PartitionExtractor : IMessageExtractor
{
    public string? EntityId(object message) => (message as IShardCommand)?.Partition.ToString(CultureInfo.InvariantCulture);

    public object? EntityMessage(object message) => message;

    [Obsolete("Akka.NET asks for it still; it calls the other one.")]
    public string? ShardId(object message) => EntityId(message);

    public string ShardId(string entityId, object? messageHint = null) => entityId;
}
#endif
