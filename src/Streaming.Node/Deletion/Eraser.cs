using System.Text;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Ports;

namespace Streaming.Node.Deletion;

/// <summary>One run over everything on the disk that can name a user: the topics, the store of states and the cache of lists.</summary>
internal sealed class Eraser(NodeParts parts)
{
    private sealed class Counter(PendingDeletion deletion)
    {
        public readonly PendingDeletion Deletion = deletion;
        public readonly byte[] Key = Encoding.UTF8.GetBytes(deletion.User);
        public long Events = deletion.Erased.Events;
        public long Examples = deletion.Erased.Examples;
        public long DeadLetters = deletion.Erased.DeadLetters;
        public long States = deletion.Erased.StateVersions;
        public long Lists = deletion.Erased.ListVersions;

        public PendingDeletion After => Deletion with { Erased = new ErasedCounts(Events, Examples, DeadLetters, States, Lists) };
    }

    /// <summary>What stays, wherever the node cannot reach it or it names nobody.</summary>
    public IReadOnlyList<string> Remains { get; } =
    [
        .. parts.Log is IErasableLog
            ? (string[])[]
            : [$"records in Kafka's topics '{parts.Settings.Kafka.Prefix}{Topics.Events}', '{Topics.Examples}' and '{Topics.DeadLetter}', until their retention removes them ({parts.Settings.Log.RetentionHours} h where this node created them), and in '{Topics.UserState}', until Kafka compacts it"],
        "what was learned, in weights and counts shared by many users; under hashes of the id: weights of features, baseline means, the sample behind AUC, and the time of the deletion, so that late events do not bring the user back",
        .. parts.Settings.Deep.Models.Count > 0 ? (string[])["versions of deep models on the topic 'models' that were published before, with rows under a hash of the id, until its retention removes them"] : [],
        "backups and copies made before the deletion was complete",
    ];

    /// <summary>Overwrites what is found. The same deletions with their counts, in the same order, and whether nothing is left.</summary>
    public async Task<(IReadOnlyList<PendingDeletion> After, bool IsComplete)> EraseAsync(IReadOnlyList<PendingDeletion> due, CancellationToken cancel)
    {
        var counters = due.Select(d => new Counter(d)).ToList();
        var byKey = counters.ToDictionary(c => StableHash.Of(c.Key));
        var isComplete = true;
        if (parts.Log is IErasableLog log)
        {
            foreach (var partition in counters.GroupBy(c => c.Deletion.Partition))
            {
                // Offsets of events are in the users' state, which must not depend on when an erasure ran; ticks move the end soon enough.
                isComplete &= await log.EraseAsync(Topics.Events, partition.Key, partition.Max(c => c.Deletion.EventsEnd), (batch, i) => IsEvent(byKey, batch, i), mayFill: false, cancel).ConfigureAwait(false);
                isComplete &= await log.EraseAsync(Topics.Examples, partition.Key, partition.Max(c => c.Deletion.ExamplesEnd), (batch, i) => IsExample(byKey, batch, i), mayFill: true, cancel).ConfigureAwait(false);
            }
            isComplete &= await log.EraseAsync(Topics.DeadLetter, 0, counters.Max(c => c.Deletion.DeadLettersEnd), (batch, i) => IsDeadLetter(counters, byKey, batch, i), mayFill: true, cancel).ConfigureAwait(false);
        }
        var users = due.Select(d => d.User).ToList();
        if (parts.Users is IErasableStore states) isComplete &= await states.EraseAsync(users, user => byKey[StableHash.Of(user)].States++, cancel).ConfigureAwait(false);
        if (parts.Feeds is IErasableStore lists) isComplete &= await lists.EraseAsync(users, user => byKey[StableHash.Of(user)].Lists++, cancel).ConfigureAwait(false);
        return ([.. counters.Select(c => c.After)], isComplete);
    }

    private static Counter? Of(Dictionary<ulong, Counter> byKey, ReadOnlySpan<byte> key) =>
        byKey.TryGetValue(StableHash.Of(key), out var found) && key.SequenceEqual(found.Key) ? found : null;

    private static bool IsEvent(Dictionary<ulong, Counter> byKey, LogBatch batch, int i)
    {
        if (Of(byKey, batch.Key(i).Span) is not { } counter) return false;
        var deletion = counter.Deletion;
        // A user who came back after the deletion has begun anew.
        if (batch.Offset(i) > deletion.LastOffset) return false;
        if (batch.Offset(i) > deletion.DeletedOffset && EventParser.TryParse(batch.Value(i).Span, batch.TimeMs(i), out var e, out _) && e.TimeMs > deletion.TimeMs) return false;
        counter.Events++;
        return true;
    }

    private static bool IsExample(Dictionary<ulong, Counter> byKey, LogBatch batch, int i)
    {
        if (Of(byKey, batch.Key(i).Span) is not { } counter) return false;
        try
        {
            var record = ExampleCodec.Read(batch.Value(i).Span);
            if ((record.Example?.Source ?? record.Interaction?.Source ?? record.Forgotten!.Source).Offset > counter.Deletion.DeletedOffset) return false;
        }
        catch (FormatException)
        {
            // Nobody can read it: the user's name is all that it is.
        }
        counter.Examples++;
        return true;
    }

    /// <summary>Whether a record that was set aside is a deleted user's: by its member <c>user</c>, or, where it is no JSON, by the name in quotes.</summary>
    private static bool IsDeadLetter(List<Counter> counters, Dictionary<ulong, Counter> byKey, LogBatch batch, int i)
    {
        DeadLetter letter;
        try
        {
            letter = DeadLetter.Read(batch.Value(i));
        }
        catch (FormatException)
        {
            return false;
        }
        if (letter.Topic == Topics.Items) return false;
        var counter = Of(byKey, letter.Payload.Span);
        if (counter is null)
        {
            try
            {
                using var json = JsonDocument.Parse(letter.Payload);
                foreach (var name in (string[])["user", "user_id"])
                    if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var user))
                        counter ??= Of(byKey, Encoding.UTF8.GetBytes(user.ValueKind == JsonValueKind.String ? user.GetString()! : user.GetRawText()));
            }
            catch (Exception problem) when (problem is JsonException or InvalidOperationException)
            {
                counter = counters.Find(c => letter.Payload.Span.IndexOf([(byte)'"', .. c.Key, (byte)'"']) >= 0);
            }
        }
        if (counter is null || letter.TimeMs > Math.Max(counter.Deletion.TimeMs, counter.Deletion.AppliedMs)) return false;
        counter.DeadLetters++;
        return true;
    }
}
