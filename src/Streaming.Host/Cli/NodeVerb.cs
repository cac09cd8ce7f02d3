using System.CommandLine;
using System.Runtime.InteropServices;
using Streaming.Host.Http;

namespace Streaming.Host.Cli;

/// <summary><c>node</c>: the production start.</summary>
internal static class NodeVerb
{
    public static Command Create()
    {
        var command = new Command("node", "Run a node: ingest, user actors, learning, lists and look-ups. SIGTERM drains, saves a checkpoint and exits.");
        var common = new CommonOptions().AddTo(command);
        var listen = new Option<string?>("--listen") { Description = "Address and port (Serving:Listen)", HelpName = "IP:PORT" };
        command.Options.Add(listen);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(common, parse, parse.GetValue(listen), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, string? listen, CancellationToken cancel)
    {
        var settings = listen is null ? common.Load(parse) : common.Load(parse, ("Serving:Listen", listen));
        using var logs = Logging.CreateFactory();
        var logger = logs.CreateLogger("Streaming");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        ApiServer.Check(settings, _ => { });
        await using var running = await RunningNode.OpenAsync(settings, settings.Node.DataDir, Logging.Notices(logger), cancel).ConfigureAwait(false);
        var node = running.Node;
        var app = ApiServer.Build(node, settings, Logging.Configure, text => logger.LogWarning("{Notice}", text));
        await using var _ = app.ConfigureAwait(false);
        await ApiServer.StartAsync(app, settings.Serving.Listen, cancel).ConfigureAwait(false);
        logger.LogInformation(
            "node is up: listening on {Listen}{Admin}, data in {DataDir}, {Partitions} partitions, {Restored}", app.Urls.First(), app.Urls.Count > 1 ? $", for operators on {app.Urls.Last()}" : "",
            Path.GetFullPath(settings.Node.DataDir), node.Partitions,
            node.Restored is { } checkpoint ? $"restored from checkpoint {checkpoint.Id}" : "fresh state");
        // The request side stops first, so that every event it acknowledged is drained into the last checkpoint.
        await using var stopping = stop.Token.Register(() => app.StopAsync(CancellationToken.None)).ConfigureAwait(false);
        await node.RunAsync(stop.Token).ConfigureAwait(false);
        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        logger.LogInformation("node stopped: {Applied} events applied, checkpoint {Checkpoint} saved", node.Status().Users.Applied, node.Status().CheckpointId);
        if (common.Json(parse)) JsonLine.Print(Report.Of(node.Status(), node.Models.Figures()));
        return 0;
    }

    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = true;
        stop.Cancel();
    }
}
