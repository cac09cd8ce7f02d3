using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Kafka;

namespace Streaming.Host.Cli.Cluster;

/// <summary>Events through nodes in processes of their own; nodes come and go meanwhile.</summary>
internal sealed class ClusterRun : IAsyncDisposable
{
    private const int Chunks = 20;
    private const int RoutedRoundsMax = 60;

    /// <summary>How many at a time.</summary>
    private const int LookUps = 4;

    /// <summary>How long nothing may get on.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>How long a wait may take in all: nodes that take shards from each other for ever get on too.</summary>
    private static readonly TimeSpan PatienceInAll = TimeSpan.FromMinutes(30);

    /// <summary>A node that starts on a machine with much else to do may take long to answer, and is not broken by that.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromMinutes(2);

    /// <summary>Of the nodes: they live for a minute or two, so what the compiler learns to compile better is not earned back.</summary>
    private static readonly (string, string)[] Environment = [("DOTNET_TieredPGO", "0")];

    private readonly StreamingSettings _settings;
    private readonly IReadOnlyList<string> _arguments;
    private readonly string _folder;
    private readonly Action<string> _complaints;
    private readonly KafkaEventLog _log;
    private readonly HttpClient _http = new() { Timeout = AnswerPatience };
    private readonly List<NodeProcess> _nodes = [];
    private int _started;
    private string _seed = "";

    /// <param name="settings">Of every node.</param>
    /// <param name="arguments">The same, as a node's command line.</param>
    /// <param name="folder">For the nodes' data.</param>
    /// <param name="complaints">What nodes say on stderr.</param>
    public ClusterRun(StreamingSettings settings, IReadOnlyList<string> arguments, string folder, Action<string> complaints)
    {
        (_settings, _arguments, _folder, _complaints) = (settings, arguments, folder, complaints);
        _log = new KafkaEventLog(settings.Kafka, settings.Log, TimeProvider.System);
    }

    public IEventLog Log => _log;

    /// <summary>From the first event to the last one's being applied.</summary>
    public double Seconds { get; private set; }

    /// <summary>From the kill of a node to every shard's being led again, ms.</summary>
    public double TakeOverMs { get; private set; }

    /// <summary>From the start of a further node to its leading its share, ms.</summary>
    public double JoinMs { get; private set; }

    public long Applied { get; private set; }

    public async Task StartAsync(int nodes, CancellationToken cancel)
    {
        // Together, as a group that gathers agrees once; only an Akka cluster has to be founded by one before others join it.
        var starting = new List<Task>();
        for (var i = 0; i < nodes; i++)
        {
            starting.Add(AddAsync(cancel));
            if (i == 0 && _settings.Node.Actors == "akka") await starting[0].ConfigureAwait(false);
        }
        await Task.WhenAll(starting).ConfigureAwait(false);
        await UntilAsync(all => Led(all) == _settings.Log.Partitions && all.All(IsCalm) && all.All(HasShare), cancel).ConfigureAwait(false);
    }

    /// <summary>Offers the events; after a third of them a node is killed, after half of them one is added.</summary>
    public async Task RunAsync(ClusterTraffic traffic, int events, bool disturbed, Action<double>? progress, CancellationToken cancel)
    {
        await traffic.AppendItemsAsync(_log, cancel).ConfigureAwait(false);
        // What is known of an item when it is clicked goes into the user's interests.
        await UntilAsync(all => all.All(s => s.GetProperty("items").GetInt64() == ClusterTraffic.Items), cancel).ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        Task beside = Task.CompletedTask;
        for (var chunk = 0; chunk < Chunks; chunk++)
        {
            await traffic.AppendAsync(_log, (int)((long)events * chunk / Chunks), (int)((long)events * (chunk + 1) / Chunks), cancel).ConfigureAwait(false);
            progress?.Invoke((chunk + 1.0) / Chunks / 2);
            if (!disturbed) continue;
            // Under load: what was offered is being worked on, and more comes while shards move.
            if (chunk == Chunks / 3) beside = KillAsync(cancel);
            if (chunk == Chunks / 2)
            {
                await beside.ConfigureAwait(false);
                beside = JoinAsync(cancel);
            }
        }
        await beside.ConfigureAwait(false);
        await traffic.AppendEndAsync(_log, cancel).ConfigureAwait(false);
        var ends = new long[_settings.Log.Partitions];
        await UntilAsync(all =>
        {
            Applied = all.Sum(s => s.GetProperty("users").GetProperty("applied").GetInt64());
            progress?.Invoke(.5 + .5 * Applied / events);
            // All events may be applied while lists that they made stale still wait for a quiet round.
            return Led(all) == ends.Length && all.All(IsCalm) && all.Sum(s => s.GetProperty("lag_offsets").GetInt64() + s.GetProperty("lists_waiting").GetInt64()) == 0;
        }, cancel).ConfigureAwait(false);
        Seconds = clock.Elapsed.TotalSeconds;
    }

