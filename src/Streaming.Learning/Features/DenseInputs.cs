using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Models.Deep;
using Streaming.Users;

namespace Streaming.Learning.Features;

/// <summary>
/// The dense columns that deep rankers read (<c>Deep:DenseFeatures</c>): from an example those that were captured when its item was shown, for a
/// candidate those of now, by the code that captures them. Not thread-safe: one per thread. Allocates nothing once warm.
/// </summary>
public sealed class DenseInputs
{
    private readonly CandidateScorer _scorer;
    private readonly FeatureKind[] _kinds;

    /// <param name="scorer">Of the thread.</param>
    /// <param name="settings">Names them.</param>
    public DenseInputs(CandidateScorer scorer, StreamingSettings settings) => (_scorer, _kinds) = (scorer, [.. Names(settings).Select(FeatureKinds.Parse)]);

    /// <summary>D.</summary>
    public int Columns => _kinds.Length;

    /// <summary>D under these settings.</summary>
    public static int ColumnsOf(StreamingSettings settings) => Names(settings).Count;

    /// <summary>By which hashes examples hold them, in the order of the columns.</summary>
    public static uint[] Hashes(StreamingSettings settings) =>
        [.. Names(settings).Select(name => (uint)(StableHash.Combine(FeatureExtractor.SaltOf(FeatureKinds.Parse(name)), 0) >> 32))];

    /// <summary>Those of candidates for one user.</summary>
    /// <param name="user">The state must not change meanwhile.</param>
    /// <param name="items">Keys.</param>
    /// <param name="surface">Where they would be shown.</param>
    /// <param name="nowMs">Event time, Unix ms.</param>
    /// <param name="into">Shape [items, D] row-major.</param>
    public void Fill(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> into)
    {
        if (_kinds.Length == 0) return;
        _scorer.BeginUser(user, nowMs, surface);
        for (var i = 0; i < items.Length; i++)
        {
            var row = into.Slice(i * _kinds.Length, _kinds.Length);
            _scorer.Reals(items[i], _kinds, row);
            foreach (ref var value in row) value = ExampleBatch.Bounded(value);
        }
    }

    private static IReadOnlyList<string> Names(StreamingSettings settings) => settings.Deep.DenseOf(settings.Learning.Features);
}
