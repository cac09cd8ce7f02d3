using System.CommandLine;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Spectre.Console;
using Streaming.Core.Experiments;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Experiments.Ledger;
using Streaming.Experiments.Reporting;
using Streaming.Host.Http;
using Streaming.Node.Statistics;

namespace Streaming.Host.Cli;

/// <summary><c>ab report</c>: what an experiment shows, for people.</summary>
internal static class AbReportVerb
{
    public static Command Create()
    {
        var command = new Command("report", "What an experiment shows: asked of a running node, or added up from the log of one that is stopped.");
        var experiment = new Argument<string>("experiment")
        {
            Description = "Its name; 'default' is the hold-out beside the learned feed", DefaultValueFactory = _ => ArmKey.DefaultExperiment,
        };
        var node = new Option<string?>("--url") { Description = "The node; default is the address of Serving:Listen", HelpName = "URL" };
        var offline = new Option<bool>("--offline") { Description = "Read the log in --data-dir (or on Kafka) instead of asking a node" };
        command.Arguments.Add(experiment);
        foreach (var option in (Option[])[node, offline]) command.Options.Add(option);
        var common = new CommonOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var settings = common.Load(parse);
            var name = parse.GetValue(experiment)!;
            var report = parse.GetValue(offline)
                ? await ProgressView.RunAsync("reading the log", common.Json(parse), progress => Task.Run(() => OfflineAsync(settings, name, progress, cancel), cancel)).ConfigureAwait(false)
                : await AskAsync(parse.GetValue(node) ?? "http://" + settings.Serving.Listen, name, cancel).ConfigureAwait(false);
            if (common.Json(parse)) Console.Out.WriteLine(JsonSerializer.Serialize(report, ReportJson.Options));
            else Print(report);
            return 0;
        }));
        return command;
    }

    private static async Task<ExperimentReport> AskAsync(string node, string experiment, CancellationToken cancel)
    {
        using var http = NodeClient.Open(node, TimeSpan.FromSeconds(60));
        try
        {
            using var answer = await http.GetAsync(new Uri($"/v1/experiments/{Uri.EscapeDataString(experiment)}/report", UriKind.Relative), cancel).ConfigureAwait(false);
            if (answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.ServiceUnavailable)
            {
                using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancel).ConfigureAwait(false));
                throw new InvalidDataException(problem.RootElement.TryGetProperty("detail", out var detail) ? detail.GetString() : $"{node} answered {(int)answer.StatusCode}");
            }
            answer.EnsureSuccessStatusCode();
            return await answer.Content.ReadFromJsonAsync<ExperimentReport>(ReportJson.Options, cancel).ConfigureAwait(false)
                ?? throw new InvalidDataException($"{node} answered with nothing");
        }
        catch (HttpRequestException problem) when (problem.StatusCode is null)
        {
            throw new IOException($"no node answers at {node} ({problem.Message}); start one, give its address with --url, or read a stopped node's log with --offline --data-dir DIR", problem);
        }
    }

    /// <summary>From the figures that the node has saved and what the log holds after them. Writes nothing.</summary>
    private static Task<ExperimentReport> OfflineAsync(StreamingSettings settings, string experiment, Action<double>? progress, CancellationToken cancel) =>
        RunningNode.WithLogAsync(settings, settings.Node.DataDir, log =>
        {
            var version = VersionIn(log);
            var tracked = TrackedExperiments.Of(version, settings.Experiments);
            using var reader = LedgerReader.Open(new LedgerReaderParts
            {
                Log = log, Folder = ExperimentStatistics.FolderOf(Path.Combine(settings.Node.DataDir, "checkpoints")), Limits = LedgerLimits.Of(settings),
                Experiments = () => tracked, Notice = Console.Error.WriteLine,
            });
            reader.CatchUp(cancel, progress);
            return Task.FromResult(reader.Report(experiment, ReportPlan.Of(version.Definitions.Find(experiment)))
                ?? throw new InvalidDataException($"there are no figures of an experiment '{experiment}'; there are {string.Join(", ", reader.Experiments)}"));
        });

    /// <summary>The experiments in force at the end of the log.</summary>
    private static ExperimentsVersion VersionIn(IEventLog log)
    {
        var (version, batch) = (ExperimentsVersion.None, new LogBatch());
        var range = log.RangeAsync(Topics.Experiments, 0).AsTask().GetAwaiter().GetResult();
        using var reader = log.OpenReader(Topics.Experiments, 0, range.Earliest);
        while (reader.ReadTo(batch, 64, range.End) > 0)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                var next = ExperimentsJson.ReadVersion(batch.Value(i).Span);
                // One that another writer's came before never applied.
                if (next.Version == version.Version + 1) version = next;
            }
        }
        return version;
    }

    private static void Print(ExperimentReport report)
    {
        var console = Tables.Terminal();
        console.WriteLine($"Experiment {report.Experiment}; control: {report.Control}");
        console.WriteLine();
        foreach (var sentence in report.Meaning) console.WriteLine("* " + sentence);
        console.WriteLine();
        var arms = new Table().Border(TableBorder.Rounded).AddColumn("arm").AddColumn(Right("users")).AddColumn(Right("planned share")).AddColumn("");
        foreach (var arm in report.Arms)
            arms.AddRow(Markup.Escape(arm.Arm), Tables.Text(arm.Users), Tables.Text(arm.Share), arm.Stopped ? "stopped" : arm.Share == 0 ? "gets nobody" : "");
        console.Write(arms);
        var table = new Table().Border(TableBorder.Rounded).AddColumn("metric").AddColumn("arm").AddColumn(Right("control")).AddColumn(Right("arm's"))
            .AddColumn(Right("change")).AddColumn("true change, 95 times in 100").AddColumn("verdict");
        if (report.Alpha != 0.05) table.Columns[5].Header = new Text("true change");
        foreach (var row in report.Metrics)
            table.AddRow(
                Markup.Escape(row.Metric + (row.Primary ? " (decides)" : "")), Markup.Escape(row.Arm), Tables.Text(row.Control), Tables.Text(row.Value),
                ReportWords.Signed(row.Lift), ReportWords.Range(row.Interval), ReportWords.Name(row.Verdict));
        console.Write(table);
        foreach (var rail in report.GuardRails)
            console.WriteLine($"Guard-rail {rail.Metric} of {rail.Arm}: {ReportWords.Name(rail.State)}; change {ReportWords.Range(rail.Interval)}, allowed loss {ReportWords.Signed(rail.Margin).TrimStart('+')}.");
        console.WriteLine(
            $"Split of the users: {(report.SampleRatio.IsMismatch ? "WRONG" : "as planned")} (chi-square p {Tables.Text(report.SampleRatio.PValue)}). "
            + $"Events of another arm's lists, not counted: {report.CrossedOver}; events that named no list: {report.Unnamed}.");
        console.WriteLine("Intervals and verdicts hold however often you look; --json has those for a single look at a planned end, too.");
    }

    private static TableColumn Right(string name) => new TableColumn(name).RightAligned();
}
