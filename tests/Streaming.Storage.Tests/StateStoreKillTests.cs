using Streaming.Core.Wire;

namespace Streaming.Storage.Tests;

/// <summary>A process that takes checkpoints, compacts and prunes is killed with SIGKILL; its last checkpoint, and the one before, recover whole.</summary>
public sealed class StateStoreKillTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(3, 1)]
    [InlineData(12, 1)]
    [InlineData(13, 2)]
    public async Task A_checkpoint_survives_kill_9(int checkpoints, int fromTheEnd)
    {
        var fields = (await KilledProcess.LinesAsync("checkpoint-for-ever", _folder.Path, checkpoints))[^fromTheEnd].Split(' ');
        using var store = new FasterStateStore(_folder.Path, FasterStateStoreContractTests.Small);
        await store.RecoverAsync(fields[0]);
        using var session = store.OpenSession();
        var into = new ByteWriter();
        for (var i = 0; i < Program.Keys; i++)
        {
            into.Clear();
            session.TryRead(Program.Key(i), into).ShouldBeTrue($"key {i}");
            into.WrittenSpan.SequenceEqual(Program.Value(i, int.Parse(fields[1]))).ShouldBeTrue($"key {i} is as of round {fields[1]}");
        }
        // And it goes on from there.
        session.Upsert(Program.Key(0), [1]);
        store.Prune([await store.CheckpointAsync()]);
    }
}
