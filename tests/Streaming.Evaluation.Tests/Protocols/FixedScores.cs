using Streaming.Models.Offline;

namespace Streaming.Evaluation.Tests.Protocols;

/// <summary>Scores that a test dictates; remembers what it was given.</summary>
internal sealed class FixedScores(params float[] fixedScores) : IRecommender
{
    public Interactions? Train { get; private set; }
    public Dictionary<int, int[]> Histories { get; } = [];

    public void Fit(Interactions train, long seed) => Train = train;

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        Histories[user] = history.ToArray();
        fixedScores.CopyTo(scores);
    }
}
