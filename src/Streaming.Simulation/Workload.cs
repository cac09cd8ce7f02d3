using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Evaluation;
using Streaming.Experiments.Splitting;
using Streaming.Node;

namespace Streaming.Simulation;

/// <summary>A record that the node has said it took.</summary>
public sealed record Acknowledged(string Topic, LogPosition Position, byte[] Value);

/// <summary>What a client needs of the machine: the life that answers at the moment.</summary>
internal interface IServing
{
    /// <summary>Null while the node is down or starting.</summary>
    (Life Life, StreamingNode Node)? Serving { get; }

    void Violate(string what);
}

/// <summary>
/// Clients over a network that drops, doubles, delays and reorders. Each asks for lists, reports what was seen and done, changes items,
/// deletes users, and sends nonsense; what is not acknowledged in time is sent again, with the same event ids.
/// </summary>
internal sealed class Workload(World world, Shape shape, Faults faults, ulong seed, IServing machine)
{
    private const int AttemptsMax = 8;
    private const int WeighingsMax = 20;
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1_500);
    private static readonly string[] Actions = ["click", "click", "click", "like", "share", "add_to_cart", "purchase", "dwell", "rating", "dislike", "hide", "search", "my_type", "user_upsert"];

    private static readonly string[] Weighables = ["click", "click", "like", "my_type", "no_such_type", "purchase"];

    private readonly Dictionary<string, LogPosition> _lastOf = [];
    private ulong _nonce;

    public List<Acknowledged> Acknowledged { get; } = [];

    /// <summary>Every user that any event named.</summary>
    public SortedSet<string> Users { get; } = new(StringComparer.Ordinal);

    public int Lookups { get; private set; }
    public int Resent { get; private set; }

    /// <summary>Whether there is an operator.</summary>
    public bool Weighs { get; init; }

    /// <summary>Changes of weights that are in the log for sure.</summary>
    public int Weighed { get; private set; }

    /// <summary>Completes when every client has done its work.</summary>
    public Task RunAsync() => world.Go("clients", async () =>
    {
        await SendAsync(Topics.Items, [.. Enumerable.Range(0, shape.Items).Select(i => Item(i, i % 3))]);
        await Task.WhenAll([.. Enumerable.Range(0, shape.Clients).Select(ClientAsync), .. Weighs ? [OperateAsync()] : Array.Empty<Task>()]);
    });

    /// <summary>An operator who changes what actions weigh, types that nobody else knows among them.</summary>
    private async Task OperateAsync()
    {
        var draws = new Draws(StableHash.Combine(seed, StableHash.Of("operator")));
        for (var n = 0; n < WeighingsMax; n++)
        {
            await world.Delay(TimeSpan.FromMilliseconds(draws.Exponential(shape.ThinkMs * shape.RequestsPerClient / WeighingsMax)), null, "think");
            var path = ChangedWeights.Section + Weighables[draws.Below(Weighables.Length)];
            var value = draws.Chance(.3) ? null : draws.Below(2) == 0 ? $"{1 + draws.Below(9)}" : "0.125";
            if (machine.Serving is not var (life, node)) continue;
            // As another node would write it: this one has it from the log, with its next round.
            var changing = life.Call("weigh", async () =>
            {
                var current = node.Experiments.Current;
                var next = ExperimentPlanner.Next(current, current.Definitions.Weighted(path, value), "operator", "", NowMs());
                await node.Log.AppendAsync(Topics.Experiments, new[] { new LogEntry(Utf8($"{next.Version}"), ExperimentsJson.Write(next), NowMs(), 0) });
                await node.TellWeightsAsync();
                return next;
            });
            // A node that ends meanwhile answers nobody.
            await Task.WhenAny(changing, world.Delay(TimeSpan.FromSeconds(20), null, "patience"));
            if (changing.IsCompletedSuccessfully) Weighed++;
            else if (changing.Exception?.GetBaseException() is { } problem and not (EventLogException or CrashException)) machine.Violate($"a change of weights failed: {problem}");
        }
    }

    private async Task ClientAsync(int client)
    {
        var draws = new Draws(StableHash.Combine(seed, (ulong)client));
        var skewMs = draws.Below(4_000) - 2_000;
        for (var n = 0; n < shape.RequestsPerClient; n++)
        {
            await world.Delay(TimeSpan.FromMilliseconds(draws.Exponential(shape.ThinkMs)), null, "think");
            // The square crowds the first users, so that some have long histories and others hardly any.
            var user = $"u{(int)(shape.Users * Math.Pow(draws.Unit(), 2))}";
            Users.Add(user);
            var id = $"c{client}-{n}";
            var nowMs = NowMs() + skewMs - (draws.Chance(.1) ? draws.Below(30_000) : 0);
            switch (draws.Below(100))
            {
                case < 40: await BrowseAsync(user, id, nowMs, draws.Next()); break;
                case < 75: await SendAsync(Topics.Events, [.. Enumerable.Range(0, 1 + draws.Below(3)).Select(i => Action(ref draws, user, $"{id}-{i}", nowMs))]); break;
                case < 82: await SendAsync(Topics.Items, [draws.Chance(.4) ? Utf8($$"""{"id":"i{{draws.Below(shape.Items)}}","deleted":true}""") : Item(draws.Below(shape.Items), draws.Below(5))]); break;
                case < 86: await SendAsync(Topics.Events, [Utf8($$"""{"type":"user_delete","user":"{{user}}","time":{{nowMs}},"event_id":"{{id}}"}""")]); break;
                case < 90: await SendAsync(Topics.Events, [Utf8("""{"type":"click","user":"""), Utf8("""{"type":"click","user":"u1"}"""), Action(ref draws, user, id, nowMs)]); break;
                default: await FindAsync(user, draws.Chance(.3) ? "home" : "", draws.Chance(.5)); break;
            }
        }
    }

    /// <summary>A page: its list, what of it was seen, what was done with it.</summary>
    private async Task BrowseAsync(string user, string id, long nowMs, ulong more)
    {
        var draws = new Draws(more);
        var surface = draws.Chance(.3) ? "home" : "";
        if (await FindAsync(user, surface, draws.Chance(.3)) is not { } list || list.Entries.Length == 0) return;
        var request = RequestId.Format(list.Arm, list.Version, ++_nonce);
        var seen = list.Entries.Take(1 + draws.Below(6)).Select(e => e.Item).ToArray();
        var common = $"""
            "user":"{user}","time":{nowMs},"surface":"{surface}","request_id":"{request}"
            """;
        List<byte[]> events = [Utf8($$"""{"type":"impression",{{common}},"event_id":"{{id}}-s","items":[{{string.Join(',', seen.Select(i => $"\"{i}\""))}}]}""")];
        for (var i = 0; i < seen.Length; i++)
            if (draws.Chance(.25)) events.Add(Utf8($$"""{"type":"click",{{common}},"event_id":"{{id}}-c{{i}}","item":"{{seen[i]}}","position":{{i}}}"""));
        await SendAsync(Topics.Events, events);
    }

    private async Task<FeedList?> FindAsync(string user, string surface, bool fresh)
    {
        await world.Delay(faults.NetDelay(), null, "net");
        if (machine.Serving is not var (life, node)) return null;
        var bytes = new ByteWriter();
        LogPosition? after = fresh && _lastOf.TryGetValue(user, out var last) ? last : null;
        var asked = new FeedRequest(user, surface, ["t1"], after, WaitMs: 1_000);
        var finding = life.Call("lookup", () => node.Lookup.FindAsync(asked, bytes).AsTask());
        if (await Task.WhenAny(finding, world.Delay(TimeSpan.FromSeconds(20), null, "patience")) != finding)
        {
            if (!life.IsDead) machine.Violate($"a look-up of '{user}' is not answered");
            return null;
        }
        Lookups++;
        if (finding.Exception is { } problem)
        {
            machine.Violate($"a look-up of '{user}' failed: {problem.GetBaseException()}");
            return null;
        }
        if (finding.Result is FeedOutcome.Empty or FeedOutcome.NotYet) return null;
        var list = FeedListCodec.Read(bytes.WrittenSpan);
        if (finding.Result == FeedOutcome.Own && list.User != user) machine.Violate($"'{user}' was given the list of '{list.User}'");
        if (after is { } position && !FreshLists.Seen(list.LastApplied, position)) machine.Violate($"'{user}' asked for a list after {position} and was given one as of {list.LastApplied}");
        if (finding.Result == FeedOutcome.Own && list.Entries.Length > 0 && !life.IsDead) LogServed(node, list, surface);
        return list;
    }

    private void LogServed(StreamingNode node, FeedList list, string surface)
    {
        if (!node.Served.IsNew(StableHash.Of(list.User), list.Version, 0, 20)) return;
        node.Served.Add(new UserEvent
        {
            Kind = EventKind.Served, Type = "served", User = list.User, TimeMs = NowMs(), Surface = surface,
            RequestId = RequestId.Format(list.Arm, list.Version, ++_nonce),
            Items = [.. list.Entries.Take(20).Select((e, i) => new ShownItem(e.Item, i, e.Propensity))],
        });
    }

    /// <summary>Sends until it is acknowledged, or the client's patience ends.</summary>
    private async Task SendAsync(string topic, IReadOnlyList<byte[]> records)
    {
        for (var attempt = 0; attempt < AttemptsMax || topic == Topics.Items; attempt++)
        {
            if (attempt > 0) Resent++;
            await world.Delay(faults.NetDelay(), null, "net");
            if (faults.Chance(shape.DropRate) || machine.Serving is not var (life, node) || node.Ingest.IsOverloaded)
            {
                await world.Delay(Patience, null, "patience");
                continue;
            }
            var sending = Deliver(life, node, topic, records);
            if (faults.Chance(shape.DuplicateRate)) _ = DeliverAgainAsync(topic, records);
            await Task.WhenAny(sending, world.Delay(Patience, null, "patience"));
            await world.Delay(faults.NetDelay(), null, "net");
            if (!sending.IsCompletedSuccessfully || faults.Chance(shape.DropRate))
            {
                if (sending.Exception?.GetBaseException() is { } problem and not (EventLogException or CrashException)) machine.Violate($"ingest failed: {problem}");
                continue;
            }
            for (var i = 0; i < records.Count; i++)
                if (sending.Result[i].Problem is null) Acknowledge(topic, sending.Result[i].Position, records[i]);
            return;
        }
    }

    private void Acknowledge(string topic, LogPosition position, byte[] record)
    {
        Acknowledged.Add(new Acknowledged(topic, position, record));
        if (topic != Topics.Events || !EventParser.TryParse(record, NowMs(), out var e, out _) || e.Kind == EventKind.UserDelete) return;
        _lastOf[e.User] = position;
    }

    /// <summary>The network's own copy of a request: later, and nobody hears the answer.</summary>
    private async Task DeliverAgainAsync(string topic, IReadOnlyList<byte[]> records)
    {
        await world.Delay(faults.NetDelay() + faults.NetDelay(), null, "net");
        if (machine.Serving is var (life, node)) _ = Deliver(life, node, topic, records);
    }

    private static Task<IngestOutcome[]> Deliver(Life life, StreamingNode node, string topic, IReadOnlyList<byte[]> records)
    {
        var bytes = records.Select(r => (ReadOnlyMemory<byte>)r).ToArray();
        return life.Call("ingest", () => topic == Topics.Items ? node.Ingest.ItemsAsync(bytes) : node.Ingest.EventsAsync(bytes));
    }

    private byte[] Action(ref Draws draws, string user, string id, long nowMs)
    {
        var type = draws.Chance(.02) ? "no_such_type" : Actions[draws.Below(Actions.Length)];
        if (draws.Chance(.02)) nowMs += 3L * 86_400_000;
        var time = draws.Chance(.8) ? $",\"time\":{nowMs}" : "";
        var surface = draws.Chance(.3) ? ",\"surface\":\"home\"" : "";
        var item = $",\"item\":\"i{draws.Below(shape.Items + 2)}\"";
        var more = type switch
        {
            "search" => ",\"query\":\"t1 news\"",
            "user_upsert" => ",\"profile\":{\"interests\":[\"t2\"]}",
            "dwell" => $"{item},\"value\":{5 + draws.Below(10)}",
            "rating" => $"{item},\"value\":{1 + draws.Below(5)}",
            _ => item,
        };
        return Utf8($$"""{"type":"{{type}}","user":"{{user}}"{{time}},"event_id":"{{id}}"{{surface}}{{more}}}""");
    }

    private static byte[] Item(int i, int tag) => Utf8($$"""{"id":"i{{i}}","tags":["t{{tag}}"],"categories":["c{{i % 3}}"],"author":"a{{i % 5}}"}""");

    private long NowMs() => (SimTime.Start.AddTicks(world.Now)).ToUnixTimeMilliseconds();

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
