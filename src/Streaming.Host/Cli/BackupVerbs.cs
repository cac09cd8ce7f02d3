using System.CommandLine;
using System.Diagnostics;
using Streaming.Host.Backup;

namespace Streaming.Host.Cli;

/// <summary><c>backup</c> and <c>restore</c>: a data folder into another place and back, checked by hash.</summary>
internal static class BackupVerbs
{
    public static Command CreateBackup()
    {
        var command = new Command("backup", "Back up a node's data folder, while it runs or not: the newest checkpoint, the log behind it, a manifest with the hash of each file.");
        var common = new CommonOptions().AddTo(command);
        var folder = new Argument<string>("DIR") { Description = "A folder of its own: missing or empty" };
        var verify = new Option<bool>("--verify") { Description = "Check the backup in DIR instead: every file by its hash" };
        var copy = new Option<bool>("--copy") { Description = "Copy everything: no links to the node's own files, also on the same file system" };
        var previous = new Option<string?>("--previous") { Description = "An earlier backup of this node: what has not changed is linked to it", HelpName = "DIR" };
        command.Arguments.Add(folder);
        foreach (var option in (Option[])[verify, copy, previous]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
            parse.GetValue(verify)
                ? VerifyAsync(parse.GetValue(folder)!, common.Json(parse), cancel)
                : BackupAsync(common, parse, parse.GetValue(folder)!, parse.GetValue(copy), parse.GetValue(previous), cancel)));
        return command;
    }

    public static Command CreateRestore()
    {
        var command = new Command("restore", "Make a data folder of a backup; a damaged or partial one is refused.");
        var folder = new Argument<string>("DIR") { Description = "The backup" };
        var dataDir = new Option<string>("--data-dir") { Description = "The new data folder: missing or empty", HelpName = "NEW", Required = true };
        var json = new Option<bool>("--json") { Description = "End with one JSON line on stdout" };
        command.Arguments.Add(folder);
        command.Options.Add(dataDir);
        command.Options.Add(json);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RestoreAsync(parse.GetValue(folder)!, parse.GetValue(dataDir)!, parse.GetValue(json), cancel)));
        return command;
    }

    private static async Task<int> BackupAsync(CommonOptions common, ParseResult parse, string folder, bool copy, string? previous, CancellationToken cancel)
    {
        var settings = common.Load(parse);
        var started = Stopwatch.GetTimestamp();
        var outcome = await ProgressView.ComputeAsync(
            "backing up", common.Json(parse), progress => BackupWriter.Run(settings, settings.Node.DataDir, folder, mayLink: !copy, previous, TimeProvider.System, cancel, progress), cancel).ConfigureAwait(false);
        Print(common.Json(parse), "backed up", outcome.Manifest, started, ("copied_bytes", outcome.CopiedBytes));
        return 0;
    }

    private static async Task<int> VerifyAsync(string folder, bool json, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        Print(json, "is whole", await ProgressView.ComputeAsync("verifying", json, progress => BackupReader.Verify(folder, cancel, progress), cancel).ConfigureAwait(false), started);
        return 0;
    }

    private static async Task<int> RestoreAsync(string folder, string dataDir, bool json, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        Print(json, "restored", await ProgressView.ComputeAsync("restoring", json, progress => BackupReader.Restore(folder, dataDir, cancel, progress), cancel).ConfigureAwait(false), started);
        return 0;
    }

    private static void Print(bool json, string what, BackupManifest manifest, long started, params (string, object?)[] more)
    {
        var bytes = manifest.Files.Sum(f => f.Bytes);
        (string, object?)[] figures =
        [
            ("checkpoint", manifest.Checkpoint), ("created_ms", manifest.CreatedMs), ("files", manifest.Files.Count), ("bytes", bytes), .. more,
            ("seconds", Stopwatch.GetElapsedTime(started).TotalSeconds),
        ];
        if (json) JsonLine.Print(figures);
        else Console.WriteLine($"{what}: checkpoint {manifest.Checkpoint}, {manifest.Files.Count} files, {bytes / 1e6:N1} MB");
    }
}
