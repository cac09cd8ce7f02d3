using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Feeds.Building;
using Streaming.Users;

namespace Streaming.Node;

/// <summary>An explanation with the items that it speaks of; null for one that the catalogue has forgotten.</summary>
public sealed record ExplainedItem(Item? Item, Explanation Explanation, IReadOnlyList<Item?> Omitted);

/// <content>Explanations of lists.</content>
public sealed partial class StreamingNode
{
    /// <summary>
    /// Why items are in a user's list, by their state and the models as they are now; between rounds, so that nothing is written meanwhile.
    /// Null where the user is unknown or the arm has gone.
    /// </summary>
    /// <param name="user">Their id.</param>
    /// <param name="surface">Of the list.</param>
    /// <param name="arm">Of the list.</param>
    /// <param name="items">Ids; at most <see cref="FeedBuilder.StandingsMax"/>.</param>
    /// <param name="cancel">Ends the wait for the user's actor.</param>
    /// <exception cref="ObjectDisposedException">The node has stopped.</exception>
    public Task<IReadOnlyList<ExplainedItem>?> ExplainAsync(string user, string surface, string arm, IReadOnlyList<string> items, CancellationToken cancel = default) =>
        ExplainAsync(user, surface, arm, items, null, cancel);

    /// <summary>The same as of a moment, Unix ms; null for now.</summary>
    internal async Task<IReadOnlyList<ExplainedItem>?> ExplainAsync(string user, string surface, string arm, IReadOnlyList<string> items, long? nowMs, CancellationToken cancel)
    {
        var state = await AskUserAsync(user, state => state is null ? null : new Snapshot(LeaveOut.Snapshot(state), state.Embedding.Length), cancel).ConfigureAwait(false);
        if (state is null) return null;
        ulong[] keys = [.. items.Select(StableHash.Of)];
        return await AskModelsAsync(models => models.Explain(state.Bytes, state.Dimension, user, surface, arm, keys, nowMs ?? NowMs())).ConfigureAwait(false);
    }

    private sealed record Snapshot(byte[] Bytes, int Dimension);
}
