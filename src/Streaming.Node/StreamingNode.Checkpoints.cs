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
        _host.FlushAsync(cancel).Block();
        var manifest = new CheckpointManifest
        {
            Id = _nextCheckpointId++,
            CreatedMs = NowMs(),
            UsersToken = _parts.Users.CheckpointAsync(cancel).Block(),
            FeedsToken = _parts.Feeds.CheckpointAsync(cancel).Block(),
            Events = EventPositions,
            Items = ItemPositions,
            Replay = replay,
            Parts = [],
        };
        _checkpoints.Write(manifest, _models.Parts);
        var kept = _checkpoints.Prune();
        _parts.Users.Prune([.. kept.Select(m => m.UsersToken)]);
        _parts.Feeds.Prune([.. kept.Select(m => m.FeedsToken)]);
        // Retention may drop only what the oldest kept checkpoint does not need.
        Commit(Topics.Events, kept[^1].Events, cancel);
        Commit(Topics.Items, kept[^1].Items, cancel);
        var took = Stopwatch.GetElapsedTime(started);
        StreamingMeters.CheckpointSeconds.Record(took.TotalSeconds);
        return took;
    });

    private void Commit(string topic, long[] next, CancellationToken cancel) => ExpectAsync(
        "the log's retention cannot be told what the checkpoints need",
        () => Log.CommitAsync(Group, topic, [.. next.Select((offset, p) => new LogPosition(p, offset))], cancel).AsTask()).Block();

    private async Task RestoreAsync(CancellationToken cancel)
    {
        var manifests = _checkpoints.List();
        foreach (var manifest in manifests)
        {
            try
            {
                _checkpoints.Verify(manifest);
                await _parts.Users.RecoverAsync(manifest.UsersToken, cancel).ConfigureAwait(false);
                await _parts.Feeds.RecoverAsync(manifest.FeedsToken, cancel).ConfigureAwait(false);
                _models = new ModelSet(_parts.Settings, Log);
                _checkpoints.Load(manifest, _models.Parts);
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
        _models = Restored is null ? new ModelSet(_parts.Settings, Log) : _models;
        _nextCheckpointId = _checkpoints.LastId + 1;
        await OpenRoundsAsync(cancel).ConfigureAwait(false);
        if (Restored is not null) _checkpoints.RemoveAfter(Restored.Id);
        IsReady = true;
    }
}
