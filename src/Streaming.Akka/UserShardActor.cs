#if USE_AKKA
using System.Globalization;
using Akka.Actor;
using Akka.Cluster;
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
/// <param name="partition">Of the shard.</param>
/// <param name="shardOf">Opens it.</param>
/// <param name="waits">Whether it leads only between <see cref="OpenShard"/> and <see cref="CloseShard"/>, as somebody else decides where; else from its first message on.</param>
internal sealed class UserShardActor(int partition, Func<int, UserShard> shardOf, bool waits) : UntypedActor
{
    /// <summary>The answer of a shard that does not lead here.</summary>
    public const string Elsewhere = "elsewhere";

    /// <summary>Sent by Akka before the shard moves or its node leaves.</summary>
    public sealed class HandOver
    {
        public static readonly HandOver Instance = new();
    }

    private readonly LogBatch _batch = new();
    private UserShard? _shard;
    private string? _fault;

    public static Props Props(string entityId, Func<int, UserShard> shardOf, bool waits) =>
        global::Akka.Actor.Props.Create(() => new UserShardActor(int.Parse(entityId, CultureInfo.InvariantCulture), shardOf, waits));

    protected override void OnReceive(object message)
    {
        var waiting = 0;
        byte[]? user = null;
        if (waits && _shard is null && message is not OpenShard)
        {
            if (message is HandOver) Context.Stop(Self);
            else Sender.Tell(new ShardAnswer(default, 0, null, Elsewhere));
            return;
        }
        if (message is OpenShard open && open.Node != Cluster.Get(Context.System).SelfAddress.ToString())
        {
            Sender.Tell(new ShardAnswer(default, 0, null, Elsewhere));
            return;
        }
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
        if (message is not CloseShard) return;
        // Whatever went wrong went wrong with what is gone now.
        (_shard, _fault) = (null, null);
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
            case RequestList { Arm: { } arm } m:
                _shard.Want(new WantedList(m.User, m.Surface, arm));
                break;
            case RequestList m:
                _shard.RequestList(m.User, m.Surface);
                break;
            case GetUser m:
                user = Encode(_shard.Peek(m.User));
                break;
            case FlushShard or HandOver or CloseShard { Writes: true }:
                _shard.Flush();
                break;
            case DrainShard or OpenShard or CloseShard:
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
