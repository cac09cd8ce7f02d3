using Streaming.Actors;
using Streaming.Core.Log;
using Streaming.Node.Splitting;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>Opening the log behind the state: where reading goes on, who wrote before, and the shards.</summary>
public sealed partial class StreamingNode
{
    private async Task OpenRoundsAsync(CancellationToken cancel)
    {
        var events = new long[Log.PartitionCount(Topics.Events)];
        var items = new long[Log.PartitionCount(Topics.Items)];
        if (Restored is { } manifest && (manifest.Events.Length != events.Length || manifest.Items.Length != items.Length))
            throw new InvalidDataException(
                $"the checkpoint is of {manifest.Events.Length} partitions, the log has {events.Length}; Log:Partitions cannot change once data exists");
        for (var p = 0; p < events.Length; p++)
        {
            var range = await Log.RangeAsync(Topics.Events, p, cancel);
            HasHistory |= range.End > range.Earliest;
            // Where nodes share the shards, each shard knows where it goes on, by its changelog.
            events[p] = _shared is null ? StartOf(Topics.Events, p, Restored?.Events[p], range) : 0;
        }
        for (var p = 0; p < items.Length; p++)
            items[p] = StartOf(Topics.Items, p, Restored?.Items[p], await Log.RangeAsync(Topics.Items, p, cancel));
        _applied = events;
        Experiments = new ExperimentControl(Log, _parts.Settings, _models.Policies.Names, _parts.Time, _signal, _parts.Notice);
        await Experiments.OpenAsync(version => Apply(version, NowMs()), cancel);
        var (committedEvents, committedItems) = await BeginTransactionsAsync(events.Length, items.Length, cancel);
        var fromChangelog = _shared is null && _transactions is not null && Restored is null && await ChangelogRestore.IsThereAsync(Log, cancel);
        var sinks = _sinks = new PartitionSink[events.Length];
        _shards = new UserShard[events.Length];
        for (var p = 0; p < events.Length; p++)
        {
            sinks[p] = new PartitionSink(
                p, _parts.Feeds, _fresh, _wanted, _deletions, _parts.Settings.Deep.Models.Count > 0, _clickToList, _parts.Time, _parts.Settings.Log.RecordBytesMax,
                _models.Skew, committedEvents[p], publishes: _shared is not null);
            _shards[p] = new UserShard(ShardPartsOf(p, events.Length, sinks[p], committedEvents[p]));
        }
        if (fromChangelog)
        {
            var patience = TimeSpan.FromMilliseconds(_parts.Settings.Kafka.TimeoutMs);
            _parts.Notice(new NodeNotice(NoticeLevel.Info, await ChangelogRestore.RunAsync(Log, _models, _shards, patience, cancel)));
            for (var p = 0; p < events.Length; p++)
                events[p] = StartOf(Topics.Events, p, _shards[p].NextOffset, await Log.RangeAsync(Topics.Events, p, cancel));
        }
        _applied = events;
        foreach (var shard in _shards) _clockMs = Math.Max(_clockMs, shard.ClockMs);
        _host = _shared is null ? new InProcessUserHost(_shards, _parts.Settings.Users.MailboxRecordsMax, Threads) : await OpenHostAsync(cancel);
        _meters = new NodeMeters(events.Length, _host.Counts);
        var node = _parts.Settings.Node;
        _outputs = new RoundOutputs(Threads, _parts.Time, Log, _transactions, sinks, committedEvents, committedItems, _parts.Settings.Log.RecordBytesMax, _parts.Notice,
            _shared is null ? null : p => _sharing!.Leads(p));
        _rounds = new Rounds(Threads, Log, _host, _models, sinks, _outputs, events, items, node.RoundEventsMax, node.RoundListsMax);
        if (_shared is null)
            for (var p = 0; p < events.Length; p++) _rounds.Open(p, events[p]);
        else OpenShared(_shared);
    }

    /// <summary>Ends an earlier writer, and reads how far rounds have been committed: 0 where none has.</summary>
    private async Task<(long[] Events, long[] Items)> BeginTransactionsAsync(int events, int items, CancellationToken cancel)
    {
        var committed = (Events: new long[events], Items: new long[items]);
        if (_transactions is null) return committed;
        await _transactions.BeginAsync(cancel);
        if (_shared is not null) return committed;
        foreach (var (topic, offsets) in ((string, long[])[])[(Topics.Events, committed.Events), (Topics.Items, committed.Items)])
            foreach (var (partition, offset) in await Log.CommittedAsync(RoundOutputs.Group, topic, cancel))
                if (partition < offsets.Length) offsets[partition] = offset;
        return committed;
    }

    /// <summary>Where reading goes on. A log that ends earlier would take new records at offsets that count as read.</summary>
    private long StartOf(string topic, int partition, long? restored, LogRange range)
    {
        if (restored is not { } start) return range.Earliest;
        if (start > range.End)
            throw new InvalidDataException(
                $"{(Restored is null ? "an earlier run" : $"checkpoint {Restored.Id}")} has read '{topic}' {partition} up to {start}, but the log ends at {range.End}: part of it is gone; "
                    + $"restore it, or remove {_parts.CheckpointDir} to build the state again from what is left");
        if (start < range.Earliest)
            _parts.Notice(new NodeNotice(
                NoticeLevel.Warning, $"'{topic}' {partition} starts at {range.Earliest}: what lay between {start} and that was removed before it was read"));
        return start;
    }

    private ShardParts ShardPartsOf(int partition, int shards, PartitionSink sink, long committed) => new()
    {
        Partition = partition,
        Settings = _parts.Settings.Users,
        Dimension = _parts.Settings.Learning.EmbeddingDim,
        Machine = new UserMachine(_parts.Settings.Users, _models.ForShard(), _parts.Settings.Node.Seed),
        Builder = _models.BuilderForShard(),
        ArmOf = ArmOf,
        Store = _parts.Users.OpenSession(),
        Sink = sink,
        KeepsChangelog = _transactions is not null,
        Writer = _shared?.Writer ?? "",
        ChangelogOffset = committed,
        Reread = offset => Log.OpenReader(Topics.Events, partition, offset),
        HotUsersMax = Math.Max(16, _parts.Settings.Users.HotUsersMax / shards),
    };
}
