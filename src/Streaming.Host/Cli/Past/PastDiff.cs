namespace Streaming.Host.Cli.Past;

/// <summary>What two whole lists differ in, from the first to the second, as far as it concerns the first places of either.</summary>
/// <param name="Entered">Items of the second's first places that are nowhere in the first.</param>
/// <param name="Left">Items of the first's first places that are nowhere in the second.</param>
/// <param name="Moved">Items of both at other places, one of them among the first; those that moved furthest first.</param>
internal sealed record ListDiff(IReadOnlyList<string> Entered, IReadOnlyList<string> Left, IReadOnlyList<MoveView> Moved)
{
    /// <param name="first">Null where there is none.</param>
    /// <param name="second">Likewise.</param>
    /// <param name="places">How many places from the top are the first ones.</param>
    public static ListDiff Of(PastList? first, PastList? second, int places)
    {
        var before = Places(first);
        var after = Places(second);
        return new ListDiff(
            [.. after.Where(a => a.Value.Position < places && !before.ContainsKey(a.Key)).Select(a => a.Key)],
            [.. before.Where(b => b.Value.Position < places && !after.ContainsKey(b.Key)).Select(b => b.Key)],
            [.. after.Where(a => before.TryGetValue(a.Key, out var b) && b.Position != a.Value.Position && Math.Min(b.Position, a.Value.Position) < places)
                .Select(a => new MoveView(a.Key, before[a.Key].Position, a.Value.Position, before[a.Key].Score, a.Value.Score)).OrderByDescending(m => Math.Abs(m.From - m.To))]);
    }

    private static Dictionary<string, (int Position, float Score)> Places(PastList? list) =>
        (list?.Whole ?? []).Index().ToDictionary(e => e.Item.Item, e => (e.Index, e.Item.Score));
}

internal sealed record MoveView(string Item, int From, int To, float ScoreFrom, float ScoreTo);

/// <summary>What a user's state differs in between two moments, from the first to the second.</summary>
/// <param name="Events">Events applied between them.</param>
/// <param name="Actions">Positive actions between them, newest first.</param>
/// <param name="Interests">Long-term interests whose weight changed by a hundredth or more, those that changed most first.</param>
/// <param name="EmbeddingCosine">Of the two embeddings; null where one is still zero.</param>
internal sealed record StateDiff(long Events, IReadOnlyList<PastActionView> Actions, IReadOnlyList<InterestChange> Interests, double? EmbeddingCosine)
{
    private const float ChangeMin = 0.01f;

    public static StateDiff Of(StateView? first, StateView? second)
    {
        var before = (first?.Interests ?? []).ToDictionary(i => i.Of, i => i.Weight);
        var after = (second?.Interests ?? []).ToDictionary(i => i.Of, i => i.Weight);
        var known = (first?.History ?? []).ToHashSet();
        return new StateDiff(
            (second?.Events ?? 0) - (first?.Events ?? 0), [.. (second?.History ?? []).Where(a => !known.Contains(a))],
            [.. before.Keys.Union(after.Keys).Select(of => new InterestChange(of, before.GetValueOrDefault(of), after.GetValueOrDefault(of)))
                .Where(c => Math.Abs(c.To - c.From) >= ChangeMin).OrderByDescending(c => Math.Abs(c.To - c.From)).ThenBy(c => c.Of, StringComparer.Ordinal)],
            first is null || second is null ? null : Cosine(first.Embedding, second.Embedding));
    }

    private static double? Cosine(float[] a, float[] b)
    {
        double dot = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++) (dot, aa, bb) = (dot + (double)a[i] * b[i], aa + (double)a[i] * a[i], bb + (double)b[i] * b[i]);
        return aa == 0 || bb == 0 ? null : dot / Math.Sqrt(aa * bb);
    }
}

internal sealed record InterestChange(string Of, float From, float To);
