using System.Security.Cryptography;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>
/// What became of requests that named themselves (<c>Idempotency-Key</c>, the IETF's draft-ietf-httpapi-idempotency-key-header): the same again is answered the same, at the
/// first try's positions; another body under the key is refused; and one that comes while the first is still on its way waits for it. What is kept is bounded in bytes, the
/// oldest goes first, and ends with the process: then a repeat is appended again, and users know its events by their ids.
/// </summary>
/// <param name="bytesMax">Of answers and keys together; 0 keeps none.</param>
internal sealed class IdempotencyKeys(long bytesMax)
{
    /// <summary>Of an entry beside its key's and problems' characters and its outcomes: objects, hash, places in the tables.</summary>
    private const int EntryBytes = 400;

    private const int OutcomeBytes = 32;

    private readonly Dictionary<string, Entry> _entries = [];
    private readonly Queue<Entry> _kept = new();
    private long _bytes;

    /// <summary>Bytes that are kept, by estimate.</summary>
    public long Bytes
    {
        get
        {
            lock (_entries) return _bytes;
        }
    }

    /// <summary>
    /// The first to come with a key has it until its claim is disposed of; the others wait for that. A claim without an answer, and without a conflict, is the caller's to fulfil.
    /// </summary>
    /// <param name="key">With whatever tells callers apart.</param>
    /// <param name="body">Of the request; read before this returns.</param>
    /// <param name="cancel">Ends the wait for another try.</param>
    public ValueTask<Claim> ClaimAsync(string key, ReadOnlyMemory<byte> body, CancellationToken cancel) =>
        bytesMax == 0 ? new ValueTask<Claim>(new Claim(this, null)) : ClaimAsync(key, SHA256.HashData(body.Span), cancel);

    private async ValueTask<Claim> ClaimAsync(string key, byte[] hash, CancellationToken cancel)
    {
        while (true)
        {
            Entry? known;
            lock (_entries)
            {
                if (!_entries.TryGetValue(key, out known))
                {
                    var mine = new Entry(key, hash);
                    _entries.Add(key, mine);
                    return new Claim(this, mine);
                }
            }
            if (!hash.AsSpan().SequenceEqual(known.Hash)) return new Claim(this, null) { IsConflict = true };
            // Null where the first try failed: then this one is the first.
            if (await known.Answered.Task.WaitAsync(cancel).ConfigureAwait(false) is { } answer) return new Claim(this, null) { Answer = answer };
        }
    }

    private void End(Entry entry, IngestOutcome[]? answer)
    {
        lock (_entries)
        {
            var bytes = answer is null ? 0 : EntryBytes + (2 * entry.Key.Length) + answer.Sum(o => OutcomeBytes + (2L * (o.Problem?.Length ?? 0)));
            if (bytes is 0 || bytes > bytesMax) _entries.Remove(entry.Key);
            else
            {
                entry.Bytes = bytes;
                _bytes += bytes;
                _kept.Enqueue(entry);
                while (_bytes > bytesMax)
                {
                    var oldest = _kept.Dequeue();
                    _bytes -= oldest.Bytes;
                    _entries.Remove(oldest.Key);
                }
            }
        }
        entry.Answered.SetResult(answer);
    }

    /// <summary>A key, held by one try.</summary>
    internal sealed class Claim : IDisposable
    {
        private readonly IdempotencyKeys _keys;
        private readonly Entry? _entry;
        private IngestOutcome[]? _outcomes;

        internal Claim(IdempotencyKeys keys, Entry? entry) => (_keys, _entry) = (keys, entry);

        /// <summary>What the first try was answered; null for the first.</summary>
        public IngestOutcome[]? Answer { get; init; }

        /// <summary>The key is of another request.</summary>
        public bool IsConflict { get; init; }

        /// <summary>The log has answered; the same again is answered so.</summary>
        public void Fulfil(IngestOutcome[] outcomes) => _outcomes = outcomes;

        /// <summary>Lets those who wait go on; without an answer the next of them tries.</summary>
        public void Dispose()
        {
            // Ids of events are not part of an answer, and are the larger part of its bytes.
            if (_entry is not null) _keys.End(_entry, _outcomes is null ? null : Array.ConvertAll(_outcomes, o => o with { EventId = null }));
        }
    }

    internal sealed class Entry(string key, byte[] hash)
    {
        public string Key => key;

        public byte[] Hash => hash;

        public long Bytes { get; set; }

        public TaskCompletionSource<IngestOutcome[]?> Answered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
