using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Log;

namespace Streaming.Node;

/// <summary>A dead letter where it lies.</summary>
/// <param name="Offset">In <c>dead-letter</c>; names it for a retry.</param>
/// <param name="Retried">Whether this process has sent it again.</param>
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
    /// <summary>This process has sent it before.</summary>
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

    private const int ScannedMax = 100_000;
    private const int BatchRecords = 1_000;

    /// <summary>How long a reader on Kafka may take to fetch what is there.</summary>
    private static readonly TimeSpan FetchPatience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan FetchWait = TimeSpan.FromMilliseconds(50);

    private readonly IEventLog _log;
    private readonly Ingest _ingest;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Queue<long> _offsets = new();
    private readonly HashSet<long> _retried = [];
    private readonly LogBatch _batch = new();
    private ILogReader? _reader;
    private long _seen;

    internal DeadLetters(IEventLog log, Ingest ingest, TimeProvider time) => (_log, _ingest, _time) = (log, ingest, time);

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
            var end = await CatchUpAsync(cancel).ConfigureAwait(false);
            var letters = new List<KeptLetter>();
            var page = LogPage.Before(_offsets.ToArray(), before, limit, out var next);
            await LogPage.ReadAsync(_log, Topics.DeadLetter, page, _time, (batch, i) =>
            {
                if (Read(batch.Value(i)) is { } letter) letters.Add(new KeptLetter(batch.Offset(i), letter, _retried.Contains(batch.Offset(i))));
            }, cancel).ConfigureAwait(false);
            letters.Reverse();
            return new KeptLetters(letters, next, _seen, _reader!.Offset >= end);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Sends one of the newest letters again, as it came.</summary>
    /// <param name="offset">Where it lies.</param>
    /// <param name="cancel">Ends the wait for another call.</param>
    /// <exception cref="EventLogException">The log does not take it; it may or may not be there.</exception>
    public async Task<LetterRetried> RetryAsync(long offset, CancellationToken cancel = default)
    {
        await _turn.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await CatchUpAsync(cancel).ConfigureAwait(false);
            if (!_offsets.Contains(offset)) return new LetterRetried(LetterRetry.Unknown, default, null);
            if (_retried.Contains(offset)) return new LetterRetried(LetterRetry.Again, default, null);
            if (_ingest.State != AdmissionState.Open) return new LetterRetried(LetterRetry.NotNow, default, null);
            using var reader = _log.OpenReader(Topics.DeadLetter, 0, offset);
            if (await ReadAsync(reader, 1, offset + 1, cancel).ConfigureAwait(false) == 0 || _batch.Offset(0) != offset || Read(_batch.Value(0)) is not { } letter) return new LetterRetried(LetterRetry.Unknown, default, null);
            var isItem = IsItem(letter, out var problem);
            if (problem is not null) return new LetterRetried(LetterRetry.Broken, default, problem);
            var outcome = (isItem
                ? await _ingest.ItemsAsync([letter.Payload], cancel).ConfigureAwait(false)
                : await _ingest.EventsAsync([letter.Payload], cancel).ConfigureAwait(false))[0];
            _retried.Add(offset);
            return new LetterRetried(LetterRetry.Sent, outcome.Position, null);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _turn.Dispose();
    }

    /// <summary>Notes where the letters lie that have come since the last call; returns the topic's end.</summary>
    private async Task<long> CatchUpAsync(CancellationToken cancel)
    {
        var range = await _log.RangeAsync(Topics.DeadLetter, 0, cancel).ConfigureAwait(false);
        _reader ??= _log.OpenReader(Topics.DeadLetter, 0, range.Earliest);
        for (var scanned = 0; scanned < ScannedMax && _reader.Offset < range.End; scanned += _batch.Count)
        {
            if (await ReadAsync(_reader, BatchRecords, range.End, cancel).ConfigureAwait(false) == 0) break;
            for (var i = 0; i < _batch.Count; i++)
            {
                _offsets.Enqueue(_batch.Offset(i));
                if (_offsets.Count > KeptMax) _retried.Remove(_offsets.Dequeue());
            }
            _seen += _batch.Count;
        }
        // What retention has removed cannot be listed.
        while (_offsets.TryPeek(out var oldest) && oldest < range.Earliest) _retried.Remove(_offsets.Dequeue());
        return range.End;
    }

    /// <summary>Reads what is there below an offset; 0 where that is nothing, or did not come in time.</summary>
    private async Task<int> ReadAsync(ILogReader reader, int recordsMax, long end, CancellationToken cancel)
    {
        var started = _time.GetTimestamp();
        while (reader.Offset < end)
        {
            if (reader.Read(_batch, recordsMax, end) is > 0 and var read) return read;
            if (reader.Offset >= end || _time.GetElapsedTime(started) > FetchPatience) return 0;
            await reader.WaitAsync(FetchWait, cancel).ConfigureAwait(false);
        }
        return 0;
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
