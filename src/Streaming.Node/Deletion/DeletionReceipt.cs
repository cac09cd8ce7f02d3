using System.Security.Cryptography;
using System.Text;

namespace Streaming.Node.Deletion;

/// <summary>What was overwritten.</summary>
/// <param name="Events">Records of <c>events</c>.</param>
/// <param name="Examples">Records of <c>examples</c>.</param>
/// <param name="DeadLetters">Records of <c>dead-letter</c>.</param>
/// <param name="StateVersions">Versions of the user's state in the files of the store.</param>
/// <param name="ListVersions">The same of the user's lists.</param>
public sealed record ErasedCounts(long Events = 0, long Examples = 0, long DeadLetters = 0, long StateVersions = 0, long ListVersions = 0);

/// <summary>
/// What is on record of a deletion, and nothing more: it does not hold the id, only the id's SHA-256, so that who asks for the receipt of a user
/// must know the user.
/// </summary>
public sealed record DeletionReceipt
{
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    /// <summary>SHA-256 of the id in UTF-8, hexadecimal.</summary>
    public required string UserSha256 { get; init; }

    /// <summary>The deletion's record in <c>events</c>; it has been overwritten too once <see cref="State"/> is complete.</summary>
    public required string Position { get; init; }

    /// <summary>The time that the deletion names: events up to it are ignored. Unix ms.</summary>
    public required long DeletedMs { get; init; }

    /// <summary>When state and lists were gone from what the node answers. Unix ms.</summary>
    public required long AppliedMs { get; init; }

    /// <summary>"pending" while the disk may hold something of the user, then "complete".</summary>
    public required string State { get; init; }

    /// <summary>The first checkpoint without the user; 0 before it.</summary>
    public required long Checkpoint { get; init; }

    /// <summary>When nothing was left. Unix ms; 0 before.</summary>
    public long CompletedMs { get; init; }

    public ErasedCounts Removed { get; init; } = new();

    /// <summary>What this node cannot reach, or has no name in, and until when it is there.</summary>
    public IReadOnlyList<string> Remains { get; init; } = [];

    public static string HashOf(string user) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(user)));
}

/// <summary>A deletion that the disk does not know of everywhere yet. Kept by name until it is complete, as the name is what is looked for.</summary>
internal sealed record PendingDeletion
{
    public required string User { get; init; }
    public required int Partition { get; init; }

    /// <summary>Offset of the deletion: the user's records up to it go. -1 where only late events are left.</summary>
    public required long DeletedOffset { get; init; }

    /// <summary>Offset of the last late event; later records than the deletion go where their time is not after <see cref="TimeMs"/>.</summary>
    public required long LastOffset { get; init; }

    public required long TimeMs { get; init; }
    public required long AppliedMs { get; init; }

    /// <summary>The first checkpoint without the user, 0 before it; and where the topics ended then.</summary>
    public long Checkpoint { get; init; }

    public long EventsEnd { get; init; }
    public long ExamplesEnd { get; init; }
    public long DeadLettersEnd { get; init; }

    public ErasedCounts Erased { get; init; } = new();
}
