using System.CommandLine;
using Streaming.Core.Settings;
using Streaming.Host.Http;

namespace Streaming.Host.Cli;

/// <summary><c>node --role trainer</c>: learns deep models beside nodes that share its log.</summary>
internal static class TrainerProcess
{
    /// <param name="settings">Of the role trainer alone.</param>
    /// <param name="json">Whether it ends with one JSON line.</param>
    /// <param name="stop">Saves checkpoints and ends it.</param>
    public static async Task<int> RunAsync(StreamingSettings settings, bool json, CancellationToken stop)
    {
        using var logs = Logging.CreateFactory();
        var logger = logs.CreateLogger("Streaming");
        await using var running = await RunningTrainer.OpenAsync(settings, settings.Node.DataDir, Logging.Notices(logger), stop).ConfigureAwait(false);
        var app = ApiServer.BuildTrainer(running.Workers, settings, Logging.Configure);
        await using var _ = app.ConfigureAwait(false);
        await ApiServer.StartAsync(app, settings.Serving.Listen, stop).ConfigureAwait(false);
        logger.LogInformation(
            "trainer is up: {Models}; figures on {Listen}, checkpoints in {DataDir}", string.Join(", ", settings.Deep.Models), app.Urls.First(),
            Path.GetFullPath(settings.Node.DataDir));
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var stopping = stop.Register(() => stopped.TrySetResult()).ConfigureAwait(false);
        await stopped.Task.ConfigureAwait(false);
        await Task.Run(running.Workers.Stop, CancellationToken.None).ConfigureAwait(false);
        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        logger.LogInformation(
            "trainer stopped: {Workers}", string.Join(", ", running.Workers.Status.Select(w => $"{w.Name} after {w.Steps} mini-batches")));
        if (json) JsonLine.Print(Report.OfWorkers(running.Workers.Status, running.Workers.Figures()));
        return 0;
    }
}
