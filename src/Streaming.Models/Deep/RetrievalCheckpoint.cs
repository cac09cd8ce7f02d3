using Streaming.Models.Embeddings;
using Streaming.Models.Optimizers;

namespace Streaming.Models.Deep;

/// <summary>The file of a retrieval model: how often items come, by which its loss is corrected, then what <see cref="DeepCheckpoint"/> writes.</summary>
/// <param name="what">The model, for messages.</param>
/// <param name="version">Of the model's format.</param>
/// <param name="shape">Numbers that must be equal for the file to fit, with their names.</param>
/// <param name="weights">What the model has learned.</param>
/// <param name="optimizer">Of the dense weights.</param>
/// <param name="tables">Options of the tables of the weights, in their order.</param>
/// <param name="frequency">Of the estimator.</param>
internal sealed class RetrievalCheckpoint(
    string what, byte version, IReadOnlyList<(string Name, int Value)> shape, DeepWeights weights, IDenseOptimizer optimizer,
    IReadOnlyList<EmbeddingTableOptions> tables, FrequencyOptions frequency)
{
    public void Save(Stream into, FrequencyEstimator estimator)
    {
        estimator.Save(into);
        DeepCheckpoint.Save(into, version, shape, weights, optimizer);
    }

    /// <summary>Fills weights and optimiser; returns the estimator.</summary>
    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; nothing was changed.</exception>
    public FrequencyEstimator Load(Stream from)
    {
        // The estimator comes first, into a fresh one: it takes its place once all the rest has proved sound.
        var estimator = new FrequencyEstimator(frequency);
        estimator.Load(from);
        DeepCheckpoint.Load(from, version, what, _ => shape, weights, optimizer, i => new EmbeddingTable(tables[i]));
        return estimator;
    }
}
