using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using Streaming.Core.Experiments;
using Streaming.Host.Http;

namespace Streaming.Host.Cli;

/// <summary><c>ab</c>: the experiments of a running node, over its HTTP API.</summary>
internal static class AbVerb
{
    public static Command Create()
    {
        var command = new Command("ab", "Experiments of a running node: define, start, ramp, stop, kill; who is in which arm; who changed what; what they show, and how many users they take.");
        command.Subcommands.Add(Define());
        command.Subcommands.Add(List());
        command.Subcommands.Add(Show());
        command.Subcommands.Add(Step("start", "Let an experiment run, on the given share of its layer or the one it has.", share: true));
        command.Subcommands.Add(Step("ramp", "Change the share of its layer that a running experiment takes; raising it moves nobody who is in it.", share: true));
        command.Subcommands.Add(Step("stop", "End an experiment: its users have the default again.", share: false));
        command.Subcommands.Add(Step("kill", "End an experiment for cause: nobody sees its arms any more, testers included.", share: false));
        command.Subcommands.Add(Promote());
        command.Subcommands.Add(Assign());
        command.Subcommands.Add(Audit());
        command.Subcommands.Add(AbReportVerb.Create());
        command.Subcommands.Add(AbPowerVerb.Create());
        command.Subcommands.Add(AbEstimateVerb.Create());
        return command;
    }

