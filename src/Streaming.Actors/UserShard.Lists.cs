using System.Diagnostics;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Metrics;
using Streaming.Core.Threads;

namespace Streaming.Actors;

/// <content>Lists that have become stale.</content>
public sealed partial class UserShard
{
    /// <summary>Users whose lists of a round stand in the trace of their event; of further ones they do not.</summary>
    private const int TracedMax = 1024;

    private readonly Dictionary<string, ActivityContext> _traced = new(StringComparer.Ordinal);

    /// <summary>
    /// Builds every list that look-ups want (<see cref="Want"/>), then up to <paramref name="listsMax"/> of those that are stale, those
    /// that only showing made stale where <paramref name="quietToo"/> says so; returns how many stay waiting. Ends the round: where a
    /// changelog is kept, what has changed is told.
    /// </summary>
    public int Refresh(long nowMs, int listsMax, bool quietToo)
    {
        foreach (var wanted in _wanted)
            if (TryUse(wanted.User, out var resident)) Renew(resident, wanted.Surface, wanted.Arm, nowMs, 0);
        _wanted.Clear();
        while (listsMax-- > 0 && _refresh.TryTake(quietToo, out var user, out var surface, out var sinceMs))
        {
            // A user may have been forgotten since the list was asked for.
            if (!TryUse(user, out var resident)) continue;
            Renew(resident, surface, null, nowMs, sinceMs);
        }
        // What waits for a later round is still to be followed; else these events made no list stale.
        if (_refresh.Count == 0) _traced.Clear();
        if (_parts.KeepsChangelog) TellChanges();
        return _refresh.Count;
    }

    private void Renew(Resident resident, string surface, string? arm, long nowMs, long sinceMs)
    {
        using var building = _traced.Remove(resident.State.User, out var cause) ? StreamingTraces.Source.StartActivity("build list", ActivityKind.Internal, cause) : null;
        if (Build(resident, surface, arm, nowMs) is not { } list) return;
        building?.SetTag("streaming.arm", list.Arm).SetTag("streaming.surface", surface).SetTag("streaming.list_version", list.Version).SetTag("streaming.models", list.Models);
        _counts = _counts with { Lists = _counts.Lists + 1 };
        using (building is null ? null : StreamingTraces.Source.StartActivity("put list")) _parts.Sink.List(list, sinceMs);
        BackgroundThread.StandBack();
    }

    /// <param name="arm">Null for the user's own.</param>
    private FeedList? Build(Resident resident, string surface, string? arm, long nowMs)
    {
        var user = resident.State.User;
        try
        {
            var list = _parts.Builder.Build(resident.State, surface, arm ?? _parts.ArmOf(resident.State, surface), nowMs);
            Touch(resident);
            return list;
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            var source = resident.State.LastApplied;
            Restart(resident, new LogPosition(Partition, _nextOffset));
            SetAsideStep(source, user, $"the actor threw {problem.GetType().Name} while building a list: {problem.Message}");
            return null;
        }
    }
}
