using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;

namespace Streaming.Host.Cli.Past;

/// <summary><c>explain-at</c>: a user and their list as they were at a moment, rebuilt from the log; two moments, or two arms, side by side.</summary>
internal static class ExplainAtVerb
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create()
    {
        var command = new Command(
            "explain-at", "Rebuild a user from the log as they were at a moment: their state, their list with the reasons, and the events behind it. Models learn the log again, "
                + "so a list's versions are the rebuild's; beside them stand what was published by then and the list that was last sent, as the log has them. "
                + "The log is that of a node that is stopped, of a backup, or on Kafka, and is only read.");
        var common = new CommonOptions().AddTo(command);
        var user = new Option<string>("--user") { Description = "Whose", Required = true, HelpName = "ID" };
        var time = new Option<string>("--time") { Description = "The moment, by when events reached the log: ISO 8601 (UTC unless it says otherwise) or Unix milliseconds", Required = true, HelpName = "TIME" };
        var and = new Option<string?>("--and") { Description = "A later moment, to compare with", HelpName = "TIME" };
        var surface = new Option<string>("--surface") { Description = "Of the list", DefaultValueFactory = _ => "" };
        var arm = new Option<string?>("--arm") { Description = "The list of this arm or policy instead of the user's own", HelpName = "ARM" };
        var versus = new Option<string?>("--versus") { Description = "A second arm, to compare with", HelpName = "ARM" };
        var events = new Option<int>("--events") { Description = "Events to show, the newest", DefaultValueFactory = _ => 20 };
        var limit = new Option<int>("--limit") { Description = "Items of the list to show; a comparison is of the whole lists, and tells what concerns these places", DefaultValueFactory = _ => 10 };
        foreach (var option in (Option[])[user, time, and, surface, arm, versus, events, limit]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var settings = common.Load(parse);
            var question = new PastQuestion(parse.GetValue(user)!, parse.GetValue(surface)!, parse.GetValue(arm), parse.GetValue(limit), settings.Users);
            if (question.User.Length is 0 or > EventLimits.IdCharsMax) throw new FormatException($"--user must have 1 to {EventLimits.IdCharsMax} characters");
            if (question.Limit is < 1 or > Feeds.Building.FeedBuilder.StandingsMax) throw new FormatException($"--limit is {question.Limit}; allowed is 1 to {Feeds.Building.FeedBuilder.StandingsMax}");
            if (parse.GetValue(events) is < 0 or > 10_000) throw new FormatException($"--events is {parse.GetValue(events)}; allowed is 0 to 10000");
            var moments = Moments(parse.GetValue(time)!, parse.GetValue(and));
            if (moments.Count > 1 && parse.GetValue(versus) is not null) throw new FormatException("give --and or --versus: two moments or two arms");
            var json = common.Json(parse);
            var answer = await ProgressView.RunAsync(
                "replaying the log", json,
                progress => RunningNode.WithLogAsync(
                    settings, settings.Node.DataDir, log => RebuildAsync(log, settings, question, moments, parse.GetValue(versus), parse.GetValue(events), progress, cancel))).ConfigureAwait(false);
            if (json) Print(answer);
            else PastTables.Print(answer);
            return 0;
        }));
        return command;
    }

    /// <summary>The moments in their order.</summary>
    private static List<long> Moments(string time, string? and)
    {
        List<long> moments = [Moment("--time", time)];
        if (and is null) return moments;
        moments.Add(Moment("--and", and));
        if (moments[1] < moments[0]) throw new FormatException("--and is before --time; give the earlier moment as --time");
        return moments;
    }

    private static long Moment(string option, string text)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ms)) return ms;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)) return time.ToUnixTimeMilliseconds();
        throw new FormatException($"{option} '{text}' is neither ISO 8601, as 2026-03-01T12:00:00Z, nor Unix milliseconds");
    }

    private static async Task<PastAnswer> RebuildAsync(
        IEventLog log, StreamingSettings settings, PastQuestion question, IReadOnlyList<long> moments, string? versus, int eventsMax, Action<double>? progress, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("streaming-past-");
        try
        {
            using var logs = Logging.CreateFactory();
            await using var running = await RunningNode.OpenAsync(
                Rebuilt(settings, log.PartitionCount(Topics.Events)), folder.FullName, Logging.Notices(logs.CreateLogger("Streaming")), cancel, isReplay: true).ConfigureAwait(false);
            using var travel = new TimeTravel(log, running.Node, question.User, eventsMax);
            if (travel.FirstMs is not { } first) throw new InvalidDataException("the log holds no events; give the --data-dir of a node that has run, or --kafka");
            if (moments[0] < first) throw new InvalidDataException($"the log begins at {PastTables.Time(first)}, and {PastTables.Time(moments[0])} is before it");
            var views = new List<PastView>();
            foreach (var moment in moments)
            {
                await travel.AdvanceAsync(moment, progress, cancel).ConfigureAwait(false);
                views.Add(await PastReader.ReadAsync(travel, question, cancel).ConfigureAwait(false));
            }
            var other = versus is null ? null : await PastReader.ListAsync(travel, question with { Arm = versus }, cancel).ConfigureAwait(false);
            if (views[0].State is not null && versus is not null && other?.Arm != versus) throw NoArm(versus, running.Node);
            if (views[0].State is not null && question.Arm is { } arm && views[0].List?.Arm != arm) throw NoArm(arm, running.Node);
            return new PastAnswer(
                question.User, first, travel.Played, views, other,
                views.Count > 1 ? StateDiff.Of(views[0].State, views[1].State) : null,
                views.Count > 1 ? ListDiff.Of(views[0].List, views[1].List, question.Limit) : other is null ? null : ListDiff.Of(views[0].List, other, question.Limit));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The same node, all in this process, on a log of its own.</summary>
    private static StreamingSettings Rebuilt(StreamingSettings settings, int partitions) => settings with
    {
        Log = settings.Log with { Kind = "embedded", Partitions = partitions }, Kafka = settings.Kafka with { Ownership = "single" },
        Node = settings.Node with { Roles = [], Actors = "threads" },
        // Nobody else waits here: a list that is asked for is built, however long it takes.
        Experiments = settings.Experiments with { FirstListWaitMs = 60_000 },
    };

    private static FormatException NoArm(string arm, StreamingNode node) =>
        new($"no list of arm '{arm}' can be made: there are {string.Join(", ", node.Splitter.Now.Version.Definitions.Experiments.Select(e => e.Name).Prepend("learned").Append("holdout"))} and the models of Deep:Models, as experiment arms 'learned~EXPERIMENT:ARM'");

    private static void Print(PastAnswer answer) => JsonLine.Print(
    [
        ("user", answer.User), ("log_from_ms", answer.LogFromMs), ("events_played", answer.EventsPlayed),
        ("moments", JsonSerializer.SerializeToElement(answer.Moments, Json)),
        ("versus", answer.Versus is null ? null : JsonSerializer.SerializeToElement(answer.Versus, Json)),
        ("state_diff", answer.State is null ? null : JsonSerializer.SerializeToElement(answer.State, Json)),
        ("list_diff", answer.Lists is null ? null : JsonSerializer.SerializeToElement(answer.Lists, Json)),
    ]);
}

/// <summary>All that the verb found.</summary>
/// <param name="User">Whose.</param>
/// <param name="LogFromMs">The log's oldest event: what came before it is not in the state.</param>
/// <param name="EventsPlayed">Of all users.</param>
/// <param name="Moments">One or two.</param>
/// <param name="Versus">The second arm's list of the first moment.</param>
/// <param name="State">From the first moment to the second.</param>
/// <param name="Lists">From the first list to the second, of moments or of arms.</param>
internal sealed record PastAnswer(string User, long LogFromMs, long EventsPlayed, IReadOnlyList<PastView> Moments, PastList? Versus, StateDiff? State, ListDiff? Lists);
