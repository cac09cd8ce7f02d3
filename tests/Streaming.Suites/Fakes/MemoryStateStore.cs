using System.Collections.Concurrent;
using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Suites.Fakes;

/// <summary>A state store in memory: checkpoints are copies.</summary>
/// <param name="recordBytesMax">Largest key and value together: stores on pages have such a bound.</param>
public sealed class MemoryStateStore(int recordBytesMax = int.MaxValue) : IStateStore
{
    private readonly Dictionary<string, Dictionary<string, byte[]>> _checkpoints = [];
    private ConcurrentDictionary<string, byte[]> _content = new();

    private int RecordBytesMax { get; } = recordBytesMax;

    public int Count => _content.Count(e => e.Key[0] != '\0');

    public IStateSession OpenSession() => new Session(this);

    public Task<string> CheckpointAsync(CancellationToken cancel = default)
    {
        var token = $"t{_checkpoints.Count}";
        _checkpoints[token] = _content.ToDictionary();
        return Task.FromResult(token);
    }

    public Task RecoverAsync(string token, CancellationToken cancel = default)
    {
        if (!_checkpoints.TryGetValue(token, out var content)) throw new InvalidDataException($"no checkpoint '{token}'");
        _content = new ConcurrentDictionary<string, byte[]>(content);
        return Task.CompletedTask;
    }

    public void Prune(IReadOnlyCollection<string> keep)
    {
        foreach (var token in _checkpoints.Keys.Except(keep).ToList()) _checkpoints.Remove(token);
    }

    public void Dispose()
    {
    }

    private static string Text(ReadOnlySpan<byte> key) => System.Text.Encoding.UTF8.GetString(key);

    private sealed class Session(MemoryStateStore store) : IStateSession
    {
        public bool TryRead(ReadOnlySpan<byte> key, ByteWriter into)
        {
            if (!store._content.TryGetValue(Text(key), out var value)) return false;
            into.Raw(value);
            return true;
        }

        public void Upsert(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            if (key.Length + value.Length > store.RecordBytesMax)
                throw new ArgumentException($"a record of {key.Length + value.Length} bytes is larger than {store.RecordBytesMax}", nameof(value));
            store._content[Text(key)] = value.ToArray();
        }

        public void Delete(ReadOnlySpan<byte> key) => store._content.TryRemove(Text(key), out _);

        public void Dispose()
        {
        }
    }
}
