namespace Streaming.Models.Deep;

/// <summary>
/// Users and items as vectors of one space, a larger inner product with an item meaning that it is liked more: what retrieval asks of a model, or of its replica. Reads only; any
/// number of threads while nobody learns or applies a delta.
/// </summary>
public interface IRetrievalModel
{
    /// <summary>Numbers of a vector.</summary>
    int VectorDim { get; }

    /// <summary>Whether the model can tell the item from any other; those that it cannot are not worth retrieving.</summary>
    bool Knows(ulong item);

    /// <summary>The item's vector, of length 1, also of one that nobody has acted on yet.</summary>
    void ItemVector(ulong item, Span<float> into);

    /// <summary>Vectors of a user at most.</summary>
    int VectorsMax => 1;

    /// <summary>The user's vectors, one for each interest: an item counts by the nearest. Returns how many there are, 0 where nothing is known of the user.</summary>
    /// <param name="into">Shape [<see cref="VectorsMax"/>, <see cref="VectorDim"/>].</param>
    /// <inheritdoc cref="UserVector"/>
    int UserVectors(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
    {
        UserVector(user, history, inSession, into);
        return into.ContainsAnyExcept(0f) ? 1 : 0;
    }

    /// <summary>The user's vector, the first where there are several; zeros where nothing is known of the user and nothing was learned yet.</summary>
    /// <param name="user">Key of the user.</param>
    /// <param name="history">Keys of the user's past positive items, newest first.</param>
    /// <param name="inSession">How many of them, from the start, belong to the open session.</param>
    /// <param name="into">Shape [<see cref="VectorDim"/>].</param>
    void UserVector(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into);
}
