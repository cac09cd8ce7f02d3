using System.CommandLine;
using Streaming.Core.Settings;
using Streaming.Host.Http;

namespace Streaming.Host.Cli;

/// <summary><c>node</c>: the production start.</summary>
internal static class NodeVerb
{
    public static Command Create()
    {
        var command = new Command("node", "Run a node: ingest, user actors, learning, lists and look-ups. SIGTERM drains, saves a checkpoint and exits. With --role trainer it learns deep models for nodes on the same Kafka log.");
        var common = new CommonOptions().AddTo(command);
        var listen = new Option<string?>("--listen") { Description = "Address and port (Serving:Listen)", HelpName = "IP:PORT" };
        var roles = new Option<string[]>("--role")
        {
            Description = $"What this process does (Node:Roles), all unless given: {string.Join(", ", NodeRoles.All)}; several by comma", HelpName = "ROLES",
        };
        command.Options.Add(listen);
        command.Options.Add(roles);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(common, parse, parse.GetValue(listen), parse.GetValue(roles) ?? [], cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, string? listen, string[] roles, CancellationToken cancel)
    {
        var flags = roles.SelectMany(r => r.Split(',', StringSplitOptions.TrimEntries)).Select((role, i) => ($"Node:Roles:{i}", role)).ToList();
        if (listen is not null) flags.Add(("Serving:Listen", listen));
        var settings = common.Load(parse, [.. flags]);
        ApiServer.Check(settings, _ => { });
        if (settings.Node.IsTrainerAlone) return await TrainerProcess.RunAsync(settings, common.Json(parse), cancel).ConfigureAwait(false);
        HugePages.Ask();
        using var logs = Logging.CreateFactory();
        var logger = logs.CreateLogger("Streaming");
        await using var running = await RunningNode.OpenAsync(settings, settings.Node.DataDir, Logging.Notices(logger), cancel).ConfigureAwait(false);
        var node = running.Node;
        var app = ApiServer.Build(node, settings, Logging.Configure, text => logger.LogWarning("{Notice}", text));
        await using var _ = app.ConfigureAwait(false);
        await ApiServer.StartAsync(app, settings.Serving.Listen, cancel).ConfigureAwait(false);
        logger.LogInformation(
            "node is up: listening on {Listen}{Admin}, data in {DataDir}, {Partitions} partitions, {Restored}", app.Urls.First(), app.Urls.Count > 1 ? $", for operators on {app.Urls.Last()}" : "",
            Path.GetFullPath(settings.Node.DataDir), node.Partitions,
            node.Restored is { } checkpoint ? $"restored from checkpoint {checkpoint.Id}" : "fresh state");
        logger.LogInformation("pages: live feed {Feed}, dashboard {Dashboard}", $"{app.Urls.First()}/", $"{app.Urls.Last()}/dashboard");
        // The request side stops first, so that every event it acknowledged is drained into the last checkpoint.
        await using var stopping = cancel.Register(() => app.StopAsync(CancellationToken.None)).ConfigureAwait(false);
        await node.RunAsync(cancel).ConfigureAwait(false);
        await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        logger.LogInformation("node stopped: {Applied} events applied, checkpoint {Checkpoint} saved", node.Status().Users.Applied, node.Status().CheckpointId);
        if (common.Json(parse)) JsonLine.Print(Report.Of(node.Status(), node.Models.Figures(), node.DeepFigures()));
        return 0;
    }
}
