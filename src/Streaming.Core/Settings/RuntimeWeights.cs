using System.Globalization;
using Streaming.Core.Events;

namespace Streaming.Core.Settings;

/// <summary>
/// Weights that operators change while the nodes run, by path: of actions ("Users:ActionWeights:like"), goals ("Feeds:GoalWeights:purchase"), recall channels
/// ("Feeds:Quotas:fresh") and of relevance against diversity ("Feeds:MmrLambda"). They stand in for the settings' own, and arms' own stand in for them.
/// </summary>
public static class RuntimeWeights
{
    /// <summary>Characters of a type's name that may be given a weight.</summary>
    public const int TypeCharsMax = 200;

    private const string Goals = "Feeds:GoalWeights:";
    private const string Quotas = "Feeds:Quotas:";
    private const string Relevance = "Feeds:MmrLambda";

    private static readonly Dictionary<string, string> NoValues = [];

    /// <summary>Whether the path names one.</summary>
    public static bool IsOne(string path) => path == Relevance || ((string[])[ChangedWeights.Section, Goals, Quotas]).Any(s => path.StartsWith(s, StringComparison.Ordinal) && path.Length > s.Length);

    /// <summary>The settings with these weights in place of theirs. What is wrong is added to <paramref name="problems"/>.</summary>
    /// <param name="settings">Validated; not changed.</param>
    /// <param name="weights">Path to value; null for none.</param>
    /// <param name="path">Names them in problems.</param>
    public static StreamingSettings Apply(StreamingSettings settings, IReadOnlyDictionary<string, string>? weights, string path, SettingsProblems problems)
    {
        if (weights is null or { Count: 0 }) return settings;
        var actions = new Dictionary<string, double>(settings.Users.ActionWeights);
        var feeds = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, text) in weights.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            if (!IsOne(name)) problems.Add($"{path}:{name}", $"is no weight that can be changed; there are {ChangedWeights.Section}TYPE, {Goals}GOAL, {Quotas}CHANNEL and {Relevance}");
            else if (TypeOf(name) is not { } type) feeds[name] = text;
            else if (type.Length > TypeCharsMax) problems.Add($"{path}:{name}", $"names a type of more than {TypeCharsMax} characters");
            else if (EventKinds.Parse(type) != EventKind.Custom && !settings.Users.ActionWeights.ContainsKey(type)) problems.Add($"{path}:{name}", $"names '{type}', which is no action");
            else if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var weight)) problems.Add($"{path}:{name}", $"'{text}' is no number");
            else actions[type] = weight;
        }
        var changed = settings with { Users = settings.Users with { ActionWeights = actions } };
        // With none of the feeds' own nothing would look at what has become of the others.
        foreach (var problem in feeds.Count == 0 ? changed.Validate() : []) problems.Add(path, problem);
        return feeds.Count == 0 ? changed : Tunables.Apply(changed, feeds, path, problems);
    }

    /// <summary>Those of actions, sound or none: where the settings have changed under them, their own stand.</summary>
    /// <param name="settings">The node's.</param>
    /// <param name="weights">As <see cref="Apply"/>.</param>
    /// <param name="version">Of the definitions that have them.</param>
    public static ChangedWeights ActionsOf(StreamingSettings settings, IReadOnlyDictionary<string, string>? weights, long version)
    {
        if (!IsSound(settings, weights)) return new ChangedWeights(version, []);
        return new ChangedWeights(version,
        [
            .. weights!.OrderBy(w => w.Key, StringComparer.Ordinal).Where(w => TypeOf(w.Key) is not null)
                .Select(w => KeyValuePair.Create(TypeOf(w.Key)!, double.Parse(w.Value, CultureInfo.InvariantCulture))),
        ]);
    }

    /// <summary>
    /// Those that lists are made by, sound or none, as tunable settings: a goal without a weight of its own has its action's, so with that goes the goal's.
    /// </summary>
    public static IReadOnlyDictionary<string, string> FeedsOf(StreamingSettings settings, IReadOnlyDictionary<string, string>? weights)
    {
        if (!IsSound(settings, weights)) return NoValues;
        var feeds = weights!.Where(w => TypeOf(w.Key) is null).ToDictionary(StringComparer.Ordinal);
        foreach (var goal in settings.Users.Goals)
            if (weights!.TryGetValue(ChangedWeights.Section + goal, out var weight) && !settings.Feeds.GoalWeights.ContainsKey(goal)) feeds.TryAdd(Goals + goal, weight);
        return feeds;
    }

    /// <summary>The type of action whose weight it is; null for another kind of weight.</summary>
    private static string? TypeOf(string path) => path.StartsWith(ChangedWeights.Section, StringComparison.Ordinal) ? path[ChangedWeights.Section.Length..] : null;

    private static bool IsSound(StreamingSettings settings, IReadOnlyDictionary<string, string>? weights)
    {
        if (weights is null or { Count: 0 }) return false;
        var problems = new SettingsProblems();
        Apply(settings, weights, "weights", problems);
        return problems.List.Count == 0;
    }
}
