using Streaming.Core.Examples;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Simulation.Checks;

/// <summary>Compares what a node that has stopped holds with what the log says it must.</summary>
internal sealed class Checker(Simulation simulation, World world, Life life, StreamingNode node, Workload workload, IReadOnlyList<Simulation.BuiltList> lists)
{
    private readonly OfflineJoin _join = new(simulation.Settings.Users, simulation.Shape.Partitions, simulation.Settings.Node.Seed);

    /// <summary>Checks everything; returns the digest of the state.</summary>
    public string Run()
    {
        CheckAcknowledged();
        Recompute();
        CheckCounts();
        CheckExamples();
        CheckUsers();
        CheckLookups();
        return Await(life.Call("digest", () => node.DigestAsync()));
    }

    /// <summary>What was acknowledged lies where it was said to lie.</summary>
    private void CheckAcknowledged()
    {
        foreach (var (topic, position, value) in workload.Acknowledged)
        {
            var partition = simulation.Log.Of(topic)[position.Partition];
            var at = partition.IndexOf(position.Offset);
            if (at >= partition.Records.Count || partition.Records[at].Offset != position.Offset || !partition.Records[at].Value.AsSpan().SequenceEqual(value))
                simulation.Violate($"what was acknowledged as {topic} {position} is not there");
        }
    }

    /// <summary>Reads the log up to where the node has read it; checks each list against what was known when it was built.</summary>
    private void Recompute()
    {
        var positions = node.EventPositions;
        for (var p = 0; p < positions.Length; p++)
        {
            var built = lists.Where(l => l.LastApplied.Partition == p).ToLookup(l => l.LastApplied.Offset);
            foreach (var record in simulation.Log.Of(Topics.Events)[p].Records)
            {
                if (record.Offset >= positions[p]) break;
                _join.Take(p, record);
                foreach (var list in built[record.Offset]) CheckList(p, list);
            }
        }
        foreach (var ((user, id), times) in _join.AppliedById)
            if (times > 1) simulation.Violate($"event '{id}' of '{user}' lies in the log so that it is applied {times} times: sent again too late");
    }

    private void CheckList(int partition, Simulation.BuiltList list)
    {
        if (_join.Find(partition, list.User) is not { } person) return;
        foreach (var item in list.Items)
            if (person.Items.TryGetValue(item, out var marks) && marks.Unwanted)
                simulation.Violate($"a list of '{list.User}' as of {list.LastApplied} holds '{item}', which the user does not want");
    }

    private void CheckCounts()
    {
        var counts = node.Status().Users;
        var found = new Tally(counts.Applied, counts.Repeats, counts.Forgotten, counts.DeadLetters, counts.Ticks);
        if (found != _join.Tally) simulation.Violate($"the node counts {found}; the log says {_join.Tally}");
        if (counts.Restarts > 0) simulation.Violate($"{counts.Restarts} actors threw");
        var trainer = node.Models.Trainer;
        Compare("examples learned", trainer.Examples, _join.Released.Count(r => r.IsExample));
        Compare("interactions learned", trainer.Interactions, _join.Released.Count(r => !r.IsExample));
        Compare("examples learned twice", trainer.Repeats, 0);
    }

    /// <summary>The topic holds each example and interaction, told by its name once, and nothing else.</summary>
    private void CheckExamples()
    {
        HashSet<(string, LogPosition, int)> names = [];
        List<Released> found = [];
        foreach (var partition in simulation.Log.Of(Topics.Examples))
        {
            foreach (var record in partition.Records)
            {
                var (example, interaction, _) = ExampleCodec.Read(record.Value);
                if (example is not null && names.Add((example.User, example.Source, example.Ordinal)))
                    found.Add(new Released(example.User, example.Source, example.ItemKey, true, example.ShownMs, example.LabelMs, example.Label, example.IsCorrection, NameOf(example.Action), example.Weight));
                if (interaction is not null && names.Add((interaction.User, interaction.Source, interaction.Ordinal)))
                    found.Add(new Released(interaction.User, interaction.Source, interaction.ItemKey, false, 0, interaction.TimeMs, 0, false, NameOf(interaction.Action), interaction.Weight));
            }
        }
        var expected = _join.Released.GroupBy(r => Named(r)).ToDictionary(g => g.Key, g => g.Count());
        var actual = found.GroupBy(r => r).ToDictionary(g => g.Key, g => g.Count());
        foreach (var (record, count) in expected)
            if (actual.GetValueOrDefault(record) != count) simulation.Violate($"the topic holds {actual.GetValueOrDefault(record)} times, where the join gives {count}: {record}");
        foreach (var (record, count) in actual)
            if (!expected.ContainsKey(record)) simulation.Violate($"the topic holds {count} times what the join does not give: {record}");
    }

