using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.Simulation;

/// <summary>A page as the look-up served it.</summary>
/// <param name="RequestId">Goes back with the page's impressions and actions.</param>
/// <param name="Arm">The experiment arm that made the list.</param>
/// <param name="Items">In order, with zero-based positions; may be empty.</param>
public sealed record ServedPage(string RequestId, string Arm, IReadOnlyList<ShownItem> Items);

/// <summary>The system that the audience browses: HTTP in the demo, in-process in tests.</summary>
public interface IAudienceTarget
{
    /// <summary>A page for the user; null when the system could not serve it (counted, the user just looks again later).</summary>
    ValueTask<ServedPage?> FeedAsync(string user, string surface, int limit, long nowMs, CancellationToken cancel);

    /// <summary>What the users did, in order.</summary>
    ValueTask SendAsync(IReadOnlyList<UserEvent> events, CancellationToken cancel);

    /// <summary>New items.</summary>
    ValueTask UpsertItemsAsync(IReadOnlyList<ItemChange> changes, CancellationToken cancel);
}
