using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;

namespace Streaming.Simulation;

/// <summary>The machine: starts the node, ends it, damages what it left, and starts it again.</summary>
public sealed partial class Simulation
{
    private const int BreakdownsMax = 20;
    private int _breakdowns;

    private void Start()
    {
        var crashAt = _options.CrashAt > 0 ? (_lives == 0 ? _options.CrashAt : 0) : _crashes < Shape.Crashes && !_faults.AreOver ? _faults.CrashPoint() : 0;
        var life = _life = new Life(_world, ++_lives, crashAt, () => _clock, OnEnd);
        _world.After(TimeSpan.Zero, life, "start", () => _ = LiveAsync(life));
    }

    private async Task LiveAsync(Life life)
    {
        try
        {
            var newest = Manifests().FirstOrDefault();
            var node = await StreamingNode.OpenAsync(PartsOf(life, Log, Settings));
            if (node.Restored is { } restored)
            {
                if (restored.Id < newest.Id) _fallbacks++;
                _lineage = _lineages[restored.Id];
            }
            else
            {
                _lineage = null;
                if (newest.Id > 0) Violate($"checkpoint {newest.Id} is there, and the node has started from nothing");
            }
            Serving = (life, node);
            _stop = new CancellationTokenSource();
            if (_faults.Chance(Shape.StopRate)) PlanStop(life, _stop);
            await node.RunAsync(_stop.Token);
            if (_isLast)
            {
                _isStopped = true;
                return;
            }
            Serving = null;
            await node.DisposeAsync();
            _stops++;
            life.Kill("stopped");
        }
        catch (Exception) when (life.IsDead)
        {
            // Nobody is left to hear of it.
        }
        catch (Exception problem)
        {
            if (!IsInjected(problem))
            {
                Violate($"life {life.Number} of the node failed: {problem}");
                // Else a node that never starts again would be started for ever.
                if (++_breakdowns == BreakdownsMax) _world.GiveUp($"the node has failed by itself {BreakdownsMax} times");
            }
            _failures++;
            life.Kill("failed");
        }
    }

    private void PlanStop(Life life, CancellationTokenSource stop) => _world.After(_faults.Exponential(5_000), life, "stop", () =>
    {
        if (!_faults.AreOver) stop.Cancel();
    });

    private static bool IsInjected(Exception? problem)
    {
        for (; problem is not null; problem = problem.InnerException)
            if (problem is IOException or EventLogException && problem.Message.Contains("simulated disk", StringComparison.Ordinal)) return true;
        return false;
    }

    private void OnEnd(Life life, string where)
    {
        Serving = null;
        if (where == "over") return;
        var isCrash = where is not ("stopped" or "failed");
        var powerCut = isCrash && _faults.Chance(Shape.PowerCutRate);
        if (isCrash) _crashes++;
        if (powerCut) _powerCuts++;
        _world.Note(powerCut ? "power cut" : "process end", (ulong)life.Points);
        _faults.Use((ref Evaluation.Draws draws) =>
        {
            Log.Crash(ref draws);
            _users.Crash(ref draws);
            _feeds.Crash(ref draws);
            _files.Crash(powerCut, ref draws);
        });
        if (isCrash && _faults.Chance(Shape.DamageRate)) Damage();
        _world.After(_faults.Exponential(300), null, "restart", Start);
    }

    /// <summary>Damages the newest checkpoint, in a file or in a store, where the one before is whole.</summary>
    private void Damage()
    {
        var whole = Manifests().Where(m => !_damaged.Contains(m.Id) && IsHeld(_users, m.Users) && IsHeld(_feeds, m.Feeds)).ToList();
        if (whole.Count < 2) return;
        _damaged.Add(whole[0].Id);
        var folder = FolderOf(whole[0].Id);
        switch (_faults.Below(6))
        {
            case 0: _users.Checkpoints[whole[0].Users] = null; break;
            case 1: _feeds.Checkpoints.Remove(whole[0].Feeds); break;
            default:
                var files = _files.Files.Keys.Where(f => Path.GetDirectoryName(f) == folder).ToArray();
                var how = "";
                _faults.Use((ref Evaluation.Draws draws) => how = _files.Damage(files[draws.Below(files.Length)], ref draws));
                _world.Note("damage:" + how);
                break;
        }
    }

    private static bool IsHeld<T>(SnapshotDisk<T> disk, string token) where T : class => disk.Checkpoints.TryGetValue(token, out var content) && content is not null;

    /// <summary>Checkpoints that have a readable manifest, the newest first.</summary>
    private List<(long Id, string Users, string Feeds)> Manifests()
    {
        List<(long, string, string)> found = [];
        foreach (var (path, file) in _files.Files.Reverse())
        {
            if (Path.GetFileName(path) != "manifest.json") continue;
            try
            {
                using var json = JsonDocument.Parse(file.Bytes);
                found.Add((json.RootElement.GetProperty("Id").GetInt64(), json.RootElement.GetProperty("UsersToken").GetString()!, json.RootElement.GetProperty("FeedsToken").GetString()!));
            }
            catch (Exception unreadable) when (unreadable is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                // Damaged by us.
            }
        }
        return found;
    }

    private static string FolderOf(long id) => Path.Combine(CheckpointDir, id.ToString("D12", System.Globalization.CultureInfo.InvariantCulture));

    private void PlanClockJumps()
    {
        for (var left = Shape.ClockJumps; left > 0; left--)
        {
            var seconds = Math.Pow(10, _faults.Below(5)) * (1 + _faults.Below(9)) * (_faults.OneIn(2) ? -1 : 1);
            _world.After(_faults.Exponential(8_000), null, "clock", () =>
            {
                if (!_faults.AreOver) _clock += TimeSpan.FromSeconds(seconds);
            });
        }
    }

    private NodeParts PartsOf(Life life, LogDisk log, StreamingSettings settings) => new()
    {
        Settings = settings, Log = new SimLog(_world, life, log, _faults), Users = new SimStateStore(_world, life, _users, _faults),
        Feeds = new SimFeedCache(_world, life, _feeds, _faults, settings.Storage.FeedListsPerUserMax, OnList), CheckpointDir = CheckpointDir,
        Files = new SimFiles(_world, life, _files, _faults), Time = life.Time, Threads = life.Threads, Witness = this,
        Notice = notice => _world.Note($"notice: {notice.Message}"),
    };
}
