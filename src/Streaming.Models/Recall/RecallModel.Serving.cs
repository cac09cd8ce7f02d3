using Streaming.Models.Deep;
using Streaming.Models.Embeddings;

namespace Streaming.Models.Recall;

public sealed partial class RecallModel
{
    /// <summary>
    /// Numbers of a vector: the network's and one more, which gives the items' vectors the same length, so that an index by cosine finds the largest inner
    /// product (Bachrach et al. 2014, "Speeding Up the Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces", section 3).
    /// </summary>
    public int VectorDim => _network.VectorDim + 1;

    public int VectorsMax => _network.VectorsMax;

    /// <summary>Scores are s / (1 + |s|) brought to [0, 1], s the largest inner product: they order items, and are no probability; 0.5 without a history.</summary>
    public void Predict(ExampleBatch batch, Span<float> into)
    {
        if (into.Length != batch.Count) throw new ArgumentException($"{batch.Count} rows, and a place for {into.Length}");
        var dim = _network.VectorDim;
        Span<float> users = stackalloc float[VectorsMax * dim], item = stackalloc float[dim];
        var count = 0;
        for (var row = 0; row < batch.Count; row++)
        {
            // The rows of a list stand together, and are of one user.
            var isNew = row == 0 || batch.Users[row] != batch.Users[row - 1] || batch.InSession[row] != batch.InSession[row - 1]
                || !batch.History(row).SequenceEqual(batch.History(row - 1));
            if (isNew) count = Interests(batch.Users[row], batch.History(row), batch.InSession[row], users);
            into[row] = 0.5f;
            if (count == 0 || batch.Items[row] == 0) continue;
            _network.ItemVector(batch.Items[row], _rows, item);
            var best = float.NegativeInfinity;
            for (var k = 0; k < count; k++) best = Math.Max(best, VectorMath.Dot(users.Slice(k * dim, dim), item));
            into[row] = 0.5f + 0.5f * best / (1 + Math.Abs(best));
        }
    }

    /// <summary>Whether the item has a row: it was shown or acted on, and has not expired.</summary>
    public bool Knows(ulong item) => _rows.Has(0, item);

    public int UserVectors(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
    {
        var dim = _network.VectorDim;
        Span<float> vectors = stackalloc float[VectorsMax * dim];
        var count = Interests(user, history, inSession, vectors);
        for (var k = 0; k < count; k++)
        {
            vectors.Slice(k * dim, dim).CopyTo(into[(k * VectorDim)..]);
            into[k * VectorDim + dim] = 0;
        }
        return count;
    }

    public void UserVector(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
    {
        Span<float> vectors = stackalloc float[VectorsMax * VectorDim];
        if (UserVectors(user, history, inSession, vectors) == 0) into.Clear();
        else vectors[..VectorDim].CopyTo(into);
    }

    /// <summary>The item's vector, of length 1: the network's over a length that no item's exceeds, and what is missing to 1.</summary>
    /// <inheritdoc/>
    public void ItemVector(ulong item, Span<float> into)
    {
        var own = into[.._network.VectorDim];
        _network.ItemVector(item, _rows, own);
        // One that has grown since the bound was published stands at it until the next bound comes.
        var scale = 1 / Math.Max(_bound.Values[0], VectorMath.Norm(own));
        foreach (ref var value in own) value *= scale;
        into[^1] = MathF.Sqrt(Math.Max(0, 1 - VectorMath.Dot(own, own)));
    }

    /// <summary>The network's vectors; none without a history, nor where one is not finite.</summary>
    private int Interests(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
    {
        if (history.Length > _options.HistoryMax) history = history[.._options.HistoryMax];
        if (history.Length == 0) return 0;
        var count = _network.UserVectors(new RecallQuery(user, history, Math.Clamp(inSession, 0, history.Length)), _rows, into);
        foreach (var value in into[..(count * _network.VectorDim)])
            if (!float.IsFinite(value)) return 0;
        return count;
    }
}
