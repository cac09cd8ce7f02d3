using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>A dead letter where it lies.</summary>
/// <param name="Offset">In <c>dead-letter</c>; names it for a retry.</param>
/// <param name="Retried">Whether it was sent again, by whichever node.</param>
public sealed record KeptLetter(long Offset, DeadLetter Letter, bool Retried);

/// <summary>A page of the newest dead letters.</summary>
/// <param name="Letters">Newest first.</param>
/// <param name="Next">The page behind begins before this; null where there is none.</param>
/// <param name="Seen">How many of the topic have been counted so far.</param>
/// <param name="IsComplete">Whether that is all of it; a long topic takes several calls.</param>
public sealed record KeptLetters(IReadOnlyList<KeptLetter> Letters, long? Next, long Seen, bool IsComplete);

/// <summary>How a retry ended.</summary>
public enum LetterRetry
{
    /// <summary>Durable in its topic again; what becomes of it there is the actors' to say.</summary>
    Sent,
    /// <summary>None of the newest letters lies there.</summary>
    Unknown,
    /// <summary>It was sent before, by whichever node.</summary>
    Again,
    /// <summary>Its form is wrong, as it was.</summary>
    Broken,
    /// <summary>The node takes no events now.</summary>
    NotNow,
}

/// <param name="Position">Where it lies now, when sent.</param>
/// <param name="Problem">What is wrong with it, when broken.</param>
public readonly record struct LetterRetried(LetterRetry Result, LogPosition Position, string? Problem);

/// <summary>
/// Looks into the topic <c>dead-letter</c> and sends letters again: worth it where the reason has gone, such as a type that had no weight yet.
/// Of the letters only the places are kept, so that what a deleted user's letters held is gone from here when it is gone from the log.
/// </summary>
public sealed class DeadLetters : IDisposable
{
    /// <summary>Letters that can be listed and sent again: the newest.</summary>
    public const int KeptMax = 1_000;

    private readonly IEventLog _log;
    private readonly Ingest _ingest;
    private readonly Operations _operations;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly TopicIndex _index;
    private readonly LogBatch _batch = new();

    internal DeadLetters(IEventLog log, Ingest ingest, Operations operations, TimeProvider time)
    {
        (_log, _ingest, _operations, _time) = (log, ingest, operations, time);
        _index = new TopicIndex(log, Topics.DeadLetter, KeptMax, time);
    }

    /// <summary>The newest letters; those that cannot be read any more (of deleted users, or of another build) are left out.</summary>
    /// <param name="limit">At most so many, up to <see cref="KeptMax"/>.</param>
    /// <param name="before">Only those before this offset: <see cref="KeptLetters.Next"/> of the page before.</param>
    /// <param name="cancel">Ends the wait for another call.</param>
    /// <exception cref="EventLogException">The log does not answer.</exception>
    public async Task<KeptLetters> NewestAsync(int limit, long before = long.MaxValue, CancellationToken cancel = default)
    {
        await _turn.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var isComplete = await _index.CatchUpAsync(null, cancel).ConfigureAwait(false);
            var letters = new List<KeptLetter>();
            var retried = await _operations.LettersSentAsync(cancel).ConfigureAwait(false);
            var next = await _index.ReadAsync(before, limit, (batch, i) =>
            {
                if (Read(batch.Value(i)) is { } letter) letters.Add(new KeptLetter(batch.Offset(i), letter, retried.Contains(batch.Offset(i))));
            }, cancel).ConfigureAwait(false);
            letters.Reverse();
            return new KeptLetters(letters, next, _index.Seen, isComplete);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Sends one of the newest letters again, as it came, and notes it among the <see cref="Operations"/>. Two nodes that are asked at the same moment may both send it.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <param name="who">For the audit.</param>
    /// <param name="why">For the audit; may be empty.</param>
    /// <param name="cancel">Ends the wait for another call.</param>
    /// <exception cref="EventLogException">The log does not take it; it may or may not be there.</exception>
    public async Task<LetterRetried> RetryAsync(long offset, string who, string why, CancellationToken cancel = default)
    {
        await _turn.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await _index.CatchUpAsync(null, cancel).ConfigureAwait(false);
            if (!_index.Contains(offset)) return new LetterRetried(LetterRetry.Unknown, default, null);
            if ((await _operations.LettersSentAsync(cancel).ConfigureAwait(false)).Contains(offset)) return new LetterRetried(LetterRetry.Again, default, null);
            if (_ingest.State != AdmissionState.Open) return new LetterRetried(LetterRetry.NotNow, default, null);
            using var reader = _log.OpenReader(Topics.DeadLetter, 0, offset);
            if (await LogPage.ReadOnceAsync(reader, _batch, 1, offset + 1, _time, cancel).ConfigureAwait(false) == 0 || _batch.Offset(0) != offset || Read(_batch.Value(0)) is not { } letter)
                return new LetterRetried(LetterRetry.Unknown, default, null);
            var isItem = IsItem(letter, out var problem);
            if (problem is not null) return new LetterRetried(LetterRetry.Broken, default, problem);
            var outcome = (isItem
                ? await _ingest.ItemsAsync([letter.Payload], cancel).ConfigureAwait(false)
                : await _ingest.EventsAsync([letter.Payload], cancel).ConfigureAwait(false))[0];
            // Whatever becomes of the caller: the letter is on its way.
            await _operations.AddAsync(who, why, $"dead letter {offset} sent again, now at {outcome.Position}", offset, CancellationToken.None).ConfigureAwait(false);
            return new LetterRetried(LetterRetry.Sent, outcome.Position, null);
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

    /// <summary>Whether the payload is a catalogue change and not an event, and what is wrong with it by the parser of that; the door does not say which it was sent to.</summary>
    private bool IsItem(DeadLetter letter, out string? problem)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        problem = null;
        if (letter.Topic != Topics.Items && EventParser.TryParse(letter.Payload.Span, now, out _, out problem)) return false;
        var eventProblem = problem;
        if (letter.Topic != Topics.Events && ItemParser.TryParse(letter.Payload.Span, now, out _, out problem)) return true;
        problem = eventProblem ?? problem;
        return letter.Topic == Topics.Items;
    }

    private static DeadLetter? Read(ReadOnlyMemory<byte> value)
    {
        try
        {
            return DeadLetter.Read(value);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
