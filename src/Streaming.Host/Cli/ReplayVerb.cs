using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Core.Settings;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Replay;
using Streaming.Node;

namespace Streaming.Host.Cli;

/// <summary><c>replay</c>: a recorded data set through the live path.</summary>
internal static class ReplayVerb
{
    public static Command Create()
    {
        var command = new Command(
            "replay", "Push a data set through the live path (log, actors, learning, lists, cache) and print one summary. "
                + "Killed and started again with the same --data-dir, it goes on and ends in the same state.");
        var common = new CommonOptions().AddTo(command);
        var roots = new DataOptions().AddTo(command);
        var files = new Argument<string[]>("DATA") { Description = $"A data set: {DataOptions.Help}; or event lines (.jsonl, .jsonl.gz). Several are replayed one after the other", Arity = ArgumentArity.OneOrMore };
        var round = new Option<int>("--round") { Description = "Records per round: smaller is fresher, larger is faster", DefaultValueFactory = _ => ReplayRunner.RoundRecordsDefault };
        var columns = new Option<string?>("--columns") { Description = "For a plain CSV or JSON lines of another form: user=COL,item=COL,time=COL,... (or a file DATA.columns beside it)", HelpName = "MAP" };
        var items = new Option<string?>("--items") { Description = "For event lines: a file with the catalogue", HelpName = "FILE" };
        var checkpointMs = new Option<int>("--checkpoint-ms") { Description = "Wall time between checkpoints", DefaultValueFactory = _ => 10_000 };
        command.Arguments.Add(files);
        foreach (var option in (Option[])[round, columns, items, checkpointMs]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            var options = new DataSetOptions
            {
                Columns = parse.GetValue(columns) is { } map ? DataSetOptions.ParseColumns(map) : new Dictionary<string, string>(),
                ItemsFile = parse.GetValue(items),
            };
            var places = parse.GetValue(files)!.Select(f => roots.Roots(parse).Locate(f).Path).ToArray();
            return RunAsync(common, parse, places, options, parse.GetValue(round), parse.GetValue(checkpointMs), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(
        CommonOptions common, ParseResult parse, string[] files, DataSetOptions options, int round, int checkpointMs, CancellationToken cancel)
    {
        if (round is < 1 or > 1 << 20) throw new FormatException($"--round is {round}; allowed is 1 to {1 << 20}");
        var settings = common.Load(parse);
        var json = common.Json(parse);
        var dataDir = common.DataDir(parse);
        // Without a folder of its own a replay leaves nothing behind.
        var temporary = dataDir is null ? Directory.CreateTempSubdirectory("streaming-replay-") : null;
        try
        {
            return await ReplayAsync(settings, dataDir ?? temporary!.FullName, files, options, round, checkpointMs, json, cancel).ConfigureAwait(false);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    private static async Task<int> ReplayAsync(
        StreamingSettings settings, string dataDir, string[] files, DataSetOptions options, int round, int checkpointMs, bool json, CancellationToken cancel)
    {
        var sources = files.Select(f => new ReplaySource(DataSets.Open(f, options), settings.Node.Seed)).ToList();
        using var logs = Logging.CreateFactory();
        await using var running = await RunningNode.OpenAsync(settings, dataDir, Logging.Notices(logs.CreateLogger("Streaming")), cancel, isReplay: true).ConfigureAwait(false);
        var node = running.Node;
        var fingerprint = string.Join('+', sources.Select(s => s.Fingerprint())) + $"/round {round}";
        var runner = new ReplayRunner(node, round);
        var total = sources.All(s => s.EventCount is not null) ? sources.Sum(s => s.EventCount!.Value) : (long?)null;
        var clock = Stopwatch.StartNew();
        if (json) await runner.RunAsync(sources.SelectMany(s => s.NodeRecords()), fingerprint, null, checkpointMs, cancel).ConfigureAwait(false);
        else await WithProgressAsync(total, () => Share(sources), progress => runner.RunAsync(sources.SelectMany(s => s.NodeRecords()), fingerprint, progress, checkpointMs, cancel)).ConfigureAwait(false);
        var seconds = clock.Elapsed.TotalSeconds;
        var status = node.Status();
        var users = status.Users;
        // Every record of the source is in exactly one of these; what is not was lost.
        var accounted = users.Applied + users.Repeats + users.Forgotten + users.DeadLetters + runner.ItemRecords;
        var figures = Report.Of(status, node.Models.Figures(), node.DeepFigures()).Concat(
        [
            ("records", runner.Done), ("events_per_s", (runner.Done - runner.ResumedAt) / seconds), ("seconds", seconds),
            ("lost", runner.Done - accounted), ("resumed_at", runner.ResumedAt), ("found_in_log", runner.FoundInLog), ("round", round),
            ("phase_seconds", status.PhaseSeconds.Select(s => Math.Round(s, 2))), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            ("time_note", sources.Select(s => s.Set.TimeNote).FirstOrDefault(n => n is not null)), ("digest", await node.DigestAsync(cancel).ConfigureAwait(false)),
        ]).ToList();
        if (json) JsonLine.Print(figures);
        else Tables.Print("Replay", figures);
        return 0;
    }

    /// <summary>Of all sources together, by bytes; NaN where none counts them.</summary>
    private static double Share(IReadOnlyList<ReplaySource> sources) => sources.All(s => double.IsNaN(s.Set.ReadShare)) ? double.NaN
        : sources.Average(s => double.IsNaN(s.Set.ReadShare) ? 0 : s.Set.ReadShare);

    /// <summary>A bar is for a terminal; where there is none, nobody looks.</summary>
    private static Task WithProgressAsync(long? total, Func<double> share, Func<Action<long>, Task> run) => Console.IsOutputRedirected ? run(_ => { }) : AnsiConsole.Progress()
        .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(), new SpinnerColumn())
        .StartAsync(async progress =>
        {
            var task = progress.AddTask("replay", maxValue: 1);
            await run(done =>
            {
                var read = total is null ? share() : (double)done / total.Value;
                task.IsIndeterminate = double.IsNaN(read);
                task.Value = double.IsNaN(read) ? 0 : read;
                task.Description = $"replay {done:N0}";
            }).ConfigureAwait(false);
            task.Value = task.MaxValue;
        });
}
