using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Who asks, and what they had so far.</summary>
/// <param name="User">A user's number; one that training does not know is nobody.</param>
/// <param name="History">Items from 0, oldest first.</param>
public readonly record struct HistoryQuery(int User, int[] History);

/// <summary>
/// A network that scores every item for a user and a history, and draws its own examples from the interactions that it was made for.
/// Features: sparse <c>user</c>, sequence <c>items</c>; what else a network reads its own description says.
/// </summary>
public interface IHistoryNetwork
{
    /// <summary>What gradients move, in a fixed order.</summary>
    IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>Orders and draws the examples of an epoch.</summary>
    /// <param name="random">The epoch's own; <see cref="Loss"/> may go on drawing from it.</param>
    /// <returns>Mini-batches of the epoch.</returns>
    int BeginEpoch(Random random);

    /// <summary>The mean loss of a mini-batch, a scalar. The parameters have begun a pass.</summary>
    torch.Tensor Loss(int batch, torch.Device device);

    /// <summary>The scores of all items, shape [queries, items], larger is better. The parameters have begun a pass.</summary>
    torch.Tensor Scores(ReadOnlySpan<HistoryQuery> queries, torch.Device device);

    /// <summary>Told once nothing is learned any more and the parameters are held: what does not hang on the query may be computed for good.</summary>
    void Freeze(torch.Device device)
    {
    }
}