    private static Command Define()
    {
        var command = new Command("define", "Replace the definitions by those of a file. An experiment that it names without state or share keeps them.");
        var file = new Argument<FileInfo>("FILE") { Description = "JSON (README, Experiments)" };
        command.Arguments.Add(file);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var json = await File.ReadAllBytesAsync(parse.GetValue(file)!.FullName, cancel).ConfigureAwait(false);
            // What is not even definitions is complained about here, without a node.
            ExperimentsJson.ReadDefinitions(json);
            using var client = api.Client(parse);
            using var current = await client.GetAsync("/v1/experiments", cancel).ConfigureAwait(false);
            using var request = new HttpRequestMessage(HttpMethod.Put, "/v1/experiments") { Content = new ByteArrayContent(json) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.IfMatch.Add(current.Headers.ETag ?? throw new IOException("the node's answer has no ETag; is it one of this version?"));
            return await ChangedAsync(client, request, api, parse, cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command Step(string step, string description, bool share)
    {
        var command = new Command(step, description);
        var name = new Argument<string>("EXPERIMENT");
        var value = new Argument<double?>("SHARE") { Description = "Of its layer's users, in (0, 1]", Arity = ArgumentArity.ZeroOrOne };
        command.Arguments.Add(name);
        if (share) command.Arguments.Add(value);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            var query = share && parse.GetValue(value) is { } to ? string.Create(CultureInfo.InvariantCulture, $"?share={to}") : "";
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/experiments/{Uri.EscapeDataString(parse.GetValue(name)!)}/{step}{query}");
            return await ChangedAsync(client, request, api, parse, cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command Promote()
    {
        var command = new Command("promote", "End an isolated experiment, and rank everybody by the weights that one of its arms has learned.");
        var name = new Argument<string>("EXPERIMENT");
        var arm = new Argument<string>("ARM");
        command.Arguments.Add(name);
        command.Arguments.Add(arm);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            using var request = new HttpRequestMessage(
                HttpMethod.Post, $"/v1/experiments/{Uri.EscapeDataString(parse.GetValue(name)!)}/promote?arm={Uri.EscapeDataString(parse.GetValue(arm)!)}");
            return await ChangedAsync(client, request, api, parse, cancel).ConfigureAwait(false);
        }));
        return command;
    }

    private static async Task<int> ChangedAsync(HttpClient client, HttpRequestMessage request, ApiOptions api, ParseResult parse, CancellationToken cancel)
    {
        request.Headers.Add(ExperimentEndpoints.AuthorHeader, Uri.EscapeDataString(api.Author(parse)));
        if (api.Why(parse) is { Length: > 0 } why) request.Headers.Add(ExperimentEndpoints.WhyHeader, Uri.EscapeDataString(why));
        var answer = await SendAsync(client, request, cancel).ConfigureAwait(false);
        var (version, changes) = (answer["version"]!.GetValue<long>(), answer["changes"]!.AsArray().Select(c => c!.GetValue<string>()).ToArray());
        if (api.Json(parse)) JsonLine.Print([("version", version), ("changes", changes)]);
        else Console.WriteLine($"version {version} is in force\n  {string.Join("\n  ", changes)}");
        return 0;
    }

    private static Command List()
    {
        var command = new Command("list", "Experiments with their state, share and arms.");
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            var answer = await GetAsync(client, "/v1/experiments", cancel).ConfigureAwait(false);
            var definitions = Definitions(answer);
            if (api.Json(parse))
            {
                JsonLine.Print(
                [
                    ("version", answer["version"]!.GetValue<long>()),
                    ("experiments", definitions.Experiments.Select(e => new { name = e.Name, layer = e.Layer, state = Text(e.State), share = e.Share, arms = e.Arms.Select(a => a.Name) }).ToArray()),
                ]);
                return 0;
            }
            var table = new Table().Border(TableBorder.Rounded).AddColumns("experiment", "layer", "state", "share", "arms: buckets");
            foreach (var e in definitions.Experiments)
                table.AddRow([.. new[] { e.Name, e.Layer, Text(e.State), Tables.Text(e.Share), string.Join(", ", e.Arms.Select(a => $"{a.Name}: {Buckets(answer, e, a)}{(a.Stopped ? " (stopped)" : "")}")) }.Select(Markup.Escape)]);
            Tables.Terminal().Write(table);
            Console.WriteLine($"version {answer["version"]}, by {answer["changed_by"]}");
            return 0;
        }));
        return command;
    }

    private static Command Show()
    {
        var command = new Command("show", "The definitions, as they can be edited and defined again; or one experiment of them.");
        var name = new Argument<string?>("EXPERIMENT") { Arity = ArgumentArity.ZeroOrOne };
        command.Arguments.Add(name);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            var definitions = Definitions(await GetAsync(client, "/v1/experiments", cancel).ConfigureAwait(false));
            if (parse.GetValue(name) is { } one)
                definitions = definitions with { Experiments = [definitions.Find(one) ?? throw new FormatException($"there is no experiment '{one}'")] };
            var json = ExperimentsJson.Write(definitions);
            Console.WriteLine(api.Json(parse) ? JsonNode.Parse(json)!.ToJsonString() : json);
            return 0;
        }));
        return command;
    }

    private static Command Assign()
    {
        var command = new Command("assign", "Which arms a user has on a surface, and by which buckets.");
        var user = new Argument<string>("USER");
        var surface = new Option<string>("--surface") { Description = "Where the list is shown", DefaultValueFactory = _ => "" };
        command.Arguments.Add(user);
        command.Options.Add(surface);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            var answer = await GetAsync(
                client, $"/v1/experiments/assignment?user={Uri.EscapeDataString(parse.GetValue(user)!)}&surface={Uri.EscapeDataString(parse.GetValue(surface)!)}", cancel).ConfigureAwait(false);
            Print(answer, api.Json(parse));
            return 0;
        }));
        return command;
    }

    private static Command Audit()
    {
        var command = new Command("audit", "Who changed what, when and why, newest first.");
        var limit = new Option<int>("--limit") { Description = "Changes at most", DefaultValueFactory = _ => 20 };
        var before = new Option<string>("--before") { Description = "Older ones: what the last call said", HelpName = "CURSOR" };
        command.Options.Add(limit);
        command.Options.Add(before);
        var api = new ApiOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var client = api.Client(parse);
            var older = parse.GetValue(before) is { } cursor ? "&before=" + Uri.EscapeDataString(cursor) : "";
            var answer = await GetAsync(client, $"/v1/experiments/audit?limit={parse.GetValue(limit)}{older}", cancel).ConfigureAwait(false);
            if (api.Json(parse)) Print(answer, true);
            else
            {
                foreach (var entry in answer["entries"]!.AsArray().OfType<JsonObject>())
                {
                    var at = DateTimeOffset.FromUnixTimeMilliseconds(entry["changed_ms"]!.GetValue<long>()).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
                    var passedOver = entry["in_force"]!.GetValue<bool>() ? "" : " (passed over: another change came first)";
                    Console.WriteLine($"{entry["version"],4}  {at}  {entry["changed_by"]}  {entry["why"]}{passedOver}");
                    foreach (var change in entry["changes"]!.AsArray()) Console.WriteLine($"      {change}");
                }
                if (answer["next"] is { } next) Console.WriteLine($"older ones: --before {next}");
            }
            return 0;
        }));
        return command;
    }

    private static void Print(JsonNode answer, bool line) => Console.WriteLine(answer.ToJsonString(new JsonSerializerOptions { WriteIndented = !line }));

    private static ExperimentDefinitions Definitions(JsonNode answer) => ExperimentsJson.ReadDefinitions(Encoding.UTF8.GetBytes(answer["definitions"]!.ToJsonString()));

    private static int Buckets(JsonNode answer, ExperimentDefinition experiment, ArmDefinition arm) =>
        answer["buckets"]?[experiment.Layer]?[ExperimentsVersion.Owner(experiment.Name, arm.Name)]?.GetValue<int>() ?? 0;

    private static string Text(ExperimentState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());

    private static async Task<JsonNode> GetAsync(HttpClient client, string path, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await SendAsync(client, request, cancel).ConfigureAwait(false);
    }

    /// <summary>The answer's JSON; a refusal becomes its detail, for stderr.</summary>
    private static async Task<JsonNode> SendAsync(HttpClient client, HttpRequestMessage request, CancellationToken cancel)
    {
        using var response = await client.SendAsync(request, cancel).ConfigureAwait(false);
        var text = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
        if (response.IsSuccessStatusCode) return JsonNode.Parse(text)!;
        string? detail = null;
        try
        {
            detail = JsonNode.Parse(text)?["detail"]?.GetValue<string>();
        }
        catch (JsonException)
        {
            // Not a problem document: something other than a node answers there.
        }
        throw new HttpRequestException(detail ?? $"{request.RequestUri}: {(int)response.StatusCode} {response.ReasonPhrase}");
    }

    /// <summary>Where the node is, and who asks.</summary>
    private sealed class ApiOptions
    {
        private readonly Option<string> _url = new("--url") { Description = "A node of the cluster", DefaultValueFactory = _ => "http://127.0.0.1:8080", HelpName = "URL" };
        private readonly Option<string> _author = new("--author") { Description = "For the audit", DefaultValueFactory = _ => Environment.UserName };
        private readonly Option<string> _why = new("--why") { Description = "For the audit", DefaultValueFactory = _ => "" };
        private readonly Option<bool> _json = new("--json") { Description = "End with one JSON line on stdout" };

        public ApiOptions AddTo(Command command)
        {
            foreach (var option in (Option[])[_url, _author, _why, _json]) command.Options.Add(option);
            return this;
        }

        public bool Json(ParseResult parse) => parse.GetValue(_json);

        public string Author(ParseResult parse) => parse.GetValue(_author)!;

        public string Why(ParseResult parse) => parse.GetValue(_why)!;

        public HttpClient Client(ParseResult parse) => NodeClient.Open(parse.GetValue(_url)!, TimeSpan.FromSeconds(30));
    }
}
