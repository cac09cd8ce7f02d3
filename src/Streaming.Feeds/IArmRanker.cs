namespace Streaming.Feeds;

/// <summary>A ranker whose weights depend on the arm that the list is for. Each shard has one of its own.</summary>
public interface IArmRanker : IRanker
{
    /// <summary>The lists that follow are this arm's.</summary>
    /// <param name="arm">As lists and examples name it.</param>
    /// <returns>Names the version of the arm's own weights, written into its lists after the others'; null where it has none.</returns>
    string? StartArm(string arm);
}
