namespace Streaming.Core;

/// <summary>For "did you mean": which of the known names a mistyped one is closest to.</summary>
public static class NearestName
{
    /// <summary>The closest name, or null where none is near enough to be a slip: more than half of it would have to change.</summary>
    public static string? Of(string wanted, IEnumerable<string> known)
    {
        var nearest = known.MinBy(name => Distance(name, wanted));
        return nearest is not null && Distance(nearest, wanted) <= Math.Max(nearest.Length, wanted.Length) / 2 ? nearest : null;
    }

    /// <summary>Edit distance (Levenshtein 1966) without regard to case.</summary>
    public static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                (row[j], diagonal) = (Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + cost), row[j]);
            }
        }
        return row[b.Length];
    }
}
