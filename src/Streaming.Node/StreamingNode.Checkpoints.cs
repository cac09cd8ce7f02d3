using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Core.Metrics;

namespace Streaming.Node;

/// <summary>Saving a node's state, and going on from it.</summary>
public sealed partial class StreamingNode
{
    /// <summary>Saves one consistent state of everything, and moves the consumer's committed position up to it.</summary>
    internal Task CheckpointAsync(ReplayProgress? replay, CancellationToken cancel) => _driver.RunAsync(() =>
    {
        cancel.ThrowIfCancellationRequested();
        var started = Stopwatch.GetTimestamp();
        _parts.Witness?.Checkpoint(_nextCheckpointId);
        Threads.Block(_host.FlushAsync(cancel));
        var manifest = new CheckpointManifest
        {
            Id = _nextCheckpointId++,
            CreatedMs = NowMs(),
            UsersToken = Threads.Block(_parts.Users.CheckpointAsync(cancel)),
            FeedsToken = Threads.Block(_parts.Feeds.CheckpointAsync(cancel)),
            Events = EventPositions,
            Items = ItemPositions,
            Shared = _sharing?.Positions(),
            Replay = replay,
            Parts = [],
        };
        _deletions.OnCheckpoint(manifest.Id, manifest.Events);
        _checkpoints.Write(manifest, _models.Parts);
        var kept = _checkpoints.Prune();
        _parts.Users.Prune([.. kept.Select(m => m.UsersToken)]);
        _parts.Feeds.Prune([.. kept.Select(m => m.FeedsToken)]);
        // Retention may drop only what the oldest kept checkpoint does not need; and nothing while there is one alone: a power cut may
        // take its rename back, and then the log from its start is all there is.
        if (_sharing is not null) return Took(started);
        Commit(Topics.Events, kept.Count > 1 ? kept[^1].Events : new long[manifest.Events.Length], cancel);
        Commit(Topics.Items, kept.Count > 1 ? kept[^1].Items : new long[manifest.Items.Length], cancel);
        // A replay leaves it to the node that goes on with its folder.
        if (replay is null) _deletions.EraseWhatIsDue(kept[^1].Id);
        return Took(started);
    });

    private static TimeSpan Took(long started)
    {
        var took = Stopwatch.GetElapsedTime(started);
        StreamingMeters.CheckpointSeconds.Record(took.TotalSeconds);
        return took;
    }

    private void Commit(string topic, long[] next, CancellationToken cancel) => Threads.Block(ExpectAsync(
        "the log's retention cannot be told what the checkpoints need",
        () => Log.CommitAsync(Group, topic, [.. next.Select((offset, p) => new LogPosition(p, offset))], cancel).AsTask()));

    /// <summary>The two stores and the learners beside each other: each takes as long as the others, and the node answers nobody meanwhile.</summary>
    private async Task RecoverAsync(CheckpointManifest manifest, CancellationToken cancel)
    {
        var stores = Task.WhenAll(_parts.Users.RecoverAsync(manifest.UsersToken, cancel), _parts.Feeds.RecoverAsync(manifest.FeedsToken, cancel));
        try
        {
            _models = NewModels();
            _checkpoints.Load(manifest, _models.Parts);
        }
        finally
        {
            // Whatever the learners do, no older checkpoint is tried while a store still reads this one.
            await stores;
        }
    }

    private async Task RestoreAsync(CancellationToken cancel)
    {
        var manifests = _checkpoints.List();
        foreach (var manifest in manifests)
        {
            try
            {
                _checkpoints.Verify(manifest);
                if (manifest.Shared is not null && _shared is null)
                    throw new InvalidDataException("it is of a node that shared the users with others (Kafka:Ownership 'group'), so it has not all of them; with a new data folder they come from the log");
                await RecoverAsync(manifest, cancel);
                Restored = manifest;
                break;
            }
            catch (InvalidDataException problem)
            {
                _parts.Notice(new NodeNotice(
                    NoticeLevel.Warning, $"checkpoint {manifest.Id} cannot be used ({problem.Message}); trying the one before", problem));
            }
        }
        if (Restored is null && _checkpoints.Any)
            throw new InvalidDataException(
                $"none of the checkpoints in {_parts.CheckpointDir} can be used; restore a backup, or remove the folder to build the state again from the log");
        _models = Restored is null ? NewModels() : _models;
        _nextCheckpointId = _checkpoints.LastId + 1;
        _deletions.Load(Restored?.Id ?? 0);
        await PrepareDeepAsync();
        await OpenRoundsAsync(cancel);
        if (Restored is not null) _checkpoints.RemoveAfter(Restored.Id);
        IsReady = true;
    }
}
