using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Core.Metrics;

namespace Streaming.Node;

/// <summary>Saving a node's state, and going on from it.</summary>
public sealed partial class StreamingNode
{
    /// <summary>Saves one consistent state of everything, and moves the consumer's committed position up to it.</summary>
    internal async Task CheckpointAsync(ReplayProgress? replay, CancellationToken cancel)
    {
        await _driver.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var started = Stopwatch.GetTimestamp();
            await _host.FlushAsync(cancel).ConfigureAwait(false);
            var manifest = new CheckpointManifest
            {
                Id = _nextCheckpointId++,
                CreatedMs = NowMs(),
                UsersToken = await _parts.Users.CheckpointAsync(cancel).ConfigureAwait(false),
                FeedsToken = await _parts.Feeds.CheckpointAsync(cancel).ConfigureAwait(false),
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
            await CommitAsync(Topics.Events, kept[^1].Events, cancel).ConfigureAwait(false);
            await CommitAsync(Topics.Items, kept[^1].Items, cancel).ConfigureAwait(false);
            StreamingMeters.CheckpointSeconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        finally
        {
            _driver.Release();
        }
    }

    private ValueTask CommitAsync(string topic, long[] next, CancellationToken cancel) =>
        Log.CommitAsync(Group, topic, [.. next.Select((offset, p) => new LogPosition(p, offset))], cancel);

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
                _models = new ModelSet(_parts.Settings);
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
        _models = Restored is null ? new ModelSet(_parts.Settings) : _models;
        _nextCheckpointId = _checkpoints.LastId + 1;
        await OpenRoundsAsync(cancel).ConfigureAwait(false);
        if (Restored is not null) _checkpoints.RemoveAfter(Restored.Id);
        IsReady = true;
    }
}
