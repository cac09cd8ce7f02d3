using Streaming.Models.Offline;

namespace Streaming.Models.Tests.Offline;

/// <summary>A handful of interactions for cases that are worked by hand.</summary>
internal static class Few
{
    private const long DayMs = 86_400_000;

    /// <summary>Rows in stream order, a day apart from day 0.</summary>
    public static Interactions Rows(int users, int items, params (int User, int Item, float Value)[] rows) => new(users, items,
        [.. rows.Select(row => row.User)], [.. rows.Select(row => row.Item)], [.. rows.Select(row => row.Value)], [.. rows.Select((_, at) => at * DayMs)]);

    /// <summary>One history a user, values 1.</summary>
    public static Interactions Histories(int items, params int[][] histories) =>
        Rows(histories.Length, items, [.. histories.SelectMany((history, user) => history.Select(item => (user, item, 1f)))]);

    /// <summary>The scores of a fitted model.</summary>
    public static float[] Score(this IRecommender model, Interactions train, int user, params int[] history)
    {
        model.Fit(train, 1);
        var scores = new float[train.ItemCount];
        model.Score(user, history, scores);
        return scores;
    }

    public static void ShouldBeAbout(this IReadOnlyList<float> scores, params double[] expected)
    {
        scores.Count.ShouldBe(expected.Length);
        for (var i = 0; i < expected.Length; i++) ((double)scores[i]).ShouldBe(expected[i], 1e-5, $"item {i}");
    }
}
