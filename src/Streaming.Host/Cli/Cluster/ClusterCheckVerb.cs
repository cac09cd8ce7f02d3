using System.CommandLine;
using System.Globalization;
using Streaming.Core.Log;

namespace Streaming.Host.Cli.Cluster;

/// <summary><c>cluster-check</c>: do several nodes, one killed and one added under load, come to what one node comes to?</summary>
internal static class ClusterCheckVerb
{
    private const string Counts =
        "the same events, written straight into the log, through one node, and through three that share the users, of which one is killed with kill -9 after a "
        + "third of the events and a further one is added after half. states_differ: users whose last state in the changelog is not the one node's, but for what "
        + "the order of rounds or the models decide (embeddings, count of lists, offsets); examples lost and doubled against the one node's, by what they say; "
        + "lists_differ: users, of a thousand, who have a list in one of the two only, or whose list is not the same on all nodes or has not seen their last action, and stays so; fresh_elsewhere: from the answer to a click on one node to "
        + "a list on another node that has seen it; bytes_per_event: in each topic of the nodes that share; move: from a shard's being given to a node to its being led, the longest of the nodes' last ones; take_over: from the kill until every shard is led again, Kafka:SessionTimeoutMs included; "
        + "phase_seconds: where the check's own time went";

    private static readonly TimeSpan ListsPatience = TimeSpan.FromMinutes(1);

