using Streaming.Core.Settings;

namespace Streaming.Learning.Features;

/// <summary>On what a feature depends: decides how often it is computed while candidates are ranked for one user.</summary>
internal enum FeatureSide
{
    /// <summary>The user, the surface and the time: once for all candidates.</summary>
    User,
    /// <summary>The item, or user and item together: once per candidate.</summary>
    Candidate,
    /// <summary>The item and the time alone: a candidate's share that is the same for every user.</summary>
    Item,
}

/// <summary>
/// The features. "One-hot" is one key per value with value 1; "bucket" is one-hot over ranges; "real" is one key with a real
/// value of about unit scale.
/// </summary>
internal enum FeatureKind
{
    /// <summary>Constant 1.</summary>
    Bias,
    /// <summary>One-hot user.</summary>
    User,
    /// <summary>One-hot surface.</summary>
    Surface,
    /// <summary>One-hot hour of day, UTC.</summary>
    Hour,
    /// <summary>One-hot name=value per attribute of the profile.</summary>
    Profile,
    /// <summary>One-hot per declared interest.</summary>
    Interest,
    /// <summary>Bucket of the logit of positives per impression.</summary>
    UserCtr,
    /// <summary>Real: smoothed logit of the user's share of positive ratings (of clicks where there are no ratings), less the global logit.</summary>
    UserMean,
    /// <summary>Real: smoothed mean rating less the grade that counts as positive.</summary>
    UserRating,
    /// <summary>Bucket of the number of positive actions.</summary>
    History,
    /// <summary>Bucket of the number of ratings and impressions.</summary>
    Activity,
    /// <summary>One-hot item.</summary>
    Item,
    /// <summary>One-hot author.</summary>
    Author,
    /// <summary>One-hot per category.</summary>
    Category,
    /// <summary>One-hot per tag.</summary>
    Tag,
    /// <summary>Bucket of the logit of the decayed click rate.</summary>
    ItemCtr,
    /// <summary>Real: logit of the share of positive labels ever, less the global logit.</summary>
    ItemMean,
    /// <summary>Real: logarithm of COEC.</summary>
    ItemCoec,
    /// <summary>Bucket of decayed popularity.</summary>
    Popularity,
    /// <summary>Bucket of the time since the item was born.</summary>
    ItemAge,
    /// <summary>Bucket of the number of impressions ever.</summary>
    ItemShown,
    /// <summary>One-hot per value of an attribute.</summary>
    Attribute,
    /// <summary>Real: the logit of the matrix factorisation, biases included.</summary>
    Mf,
    /// <summary>Real: u . v.</summary>
    MfDot,
    /// <summary>Bucket of the logit of the matrix factorisation.</summary>
    MfBucket,
    /// <summary>Real: cosine of the item's vector and the fast-decaying mean.</summary>
    ShortSimilarity,
    /// <summary>Real: cosine of the item's vector and the slowly decaying mean.</summary>
    LongSimilarity,
    /// <summary>Real: cosine of the item's vector and the mean over the session's last actions.</summary>
    SessionSimilarity,
    /// <summary>Real: largest cosine of the item's vector and an interest vector.</summary>
    InterestSimilarity,
    /// <summary>Bucket of how often the user has seen the item.</summary>
    Seen,
    /// <summary>Present when the user has clicked the item before.</summary>
    Clicked,
    /// <summary>Present when the user has acted upon the author before.</summary>
    AuthorClicked,
    /// <summary>Bucket of the decayed interest in the author.</summary>
    AuthorAffinity,
    /// <summary>Bucket of the largest decayed interest in a category of the item.</summary>
    CategoryAffinity,
    /// <summary>Bucket of the mean decayed interest in the item's tags.</summary>
    TagAffinity,
    /// <summary>Real: how much oftener than everybody the user acts on the author (see <see cref="CategoryLift"/>).</summary>
    AuthorLift,
    /// <summary>
    /// Real: mean over the item's categories c of ln((n_c + k q_c) / ((N + k) q_c)), n_c of the user's N actions on c, q_c everybody's
    /// share of c, k a prior: unlike an affinity it does not rise with what is frequent anyway.
    /// </summary>
    CategoryLift,
    /// <summary>Real: the same over the item's tags.</summary>
    TagLift,
}

/// <summary>Names (<see cref="FeatureNames"/>) and sides of <see cref="FeatureKind"/>.</summary>
internal static class FeatureKinds
{
    /// <exception cref="ArgumentException">The name is not in <see cref="FeatureNames.All"/>; validation finds this first.</exception>
    public static FeatureKind Parse(string name) =>
        FeatureNames.All.Contains(name) && Enum.TryParse<FeatureKind>(name.Replace("_", ""), ignoreCase: true, out var kind)
            ? kind
            : throw new ArgumentException($"unknown feature '{name}'", nameof(name));

    public static FeatureSide Side(FeatureKind kind) => kind switch
    {
        <= FeatureKind.Activity => FeatureSide.User,
        < FeatureKind.Mf => FeatureSide.Item,
        _ => FeatureSide.Candidate,
    };
}