    /// <summary>Users' lists as each node serves it: whose, what, and the time of the last event that it has seen.</summary>
    public async Task<IReadOnlyList<Dictionary<string, (string Items, long LastEventMs)>>> ListsAsync(IEnumerable<int> users, CancellationToken cancel)
    {
        var all = new List<Dictionary<string, (string, long)>>();
        foreach (var node in _nodes)
        {
            var lists = new ConcurrentDictionary<string, (string, long)>(StringComparer.Ordinal);
            await Parallel.ForEachAsync(users, new ParallelOptions { MaxDegreeOfParallelism = LookUps, CancellationToken = cancel }, async (u, stop) =>
            {
                var list = await GetAsync(node, $"/v1/feed/{ClusterTraffic.UserOf(u)}?limit=20", stop).ConfigureAwait(false);
                if (list.GetProperty("source").GetString() != "own") return;
                lists[ClusterTraffic.UserOf(u)] = ($"{list.GetProperty("list_version")} {list.GetProperty("items").GetRawText()}", list.GetProperty("last_event_ms").GetInt64());
            }).ConfigureAwait(false);
            all.Add(new(lists, StringComparer.Ordinal));
        }
        return all;
    }

    /// <summary>How long a click on one node takes to show in the list that another node serves, ms, from the click's answer.</summary>
    public async Task<List<double>> FreshElsewhereAsync(int clicks, int users, CancellationToken cancel)
    {
        var took = new List<double>();
        for (var i = 0; i < clicks; i++)
        {
            var (here, there) = (_nodes[i % _nodes.Count], _nodes[(i + 1) % _nodes.Count]);
            var user = ClusterTraffic.UserOf(i % users);
            using var answer = await _http.PostAsJsonAsync($"http://127.0.0.1:{here.Port}/v1/events", new { type = "click", user, item = $"i{i % 1000}" }, cancel).ConfigureAwait(false);
            answer.EnsureSuccessStatusCode();
            var accepted = await answer.Content.ReadFromJsonAsync<JsonElement>(cancel).ConfigureAwait(false);
            if (!LogPosition.TryParse(accepted.GetProperty("results")[0].GetProperty("position").GetString(), out var position)) throw new InvalidDataException($"no position in {accepted}");
            var clock = Stopwatch.StartNew();
            while (true)
            {
                var list = await GetAsync(there, $"/v1/feed/{user}?limit=1", cancel).ConfigureAwait(false);
                if (list.TryGetProperty("last_event", out var text) && LogPosition.TryParse(text.GetString(), out var seen) && seen.Offset >= position.Offset) break;
                if (clock.Elapsed > Patience) throw new InvalidDataException($"the list of {user} did not come to the other node");
                await Task.Delay(1, cancel).ConfigureAwait(false);
            }
            took.Add(clock.Elapsed.TotalMilliseconds);
        }
        return took;
    }

    /// <summary>A state asked of each node in turn: whoever leads the user answers, whichever is asked.</summary>
    public async Task<bool> AnswersAsync(string user, CancellationToken cancel)
    {
        // Looking lists up writes events: between two nodes' answers the user may have taken one in. What differs for good is another user.
        for (var round = 0; round < RoutedRoundsMax; round++)
        {
            var answers = new HashSet<string>(StringComparer.Ordinal);
            foreach (var node in _nodes) answers.Add((await GetAsync(node, $"/v1/users/{user}", cancel).ConfigureAwait(false)).GetProperty("last_applied").GetString()!);
            if (answers.Count == 1) return true;
            await Task.Delay(500, cancel).ConfigureAwait(false);
        }
        return false;
    }

    /// <summary>From a shard's being given to a node to its being led there: the longest of the nodes' last ones, ms.</summary>
    public async Task<double> MoveMsAsync(CancellationToken cancel)
    {
        var longest = 0.0;
        foreach (var node in _nodes)
            longest = Math.Max(longest, (await GetAsync(node, "/v1/status", cancel).ConfigureAwait(false)).GetProperty("shards").GetProperty("last_move_ms").GetDouble());
        return longest;
    }

    /// <summary>Ends the nodes; what they have left in the log can still be read.</summary>
    public void End()
    {
        foreach (var node in _nodes) node.Dispose();
        _nodes.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        End();
        _http.Dispose();
        await _log.DisposeAsync().ConfigureAwait(false);
    }

