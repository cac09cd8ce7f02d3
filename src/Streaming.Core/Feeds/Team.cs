namespace Streaming.Core.Feeds;

/// <summary>Which of two interleaved rankings put an item into its slot. The numeric values are persisted; never renumber.</summary>
public enum Team : byte
{
    /// <summary>Neither: the list is not interleaved, exploration drew the item, or one ranking had nothing left to set against the other.</summary>
    None = 0,

    /// <summary>The arm's own ranking.</summary>
    A = 1,

    /// <summary>Its opponent's.</summary>
    B = 2,
}

/// <summary>The names of teams in JSON: "a" and "b"; <see cref="Team.None"/> is left out.</summary>
public static class Teams
{
    /// <summary>The larger values are no teams.</summary>
    public const byte Max = (byte)Team.B;

    public static ReadOnlySpan<byte> Name(Team team) => team switch { Team.A => "a"u8, Team.B => "b"u8, _ => default };

    public static bool TryParse(ReadOnlySpan<char> name, out Team team)
    {
        team = name switch { "a" => Team.A, "b" => Team.B, _ => Team.None };
        return team != Team.None;
    }

    /// <summary>The team of slot <paramref name="i"/>; a list without teams has an empty array.</summary>
    public static Team Of(Team[] teams, int i) => (uint)i < (uint)teams.Length ? teams[i] : Team.None;
}
