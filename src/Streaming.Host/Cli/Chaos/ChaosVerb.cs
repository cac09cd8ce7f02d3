using System.CommandLine;

namespace Streaming.Host.Cli.Chaos;

/// <summary><c>chaos</c>: is anything lost, is anything applied twice, when a node is killed again and again under load?</summary>
internal static class ChaosVerb
{
    private const string Counts =
        "a node in a process of its own, killed with kill -9 at random moments and started again; senders that repeat a post with the same ids until "
        + "it is answered. At the end the node is killed once more, its folder is opened, and every event is looked for in the log and in its user's "
        + "state: each event has an item of its own, so the state tells how often it was applied. accepted: answered with a position; lost: accepted or "
        + "in the log, and not in the state (or not set aside, where it had to be); doubled: in the state more than once; fresh: from the start of a "
        + "process to a list that has seen an event sent after it";

    public static Command Create()
    {
        var command = new Command("chaos", "Kill a node under load again and again, and look for every event afterwards: exits with 1 if any is lost or doubled.");
        var common = new CommonOptions().AddTo(command);
        var seconds = new Option<int>("--seconds") { Description = "How long the node is killed again and again", DefaultValueFactory = _ => 60 };
        var rate = new Option<int>("--events-per-s") { Description = "Events per second offered", DefaultValueFactory = _ => 400 };
        var freshMax = new Option<int?>("--fresh-ms-max") { Description = "Exit with 1, too, if a restart took longer to its first fresh list" };
        foreach (var option in (Option[])[seconds, rate, freshMax]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(common, parse, parse.GetValue(seconds), parse.GetValue(rate), parse.GetValue(freshMax), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, int seconds, int rate, int? freshMax, CancellationToken cancel)
    {
        var kept = common.DataDir(parse);
        var folder = kept is null ? Directory.CreateTempSubdirectory("streaming-chaos-") : Directory.CreateDirectory(kept);
        try
        {
            // Checkpoints so often that kills meet them; windows that end within the run; and every mark kept, for the check reads them.
            // The prefix keeps the topics of one run apart from those of the last on the same broker.
            var own = new[]
            {
                ("Node:CheckpointIntervalMs", "1000"), ("Users:AttributionWindowMs", "3000"), ("Users:MarksMax", "100000"),
                ("Kafka:Prefix", $"chaos-{Guid.NewGuid():N}-"), ("Node:DataDir", folder.FullName),
            };
            var settings = common.Load(parse, own);
            if (kept is not null && folder.EnumerateFileSystemInfos().Any()) throw new IOException($"{folder.FullName} is not empty; chaos starts with a folder of its own");
            var plan = new ChaosPlan(seconds, rate, common.Arguments(parse, own), settings, folder.FullName, settings.Node.Seed);
            var complaints = new List<string>();
            var run = new ChaosRun(plan, line => { lock (complaints) complaints.Add(line); });
            ChaosOutcome outcome;
            try
            {
                outcome = await ProgressView.RunAsync("chaos", common.Json(parse), progress => run.RunAsync(progress, cancel)).ConfigureAwait(false);
            }
            catch (InvalidDataException)
            {
                // What the node said before it ended is the only clue.
                foreach (var line in complaints.TakeLast(20)) await Console.Error.WriteLineAsync(line).ConfigureAwait(false);
                throw;
            }
            foreach (var finding in outcome.Findings) await Console.Error.WriteLineAsync(finding).ConfigureAwait(false);
            var figures = Figures(plan, run, outcome, complaints);
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("Chaos", figures);
            return outcome.Holds && (freshMax is null || run.FreshMs.Max() <= freshMax) ? 0 : 1;
        }
        finally
        {
            if (kept is null) folder.Delete(recursive: true);
        }
    }

    private static (string, object?)[] Figures(ChaosPlan plan, ChaosRun run, ChaosOutcome outcome, List<string> complaints) =>
    [
        ("counts", Counts), ("log", plan.Settings.Log.Kind), ("seconds", plan.Seconds), ("kills", run.Kills), ("kills_while_starting", run.KillsWhileStarting),
        ("events", run.Ledgers.Sum(l => (long)l.Count)), ("accepted", outcome.Accepted), ("applied", outcome.Applied), ("lost", outcome.Lost), ("doubled", outcome.Doubled),
        ("examples_lost", outcome.ExamplesLost), ("examples_doubled", outcome.ExamplesDoubled),
        ("refused", outcome.Refused), ("dead_letters", outcome.DeadLetters), ("unknown", outcome.Unknown), ("unknown_in_log", outcome.UnknownInLog),
        ("posts_without_answer", run.Ledgers.Sum(l => l.Silent)), ("posts_put_off", run.Ledgers.Sum(l => l.Later)), ("events_twice_in_log", outcome.Resent),
        ("fresh_starts", run.FreshMs.Count), ("fresh_ms_p50", run.FreshMs.Order().ElementAt(run.FreshMs.Count / 2)), ("fresh_ms_max", run.FreshMs.Max()),
        ("warnings", complaints.Count), ("seed", plan.Seed), ("hardware", Machine.Hardware),
    ];
}
