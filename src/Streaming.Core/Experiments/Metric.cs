namespace Streaming.Core.Experiments;

/// <summary>What is summed for each user. The numeric values are persisted; never renumber.</summary>
public enum UserColumn
{
    /// <summary>Items that were on the screen.</summary>
    Impressions = 0,
    Clicks = 1,
    /// <summary>Seconds.</summary>
    Dwell = 2,
    Purchases = 3,
    /// <summary>Amounts paid.</summary>
    Revenue = 4,
    Sessions = 5,
    /// <summary>Everything done to an item but its dwell, a dislike or a hide.</summary>
    Actions = 6,
    /// <summary>Dislikes and hides.</summary>
    Dislikes = 7,
}

/// <summary>A metric of an arm: one sum over its users divided by another.</summary>
/// <param name="Name">As settings and reports name it.</param>
/// <param name="Above">What is divided.</param>
/// <param name="Below">By what; null for the number of users.</param>
/// <param name="HigherIsBetter">Which way is good.</param>
/// <param name="Meaning">For people.</param>
public sealed record Metric(string Name, UserColumn Above, UserColumn? Below, bool HigherIsBetter, string Meaning)
{
    /// <summary>Columns of a user.</summary>
    public const int Columns = 8;

    /// <summary>The click-through rate, by which experiments are decided unless they say otherwise.</summary>
    public static Metric Ctr { get; } = new("ctr", UserColumn.Clicks, UserColumn.Impressions, true, "clicks per shown item");

    public static IReadOnlyList<Metric> All { get; } =
    [
        Ctr,
        new("cvr", UserColumn.Purchases, UserColumn.Clicks, true, "purchases per click"),
        new("dwell_per_click", UserColumn.Dwell, UserColumn.Clicks, true, "seconds spent per click"),
        new("dwell_per_user", UserColumn.Dwell, null, true, "seconds spent per user"),
        new("revenue_per_user", UserColumn.Revenue, null, true, "amount paid per user"),
        new("sessions_per_user", UserColumn.Sessions, null, true, "visits per user"),
        new("clicks_per_session", UserColumn.Clicks, UserColumn.Sessions, true, "clicks per visit"),
        new("actions_per_session", UserColumn.Actions, UserColumn.Sessions, true, "clicks, likes, shares, carts and purchases per visit"),
        new("dislike_rate", UserColumn.Dislikes, UserColumn.Impressions, false, "dislikes and hides per shown item"),
    ];

    /// <summary>False for a name that is none.</summary>
    public static bool TryFind(string name, out Metric metric)
    {
        metric = All.FirstOrDefault(m => m.Name == name)!;
        return metric is not null;
    }

    /// <summary>True where what is divided counts things that happen, so that few of them make no normal mean.</summary>
    public bool IsCount => Above is not (UserColumn.Dwell or UserColumn.Revenue);
}
