using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;
using Streaming.Node.Deep;
using Streaming.Tensors;

namespace Streaming.Host;

/// <summary>
/// A process of the role <c>trainer</c> alone: it reads <c>examples</c> and <c>items</c> of the shared log and writes <c>models</c>; its folder
/// holds the workers' checkpoints and nothing of a node's.
/// </summary>
internal sealed class RunningTrainer : IAsyncDisposable
{
    private readonly IDisposable _lock;
    private readonly IEventLog _log;

    private RunningTrainer(IDisposable folder, IEventLog log, DeepWorkers workers) => (_lock, _log, Workers) = (folder, log, workers);

    public DeepWorkers Workers { get; }

    /// <exception cref="EventLogException">The log cannot be opened, or does not answer; the message says what to do.</exception>
    /// <exception cref="IOException">The data folder cannot be used, or another process uses it.</exception>
    /// <exception cref="PlatformNotSupportedException">There is no libtorch here.</exception>
    public static async Task<RunningTrainer> OpenAsync(StreamingSettings settings, string dataDir, Action<NodeNotice> notice, CancellationToken cancel)
    {
        if (!TorchRuntime.TryLoad(out var reason)) throw new PlatformNotSupportedException($"the role 'trainer' learns deep models, which need libtorch: {reason}");
        var folder = DataFolder.Lock(dataDir);
        IEventLog? log = null;
        try
        {
            log = DataFolder.OpenLog(settings, dataDir, notice);
            // A log that does not answer ends the start; later, workers wait for it and try again.
            await log.RangeAsync(Topics.Examples, 0, cancel).ConfigureAwait(false);
            var parts = new TrainerParts(settings.Resolved(), log, Path.Combine(dataDir, "workers"), TimeProvider.System, notice);
            return new RunningTrainer(folder, log, DeepWorkers.Start(parts)!);
        }
        catch
        {
            if (log is not null) await log.DisposeAsync().ConfigureAwait(false);
            folder.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.Run(Workers.Dispose).ConfigureAwait(false);
        await _log.DisposeAsync().ConfigureAwait(false);
        _lock.Dispose();
    }
}