    private async Task AddAsync(CancellationToken cancel)
    {
        var number = ++_started;
        IReadOnlyList<string> own = _settings.Node.Actors == "akka" ? ["--set", $"Node:Hocon={WriteHocon(number)}"] : [];
        var node = NodeProcess.Start(NodeProcess.FreePort(), [.. _arguments, .. own, "--data-dir", Path.Combine(_folder, $"{_settings.Kafka.Prefix}{number}")], line => _complaints($"node {number}: {line}"), Environment);
        node.Name = $"{number}";
        _nodes.Add(node);
        await node.WaitReadyAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>A cluster on the loopback; one that makes up its mind about a silent node within seconds, as there is no network to be slow.</summary>
    private string WriteHocon(int number)
    {
        var port = NodeProcess.FreePort();
        if (number == 1) _seed = $"akka.tcp://streaming@127.0.0.1:{port}";
        var file = Path.Combine(_folder, $"{_settings.Kafka.Prefix}{number}.conf");
        File.WriteAllText(file, $"""
            akka.remote.dot-netty.tcp.port = {port}
            akka.cluster.seed-nodes = ["{_seed}"]
            akka.cluster.split-brain-resolver.stable-after = 5s
            akka.cluster.failure-detector.acceptable-heartbeat-pause = 6s
            akka.cluster.sharding.handoff-timeout = 5s
            """);
        return file;
    }

    private async Task KillAsync(CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var victim = _nodes[1];
        _nodes.RemoveAt(1);
        await victim.KillAsync().ConfigureAwait(false);
        victim.Dispose();
        await UntilAsync(all => Led(all) == _settings.Log.Partitions, cancel).ConfigureAwait(false);
        TakeOverMs = clock.Elapsed.TotalMilliseconds;
    }

    private async Task JoinAsync(CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        await AddAsync(cancel).ConfigureAwait(false);
        await UntilAsync(all => HasShare(all[^1]) && Led(all) == _settings.Log.Partitions, cancel).ConfigureAwait(false);
        JoinMs = clock.Elapsed.TotalMilliseconds;
    }

    private int Led(IReadOnlyList<JsonElement> all) => _settings.Kafka.IsShared
        ? all.Sum(s => s.GetProperty("shards").GetProperty("leading").GetArrayLength())
        : _settings.Log.Partitions;

    private bool HasShare(JsonElement status) => !_settings.Kafka.IsShared || status.GetProperty("shards").GetProperty("leading").GetArrayLength() >= _settings.Log.Partitions / _nodes.Count;

    private bool IsCalm(JsonElement status) => !_settings.Kafka.IsShared || status.GetProperty("shards").GetProperty("coming").GetInt32() == 0;

    private async Task UntilAsync(Func<IReadOnlyList<JsonElement>, bool> holds, CancellationToken cancel)
    {
        var (clock, still) = (Stopwatch.StartNew(), Stopwatch.StartNew());
        var before = "";
        for (var steady = 0; steady < 2;)
        {
            var all = new List<JsonElement>();
            foreach (var node in _nodes.ToList()) all.Add(await GetAsync(node, "/v1/status", cancel).ConfigureAwait(false));
            steady = holds(all) ? steady + 1 : 0;
            // On a machine with much else to do it all takes long, and is not broken by that.
            var now = string.Join(';', all.Select(Progress));
            if (now != before) still.Restart();
            before = now;
            if (still.Elapsed > Patience || clock.Elapsed > PatienceInAll)
                throw new InvalidDataException($"the nodes do not come to rest: {string.Join("; ", all.Select(s => $"{s.GetProperty("users").GetProperty("applied")} applied, {s.GetProperty("lag_offsets")} behind, {s.GetProperty("lists_waiting")} lists wait, shards {s.GetProperty("shards")}"))}");
            // As long as the measure of the backlog is old at most.
            await Task.Delay(steady > 0 ? 600 : 100, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>What changes as long as a node gets on; not its backlog, which its own ticks move.</summary>
    private static string Progress(JsonElement status) =>
        $"{status.GetProperty("users").GetProperty("applied")} {status.GetProperty("items")} {(status.TryGetProperty("shards", out var shards) ? shards : default)}";

    private async Task<JsonElement> GetAsync(NodeProcess node, string path, CancellationToken cancel)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _http.GetAsync($"http://127.0.0.1:{node.Port}{path}", cancel).ConfigureAwait(false);
        }
        catch (HttpRequestException problem)
        {
            await Task.Delay(1_000, cancel).ConfigureAwait(false);
            throw new InvalidDataException(node.HasExited ? $"node {node.Name} ended by itself with code {node.ExitCode}" : $"node {node.Name} does not answer: {problem.Message}", problem);
        }
        catch (TaskCanceledException problem) when (!cancel.IsCancellationRequested)
        {
            // Nobody has interrupted the check: the client gave up.
            throw new InvalidDataException($"node {node.Name} did not answer {path} within {AnswerPatience.TotalSeconds:0} s", problem);
        }
        using var _ = answer;
        if (!answer.IsSuccessStatusCode) throw new InvalidDataException($"{path}: {await answer.Content.ReadAsStringAsync(cancel).ConfigureAwait(false)}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(cancel).ConfigureAwait(false);
    }
}
