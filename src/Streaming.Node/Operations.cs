using System.Text.Json;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>What an operator did to a node, or by it.</summary>
/// <param name="AtMs">When, Unix ms.</param>
/// <param name="Node">The machine's name.</param>
/// <param name="Who">As they said, and by which key.</param>
/// <param name="Why">As they said; may be empty.</param>
/// <param name="What">In words.</param>
/// <param name="Letter">The dead letter that was sent again, by its offset in <c>dead-letter</c>; else null.</param>
public sealed record Operation(long AtMs, string Node, string Who, string Why, string What, long? Letter = null);

/// <param name="Offset">In <c>operations</c>.</param>
/// <param name="Operation">What lies there.</param>
public sealed record KeptOperation(long Offset, Operation Operation);

/// <summary>
/// The steps of operators that change a node and not the experiments, whose audit is <see cref="Splitting.ExperimentControl"/>'s: in the topic
/// <c>operations</c>, of all nodes of the log, kept for good.
/// </summary>
public sealed class Operations : IDisposable
{
    private const byte FormatVersion = 1;
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly IEventLog _log;
    private readonly TimeProvider _time;
    private readonly Action<NodeNotice> _notice;
    private readonly TopicIndex _index;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly HashSet<long> _letters = [];

    private sealed record Stored(byte Format, Operation Operation);

    internal Operations(IEventLog log, TimeProvider time, Action<NodeNotice> notice)
    {
        (_log, _time, _notice) = (log, time, notice);
        _index = new TopicIndex(log, Topics.Operations, int.MaxValue, time);
    }

    /// <summary>Notes a step; it is durable then. It is a line of the process's log too.</summary>
    /// <param name="who">As in <see cref="Operation"/>.</param>
    /// <param name="why">May be empty.</param>
    /// <param name="what">In words.</param>
    /// <param name="letter">As in <see cref="Operation"/>.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="EventLogException">The log does not take it; it may or may not be there.</exception>
    public async Task AddAsync(string who, string why, string what, long? letter = null, CancellationToken cancel = default)
    {
        var operation = new Operation(_time.GetUtcNow().ToUnixTimeMilliseconds(), Environment.MachineName, who, why, what, letter);
        _notice(new NodeNotice(NoticeLevel.Warning, $"operator {operation.Who}: {what} ({(why.Length > 0 ? why : "no reason given")})"));
        // Before it is in the log, so that a letter is not sent twice from here where the log takes the letter and not this.
        if (letter is { } sent) lock (_letters) _letters.Add(sent);
        var bytes = JsonSerializer.SerializeToUtf8Bytes(new Stored(FormatVersion, operation), Json);
        await _log.AppendAsync(Topics.Operations, new[] { new LogEntry(default, bytes, operation.AtMs, 0) }, cancel).ConfigureAwait(false);
    }

    /// <summary>A page of the steps, newest first.</summary>
    /// <param name="limit">At most so many.</param>
    /// <param name="before">Only those before this offset: <c>Next</c> of the page before.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The page, and what the page behind it begins before; null where there is none.</returns>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    public async Task<(IReadOnlyList<KeptOperation> Steps, long? Next)> NewestAsync(int limit, long before = long.MaxValue, CancellationToken cancel = default)
    {
        await _turn.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await CatchUpAsync(cancel).ConfigureAwait(false);
            var steps = new List<KeptOperation>();
            var next = await _index.ReadAsync(before, limit, (batch, i) =>
            {
                if (Read(batch, i) is { } operation) steps.Add(new KeptOperation(batch.Offset(i), operation));
            }, cancel).ConfigureAwait(false);
            steps.Reverse();
            return (steps, next);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Dead letters that were sent again, by their offsets.</summary>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    internal async Task<IReadOnlySet<long>> LettersSentAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await CatchUpAsync(cancel).ConfigureAwait(false);
            lock (_letters) return _letters.ToHashSet();
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _index.Dispose();
        _turn.Dispose();
    }

    private async Task CatchUpAsync(CancellationToken cancel)
    {
        long seen;
        do
        {
            seen = _index.Seen;
            if (await _index.CatchUpAsync(Note, cancel).ConfigureAwait(false)) return;
        }
        while (_index.Seen > seen);
        // A letter that was sent again would not be known.
        throw new EventLogException($"the topic '{Topics.Operations}' could not be read to its end in time");

        void Note(LogBatch batch, int i)
        {
            if (Read(batch, i)?.Letter is { } letter) lock (_letters) _letters.Add(letter);
        }
    }

    private Operation? Read(LogBatch batch, int i)
    {
        try
        {
            var stored = JsonSerializer.Deserialize<Stored>(batch.Value(i).Span, Json);
            if (stored is { Format: FormatVersion, Operation: { } operation }) return operation;
            _notice(new NodeNotice(NoticeLevel.Warning, $"a record of '{Topics.Operations}' at {batch.Offset(i)} has format {stored?.Format}; this build reads {FormatVersion}, and passes it over"));
        }
        catch (JsonException problem)
        {
            _notice(new NodeNotice(NoticeLevel.Warning, $"a record of '{Topics.Operations}' at {batch.Offset(i)} is passed over: {problem.Message}", problem));
        }
        return null;
    }
}
