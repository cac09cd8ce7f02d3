namespace Streaming.Client;

/// <summary>The node refused: a problem document (RFC 9457).</summary>
/// <param name="status">Of the answer; 0 where it could not be read.</param>
/// <param name="type">The problem's name, "overloaded" of "urn:streaming:overloaded"; empty where the answer names none.</param>
/// <param name="detail">For people.</param>
/// <param name="retryAfter">When to ask again, where the node says so.</param>
public sealed class StreamingException(int status, string type, string detail, TimeSpan? retryAfter) : Exception($"{status} {type}: {detail}")
{
    public int Status => status;

    public string Type => type;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>No list has seen the event that was asked for yet.</summary>
    public bool IsNotYet => type == "not-yet";

    /// <summary>The same request may be taken later: nothing of it is known to be stored.</summary>
    public bool IsTransient => status is 429 or 503;
}
