namespace Streaming.Core.Settings;

/// <summary>
/// The features that a ranking model may declare in <c>Learning:Features</c> and cross in <c>Learning:Crosses</c> ("a*b").
/// What each is computed from is stated at Streaming.Learning's FeatureKind.
/// </summary>
public static class FeatureNames
{
    /// <summary>Every allowed name.</summary>
    public static readonly IReadOnlyList<string> All =
    [
        "bias", "user", "surface", "hour", "profile", "interest", "user_ctr", "user_mean", "user_rating", "history", "activity",
        "item", "author", "category", "tag", "item_ctr", "item_mean", "item_coec", "popularity", "item_age", "item_shown",
        "attribute", "mf", "mf_dot", "mf_bucket", "short_similarity", "long_similarity", "session_similarity", "interest_similarity",
        "seen", "clicked", "author_clicked", "author_affinity", "category_affinity", "tag_affinity",
        "author_lift", "category_lift", "tag_lift",
    ];

    /// <summary>Those with one real value of about unit scale: what <c>Deep:DenseFeatures</c> may name.</summary>
    public static readonly IReadOnlyList<string> Real =
    [
        "user_mean", "user_rating", "item_mean", "item_coec", "mf", "mf_dot", "short_similarity", "long_similarity", "session_similarity",
        "interest_similarity", "author_lift", "category_lift", "tag_lift",
    ];

    /// <summary>What an empty <c>Learning:Features</c> stands for.</summary>
    public static readonly IReadOnlyList<string> Default =
    [
        "bias", "user", "item", "author", "category", "tag", "surface", "hour", "profile", "user_ctr", "user_mean", "user_rating",
        "activity", "item_ctr", "item_mean", "item_coec", "popularity", "item_age", "item_shown", "mf", "mf_dot", "mf_bucket",
        "short_similarity", "long_similarity", "session_similarity", "interest_similarity", "seen", "clicked", "author_clicked",
        "author_affinity", "category_affinity", "tag_affinity",
    ];

    /// <summary>What an empty <c>Learning:Crosses</c> stands for.</summary>
    public static readonly IReadOnlyList<string> DefaultCrosses =
    [
        "user*tag", "user*category", "user*author", "profile*tag", "profile*item", "activity*mf",
    ];

    /// <summary>Splits "a*b"; false unless both are known names.</summary>
    public static bool TryParseCross(string cross, out string left, out string right)
    {
        var star = cross.IndexOf('*');
        left = star < 0 ? cross : cross[..star].Trim();
        right = star < 0 ? "" : cross[(star + 1)..].Trim();
        return All.Contains(left) && All.Contains(right);
    }
}
