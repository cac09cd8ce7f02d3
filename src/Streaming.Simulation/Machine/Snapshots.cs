using Streaming.Evaluation;

namespace Streaming.Simulation;

/// <summary>Checkpoints of one store as they lie on the disk of the machine, over all lives. Tokens are given out as FASTER's adapter does.</summary>
public sealed class SnapshotDisk<T> where T : class
{
    private string? _underWay;

    /// <summary>By token; null stands for one that is torn.</summary>
    public SortedDictionary<string, Dictionary<string, T>?> Checkpoints { get; } = new(StringComparer.Ordinal);

    internal void Begin(string token) => _underWay = token;

    internal void End(string token, Dictionary<string, T> content)
    {
        _underWay = null;
        Checkpoints[token] = content;
    }

    internal void Crash(ref Draws draws)
    {
        if (_underWay is { } token && draws.Chance(0.5)) Checkpoints[token] = null;
        _underWay = null;
    }
}

/// <summary>
/// What the simulated store and cache have in common: content in memory that ends with the life, and checkpoints that do not. Values are
/// never changed once they are in.
/// </summary>
internal sealed class Snapshots<T>(World world, Life life, SnapshotDisk<T> disk, Faults faults, string name) where T : class
{
    private long _last;
    private bool _recovered;
    private bool _opened;

    public Dictionary<string, T> Content { get; private set; } = new(StringComparer.Ordinal);

    /// <summary>Before the first use of a store that was not recovered, what an earlier life left goes.</summary>
    public void Open()
    {
        life.ThrowIfDead();
        if (_opened) return;
        _opened = true;
        if (!_recovered) disk.Checkpoints.Clear();
    }

    public async Task<string> CheckpointAsync()
    {
        Open();
        life.Point(name + ":checkpoint");
        var token = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{++_last:d10}-{life.Number:x}");
        var content = new Dictionary<string, T>(Content, StringComparer.Ordinal);
        disk.Begin(token);
        await world.Delay(faults.DiskDelay(), life, name + ":disk");
        if (faults.CheckpointFails()) throw new IOException("the simulated disk is full");
        disk.End(token, content);
        life.Point(name + ":checkpointed");
        return token;
    }

    public Task RecoverAsync(string token)
    {
        life.Point(name + ":recover");
        if (_opened) throw new InvalidOperationException("recover before use");
        if (!disk.Checkpoints.TryGetValue(token, out var content)) throw new InvalidDataException($"there is no checkpoint '{token}' of {name}");
        if (content is null) throw new InvalidDataException($"checkpoint '{token}' of {name} is torn");
        Content = new Dictionary<string, T>(content, StringComparer.Ordinal);
        _recovered = true;
        _last = NumberOf(token);
        foreach (var newer in disk.Checkpoints.Keys.Where(other => other != token && NumberOf(other) >= _last).ToArray()) disk.Checkpoints.Remove(newer);
        return Task.CompletedTask;
    }

    private static long NumberOf(string token) => long.Parse(token.AsSpan(0, 10), System.Globalization.CultureInfo.InvariantCulture);

    public void Prune(IReadOnlyCollection<string> keep)
    {
        life.Point(name + ":prune");
        foreach (var token in disk.Checkpoints.Keys.Except(keep).ToArray())
        {
            disk.Checkpoints.Remove(token);
            life.Point(name + ":pruned");
        }
    }
}
