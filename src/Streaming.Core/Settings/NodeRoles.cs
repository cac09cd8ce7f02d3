namespace Streaming.Core.Settings;

/// <summary>
/// What a process does of a node's work. The event log is the only thing between roles, so processes of different roles need one log that all of them
/// can open: Kafka.
/// </summary>
public static class NodeRoles
{
    /// <summary>Takes events and items in over HTTP.</summary>
    public const string Ingest = "ingest";

    /// <summary>Runs the user actors: join, interests, the live learners, lists.</summary>
    public const string Users = "users";

    /// <summary>Learns deep models and publishes their versions.</summary>
    public const string Trainer = "trainer";

    /// <summary>Answers look-ups from the cache of lists.</summary>
    public const string Serve = "serve";

    public static readonly IReadOnlyList<string> All = [Ingest, Users, Trainer, Serve];

    /// <summary>Why a process cannot have just these roles, where nodes do not share the users (<see cref="KafkaSettings.Ownership"/>); null where it can.</summary>
    /// <param name="roles">Known ones; none stands for all.</param>
    public static string? Problem(IReadOnlyList<string> roles)
    {
        var node = new[] { Ingest, Users, Serve };
        var has = node.Where(roles.Contains).ToList();
        // They share the cache of lists and the actors' states, which other processes have from the log only where it carries them.
        return has.Count is 0 or 3
            ? null
            : $"has {string.Join(", ", has)} without {string.Join(", ", node.Except(has))}: these three are one process, unless Kafka:Ownership is 'group'; '{Trainer}' can be one of its own";
    }
}
