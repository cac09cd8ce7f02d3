namespace Streaming.Models.Offline;

/// <summary>
/// A model that is fitted on recorded interactions and scores the whole catalogue for one user: what every offline protocol takes,
/// the floors and the zoo alike.
/// </summary>
public interface IRecommender
{
    /// <summary>Learns from scratch; what an earlier call learned is gone. The same interactions and seed give the same model.</summary>
    void Fit(Interactions train, long seed);

    /// <summary>Scores every item; larger is better. Changes nothing.</summary>
    /// <param name="user">Dense user id, from 0.</param>
    /// <param name="history">The user's items so far, oldest first: those of training and those that the protocol has shown since.</param>
    /// <param name="scores">Receives one finite score per item.</param>
    void Score(int user, ReadOnlySpan<int> history, Span<float> scores);
}
