using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Models.Embeddings;

namespace Streaming.Models.Deep;

/// <summary>
/// A model that a worker trains in mini-batches and replicas serve. What it has learned is in its tables (rows by key) and its
/// dense weights, nowhere else: a replica that has both predicts the same, bit for bit. One thread at a time.
/// </summary>
public interface IDeepModel : IDisposable
{
    /// <summary>Its name in settings, arms, topics and metrics: "din", "two_tower", ...; file-name safe.</summary>
    string Name { get; }

    /// <summary>What it has learned, to publish and to take over.</summary>
    DeepWeights Weights { get; }

    /// <summary>
    /// Fills <paramref name="into"/>[i] with the probability (or, for retrieval, the score) of row i. Changes nothing: a key without a row
    /// counts as nothing known, and no draw is taken.
    /// </summary>
    /// <param name="into">Shape [B].</param>
    void Predict(ExampleBatch batch, Span<float> into);

    /// <summary>Whether the model learns from and predicts examples like this one; a worker leaves the others out.</summary>
    bool Learns(Example example) => !example.IsFollowUp;

    /// <summary>Drops what the model keeps of a user beside the rows of its tables: the user asked to be forgotten.</summary>
    void Forget(ulong user)
    {
        // Most keep nothing else.
    }

    /// <summary>One optimiser step on the batch. Returns its mean loss before the step.</summary>
    float Learn(ExampleBatch batch);

    /// <summary>Everything, optimiser state and generator included: a model loaded from it goes on bit-exact on the CPU.</summary>
    void Save(Stream into);

    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; the model is unchanged.</exception>
    void Load(Stream from);
}

/// <summary>A deep model that may learn goals beside the label: K tasks, of which the label is the first.</summary>
public interface IMultiTaskModel : IDeepModel
{
    /// <summary>Tasks 2 to K; empty where the label is all.</summary>
    IReadOnlyList<EventKind> Goals { get; }

    /// <summary>As <see cref="IDeepModel.Predict"/>, of all tasks; the first column is what that gives.</summary>
    /// <param name="into">Shape [B, K] row-major.</param>
    void PredictGoals(ExampleBatch batch, Span<float> into);

    /// <summary>Labels of one row, shape [K], until the next call: 1 or 0, NaN for a task that the row's record does not tell.</summary>
    ReadOnlySpan<float> LabelsOf(ExampleBatch batch, int row);
}

/// <summary>What a deep model has learned.</summary>
/// <param name="Tables">Embedding tables by name, in a fixed order.</param>
/// <param name="Dense">The dense weights, in a fixed order.</param>
public sealed record DeepWeights(IReadOnlyList<(string Name, EmbeddingTable Table)> Tables, IReadOnlyList<IDenseWeights> Dense)
{
    /// <summary>Those whose keys are users: called "user", or "user." and more. Who is forgotten loses their rows there.</summary>
    public IEnumerable<EmbeddingTable> UserTables =>
        Tables.Where(t => t.Name == "user" || t.Name.StartsWith("user.", StringComparison.Ordinal)).Select(t => t.Table);
}

/// <summary>One dense tensor of a model, or another array that predictions depend on, by value.</summary>
public interface IDenseWeights
{
    /// <summary>Unique within the model.</summary>
    string Name { get; }

    /// <summary>Number of elements.</summary>
    int Length { get; }

    /// <param name="into">Shape [<see cref="Length"/>], row-major.</param>
    void CopyTo(Span<float> into);

    /// <param name="from">Shape [<see cref="Length"/>], row-major.</param>
    void CopyFrom(ReadOnlySpan<float> from);
}
