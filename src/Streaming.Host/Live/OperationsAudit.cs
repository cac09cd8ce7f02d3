namespace Streaming.Host.Live;

/// <summary>What an operator did to this node.</summary>
/// <param name="Who">As they said, and by which key.</param>
/// <param name="Why">As they said; may be empty.</param>
/// <param name="What">In words.</param>
internal sealed record Operation(long AtMs, string Who, string Why, string What);

/// <summary>
/// The latest steps of operators that change this process and not the experiments, which have an audit of their own in the log. They are also
/// lines of the process's log, where they stay.
/// </summary>
internal sealed class OperationsAudit(ILogger logger, TimeProvider time)
{
    private const int KeptMax = 100;
    private readonly Queue<Operation> _latest = new();

    public void Add(string who, string why, string what)
    {
        logger.LogWarning("operator {Who}: {What} ({Why})", who, what, why.Length > 0 ? why : "no reason given");
        lock (_latest)
        {
            _latest.Enqueue(new Operation(time.GetUtcNow().ToUnixTimeMilliseconds(), who, why, what));
            if (_latest.Count > KeptMax) _latest.Dequeue();
        }
    }

    /// <summary>Newest first.</summary>
    public IReadOnlyList<Operation> Latest(int count)
    {
        lock (_latest) return [.. _latest.Reverse().Take(count)];
    }
}