    /// <summary>A type of the settings' or an operator's own has no name on the topic.</summary>
    private static Released Named(Released released) => released.Action is "my_type" or "no_such_type" ? released with { Action = "" } : released;

    private static string NameOf(EventKind kind) => EventKinds.All.FirstOrDefault(k => k.Kind == kind).Name ?? "";

    private void CheckUsers()
    {
        var people = _join.Everybody.ToDictionary(p => p.User, p => p.Person);
        foreach (var user in workload.Users.Union(people.Keys).Order(StringComparer.Ordinal))
        {
            var found = Await(life.Call("ask", () => node.AskUserAsync(user, state => state is null ? null : Summary(state))));
            var expected = people.TryGetValue(user, out var person) ? Summary(person) : null;
            if (found != expected) simulation.Violate($"'{user}' is {found ?? "unknown"}; the log says {expected ?? "unknown"}");
        }
    }

    private static string Summary(UserState state) => string.Join(' ',
        $"events {state.Events} positives {state.Positives} impressions {state.Impressions} pending",
        string.Join(',', state.Pending.Select(p => $"{p.ItemKey:x}@{p.ShownMs}{"wns"[(int)p.Label]}")), "closed",
        string.Join(',', state.Closed.Select(p => $"{p.ItemKey:x}@{p.ShownMs}{"wns"[(int)p.Label]}")), "marks",
        string.Join(',', state.Marks
            .Where(m => m.Value.Seen > 0 || m.Value.Clicked > 0 || m.Value.Disliked || m.Value.Hidden).OrderBy(m => m.Key)
            .Select(m => $"{m.Key:x}:{m.Value.Seen}/{m.Value.Clicked}/{m.Value.Disliked || m.Value.Hidden}")));

    private static string Summary(OfflineJoin.Person person) => string.Join(' ',
        $"events {person.Events} positives {person.Positives} impressions {person.Impressions} pending",
        string.Join(',', person.Pending.Select(s => $"{StableHash.Of(s.Item):x}@{s.ShownMs}{s.Label}")), "closed",
        string.Join(',', person.Closed.Select(s => $"{StableHash.Of(s.Item):x}@{s.ShownMs}{s.Label}")), "marks",
        string.Join(',', person.Items.Select(m => (Key: StableHash.Of(m.Key), m.Value)).Where(m => m.Value.Seen > 0 || m.Value.Clicked > 0 || m.Value.Unwanted)
            .OrderBy(m => m.Key).Select(m => $"{m.Key:x}:{m.Value.Seen}/{m.Value.Clicked}/{m.Value.Unwanted}")));

    /// <summary>With all applied, nobody is served what they do not want, and a user who is gone has no list.</summary>
    private void CheckLookups()
    {
        var people = _join.Everybody.ToDictionary(p => p.User, p => p.Person);
        foreach (var user in workload.Users)
            foreach (var surface in (string[])["", "home"])
            {
                var bytes = new ByteWriter();
                var outcome = Await(life.Call("lookup", () => node.Lookup.FindAsync(new FeedRequest(user, surface, [], null, 0), bytes).AsTask()));
                if (outcome != FeedOutcome.Own) continue;
                if (!people.TryGetValue(user, out var person)) simulation.Violate($"'{user}' is deleted and still has a list on '{surface}'");
                else
                    foreach (var entry in FeedListCodec.Read(bytes.WrittenSpan).Entries)
                        if (person.Items.TryGetValue(entry.Item, out var marks) && marks.Unwanted)
                            simulation.Violate($"'{user}' is served '{entry.Item}' on '{surface}', which the user does not want");
            }
    }

    private void Compare(string what, long found, long expected)
    {
        if (found != expected) simulation.Violate($"{what}: {found}; the log says {expected}");
    }

    private T Await<T>(Task<T> task)
    {
        world.Until(() => task.IsCompleted, "an answer");
        return task.GetAwaiter().GetResult();
    }
}