    public static Command Create()
    {
        var command = new Command("cluster-check", "Nodes that share the users, one killed and one added under load, against one node: exits with 1 if they differ. Without --kafka on mock brokers.");
        var common = new CommonOptions().AddTo(command);
        var events = new Option<int>("--events") { Description = "Events through each of the two", DefaultValueFactory = _ => 200_000 };
        var partitions = new Option<int>("--partitions") { Description = "Shards; mock brokers keep 5 MB of each", DefaultValueFactory = _ => 64 };
        var nodes = new Option<int>("--nodes") { Description = "Nodes at the start", DefaultValueFactory = _ => 3 };
        var actors = new Option<string>("--actors") { Description = "What runs the shards of the nodes that share (Node:Actors): threads or akka", DefaultValueFactory = _ => "threads" };
        foreach (var option in (Option[])[events, partitions, nodes, actors]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(
            common, parse, parse.GetValue(events), parse.GetValue(partitions), parse.GetValue(nodes), parse.GetValue(actors)!, cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, int events, int partitions, int nodes, string actors, CancellationToken cancel)
    {
        if (events < 1_000) throw new FormatException($"--events is {events}; 1000 is the least that says anything");
        if (nodes < 2) throw new FormatException($"--nodes is {nodes}; one of two has to go on");
        var folder = Directory.CreateTempSubdirectory("streaming-cluster-");
        var name = $"check-{Guid.NewGuid():N}";
        var (alonePrefix, sharedPrefix) = ($"{name}-alone-", $"{name}-shared-");
        System.Diagnostics.Process? mock = null;
        try
        {
            var bootstrap = common.Load(parse).Kafka.Bootstrap;
            if (bootstrap.Length == 0) (mock, bootstrap) = await MockKafkaVerb.StartAsync(partitions, [alonePrefix, sharedPrefix], cancel).ConfigureAwait(false);
            (string, string)[] Own(string prefix, bool isShared) =>
            [
                ("Log:Kind", "kafka"), ("Kafka:Bootstrap", bootstrap), ("Kafka:Prefix", prefix), ("Kafka:Ownership", isShared ? "group" : "single"), ("Node:Actors", isShared ? actors : "threads"),
                ("Kafka:SessionTimeoutMs", "6000"), ("Kafka:FetchWaitMs", "10"), ("Log:Partitions", partitions.ToString(CultureInfo.InvariantCulture)),
                ("Users:AttributionWindowMs", ClusterTraffic.WindowMs.ToString(CultureInfo.InvariantCulture)), ("Learning:EmbeddingDim", "8"), ("Feeds:ListLength", "10"), ("Storage:State:MemoryMb", "64"), ("Storage:Cache:MemoryMb", "64"),
                // Thousands of users: indexes for millions, which each node writes whole at its first checkpoint, only cost time.
                ("Storage:State:IndexMb", "4"), ("Storage:Cache:IndexMb", "4"),
            ];
            var settings = common.Load(parse, Own(alonePrefix, false));
            // Further ahead than a check takes on the slowest machine.
            var startMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 4 * 3_600_000;
            var complaints = new List<string>();
            void Complain(string line) { lock (complaints) complaints.Add(line); }
            try
            {
                var phases = new Phases();
                await using var run = new ClusterRun(settings, common.Arguments(parse, Own(alonePrefix, false)), folder.FullName, Complain);
                var own = common.Load(parse, Own(sharedPrefix, true));
                await using var cluster = new ClusterRun(own, common.Arguments(parse, Own(sharedPrefix, true)), folder.FullName, Complain);
                var traffic = new ClusterTraffic(events, partitions, settings.Node.Seed, startMs);
                await phases.RunAsync("start", () => run.StartAsync(1, cancel)).ConfigureAwait(false);
                await phases.RunAsync("one_node", () => ProgressView.RunAsync("one node", common.Json(parse), async progress => { await run.RunAsync(traffic, events, false, progress, cancel).ConfigureAwait(false); return 0; })).ConfigureAwait(false);
                // A group takes seconds to agree, mostly waiting: time to look at what the one node has left.
                var starting = cluster.StartAsync(nodes, cancel);
                // In this order: looking lists up writes events.
                var alone = await phases.RunAsync("read", () => ClusterOutcome.ReadAsync(run.Log, settings.Learning.EmbeddingDim, cancel)).ConfigureAwait(false);
                var aloneLists = (await phases.RunAsync("lists", () => run.ListsAsync(traffic.Sample, cancel)).ConfigureAwait(false))[0];
                run.End();
                await phases.RunAsync("start", () => starting).ConfigureAwait(false);
                var again = new ClusterTraffic(events, partitions, settings.Node.Seed, startMs);
                await phases.RunAsync("nodes", () => ProgressView.RunAsync($"{nodes} nodes", common.Json(parse), async progress => { await cluster.RunAsync(again, events, true, progress, cancel).ConfigureAwait(false); return 0; })).ConfigureAwait(false);
                var shared = await phases.RunAsync("read", () => ClusterOutcome.ReadAsync(cluster.Log, own.Learning.EmbeddingDim, cancel)).ConfigureAwait(false);
                var bytes = shared.Bytes.ToDictionary(b => b.Key, b => (double)b.Value / events);
                foreach (var topic in (string[])[Topics.Events, Topics.Feeds])
                    bytes[topic] = (double)await phases.RunAsync("read", () => ClusterOutcome.BytesAsync(cluster.Log, topic, cancel)).ConfigureAwait(false) / events;
                var listsDiffer = await phases.RunAsync("lists", () => ListsDifferAsync(again, aloneLists, cluster, cancel)).ConfigureAwait(false);
                var routed = await cluster.AnswersAsync(ClusterTraffic.UserOf(0), cancel).ConfigureAwait(false);
                var fresh = await phases.RunAsync("fresh_elsewhere", () => cluster.FreshElsewhereAsync(200, again.Users, cancel)).ConfigureAwait(false);
                fresh.Sort();
                var statesDiffer = alone.States.Keys.Union(shared.States.Keys).Count(user => alone.States.GetValueOrDefault(user) != shared.States.GetValueOrDefault(user));
                var lost = alone.Examples.Sum(e => Math.Max(0, e.Value - shared.Examples.GetValueOrDefault(e.Key)));
                var doubled = shared.Examples.Sum(e => Math.Max(0, e.Value - alone.Examples.GetValueOrDefault(e.Key)));
                (string, object?)[] figures =
                [
                    ("counts", Counts), ("brokers", mock is null ? "given" : "mock"), ("actors", actors), ("events", events), ("partitions", partitions), ("nodes", nodes), ("kills", 1), ("added", 1),
                    ("applied", cluster.Applied), ("users", alone.States.Count), ("states_differ", statesDiffer), ("examples", alone.Examples.Sum(e => (long)e.Value)),
                    ("examples_lost", lost), ("examples_doubled", doubled), ("examples_uncommitted", shared.Repeats), ("lists", aloneLists.Count), ("lists_differ", listsDiffer), ("state_routed", routed),
                    ("take_over_ms", cluster.TakeOverMs), ("join_ms", cluster.JoinMs), ("move_ms", await cluster.MoveMsAsync(cancel).ConfigureAwait(false)), ("bytes_per_event", bytes), ("fresh_elsewhere_ms_p50", fresh[fresh.Count / 2]), ("fresh_elsewhere_ms_p99", fresh[(int)(fresh.Count * .99)]),
                    ("one_node_seconds", run.Seconds), ("nodes_seconds", cluster.Seconds), ("phase_seconds", phases.Seconds), ("complaints", complaints.Count), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
                ];
                foreach (var user in alone.States.Keys.Union(shared.States.Keys).Where(user => alone.States.GetValueOrDefault(user) != shared.States.GetValueOrDefault(user)).Take(3))
                    await Console.Error.WriteLineAsync($"{user} differs: {alone.States.GetValueOrDefault(user)} against {shared.States.GetValueOrDefault(user)}").ConfigureAwait(false);
                if (common.Json(parse)) JsonLine.Print(figures);
                else Tables.Print("Nodes against one node", figures);
                return cluster.Applied == events && statesDiffer + listsDiffer + lost + doubled == 0 && routed ? 0 : 1;
            }
            catch (InvalidDataException)
            {
                // What the nodes said is the only clue.
                foreach (var line in complaints.TakeLast(20)) await Console.Error.WriteLineAsync(line).ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            mock?.Kill();
            mock?.WaitForExit();
            folder.Delete(recursive: true);
        }
    }

    /// <summary>
    /// Users who have a list in one of the two only, or not the same on all nodes, or one that has not seen their last action, and stay so: a node has others'
    /// lists some moments after their leader, on a busy machine seconds.
    /// </summary>
    private static async Task<int> ListsDifferAsync(ClusterTraffic traffic, Dictionary<string, (string Items, long LastEventMs)> alone, ClusterRun cluster, CancellationToken cancel)
    {
        List<int> differ = [.. traffic.Sample];
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); ; await Task.Delay(500, cancel).ConfigureAwait(false))
        {
            var lists = await cluster.ListsAsync(differ, cancel).ConfigureAwait(false);
            differ = [.. differ.Where(Differs)];
            if (differ.Count == 0) return 0;
            if (clock.Elapsed < ListsPatience) continue;
            foreach (var u in differ.Take(3))
            {
                var user = ClusterTraffic.UserOf(u);
                await Console.Error.WriteLineAsync($"the list of {user}, who acted last at {traffic.ActedMs(u)}, differs: {alone.GetValueOrDefault(user)} against {string.Join(" and ", lists.Select(l => l.GetValueOrDefault(user)))}").ConfigureAwait(false);
            }
            return differ.Count;

            bool Differs(int u)
            {
                var user = ClusterTraffic.UserOf(u);
                if (alone.ContainsKey(user) != lists[0].ContainsKey(user)) return true;
                if (lists.Any(l => l.GetValueOrDefault(user) != lists[0].GetValueOrDefault(user))) return true;
                return lists[0].TryGetValue(user, out var list) && list.LastEventMs < traffic.ActedMs(u);
            }
        }
    }

    /// <summary>Seconds by the name of what they went into.</summary>
    private sealed class Phases
    {
        public Dictionary<string, double> Seconds { get; } = [];

        public async Task<T> RunAsync<T>(string phase, Func<Task<T>> work)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var result = await work().ConfigureAwait(false);
            Seconds[phase] = Seconds.GetValueOrDefault(phase) + clock.Elapsed.TotalSeconds;
            return result;
        }

        public Task RunAsync(string phase, Func<Task> work) => RunAsync(phase, async () => { await work().ConfigureAwait(false); return 0; });
    }
}
