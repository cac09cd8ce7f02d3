using System.Globalization;
using System.Text;

namespace Streaming.Host.Cli.Chaos;

/// <summary>What a made event should come to.</summary>
internal enum ChaosKind : byte
{
    /// <summary>An impression of an item that no other event names: applied once, its user has seen it once.</summary>
    Impression,

    /// <summary>A click on an item that no other event names: applied once, its user has clicked it once.</summary>
    Click,

    /// <summary>No user: refused at the door and set aside.</summary>
    Malformed,

    /// <summary>A type without a weight: accepted, and set aside by the actor.</summary>
    Unweighted,
}

/// <summary>What the sender of an event knows of it.</summary>
internal enum ChaosAnswer : byte
{
    /// <summary>Not sent, or every sending ended without an answer: it may be in the log or not.</summary>
    None,

    /// <summary>The node answered with a position in the log.</summary>
    Acknowledged,

    /// <summary>The node answered that the record is bad.</summary>
    Refused,
}

/// <summary>One event: who sent it, and which of that sender's it is. Its id, user and item follow from it.</summary>
internal readonly record struct ChaosId(int Sender, int Number)
{
    /// <summary>The event's id, which is its item's too.</summary>
    public override string ToString() => $"c{Sender}-{Number}";

    public static bool TryParse(string? text, out ChaosId id)
    {
        id = default;
        if (text is not ['c', ..] || text.IndexOf('-') is not (> 1 and var dash)) return false;
        if (!int.TryParse(text.AsSpan(1, dash - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sender)) return false;
        if (!int.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        id = new ChaosId(sender, number);
        return true;
    }
}

/// <summary>
/// A sender's own account of its events: what each was, and what the node answered. Users and items are the sender's alone. Used by one
/// thread at a time.
/// </summary>
internal sealed class ChaosLedger(int sender, int users)
{
    private readonly List<(ChaosKind Kind, ChaosAnswer Answer)> _events = [];

    public int Sender => sender;

    public int Count => _events.Count;

    /// <summary>Posts that ended without an answer: refused, reset, or nothing in time.</summary>
    public long Silent { get; set; }

    /// <summary>Posts that were answered "later" (429, 503).</summary>
    public long Later { get; set; }

    /// <summary>Users of this sender; event n is of the user n modulo this.</summary>
    public int Users => users;

    public string UserOf(int number) => $"user-{sender}-{number % users}";

    public ChaosKind KindOf(int number) => _events[number].Kind;

    public ChaosAnswer AnswerOf(int number) => _events[number].Answer;

    public int Add(ChaosKind kind)
    {
        _events.Add((kind, ChaosAnswer.None));
        return _events.Count - 1;
    }

    public void Answer(int number, ChaosAnswer answer) => _events[number] = (_events[number].Kind, answer);

    /// <summary>The event as it is sent.</summary>
    public string Json(int number)
    {
        var (id, user) = (new ChaosId(sender, number), UserOf(number));
        return _events[number].Kind switch
        {
            ChaosKind.Impression => $$"""{"type":"impression","event_id":"{{id}}","user":"{{user}}","item":"{{id}}","position":{{number % 20}}}""",
            ChaosKind.Click => $$"""{"type":"click","event_id":"{{id}}","user":"{{user}}","item":"{{id}}"}""",
            ChaosKind.Malformed => $$"""{"type":"click","event_id":"{{id}}","item":"{{id}}"}""",
            _ => $$"""{"type":"wiggle","event_id":"{{id}}","user":"{{user}}","item":"{{id}}"}""",
        };
    }
}
