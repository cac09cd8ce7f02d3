using System.Globalization;
using System.Reflection;

namespace Streaming.Core.Settings;

/// <summary>Marks a setting that an experiment's arm may change for its own lists.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TunableAttribute : Attribute;

/// <summary>Settings that arms may change, by path: "Feeds:MmrLambda"; an entry of a dictionary is "Feeds:Quotas:popular".</summary>
public static class Tunables
{
    private static readonly Dictionary<string, (PropertyInfo Section, PropertyInfo Setting)> Known = (
        from section in typeof(StreamingSettings).GetProperties()
        from setting in section.PropertyType.GetProperties()
        where setting.GetCustomAttribute<TunableAttribute>() is not null
        select (section, setting)).ToDictionary(t => $"{t.section.Name}:{t.setting.Name}", t => (t.section, t.setting));

    /// <summary>Paths of all, in ordinal order; those of dictionaries end with ":*".</summary>
    public static IReadOnlyList<string> All { get; } =
        [.. Known.Select(t => t.Key + (IsDictionary(t.Value.Setting) ? ":*" : "")).Order(StringComparer.Ordinal)];

    /// <summary>The settings with an arm's values in place of theirs. What is wrong is added to <paramref name="problems"/>, and left out.</summary>
    /// <param name="settings">Validated; not changed.</param>
    /// <param name="values">Path to value.</param>
    /// <param name="path">Names the arm in problems.</param>
    public static StreamingSettings Apply(StreamingSettings settings, IReadOnlyDictionary<string, string> values, string path, SettingsProblems problems)
    {
        if (values.Count == 0) return settings;
        var changed = (StreamingSettings)Clone(settings);
        var own = new HashSet<PropertyInfo>();
        foreach (var (key, text) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            var (section, setting, entry) = Find(key);
            if (setting is null)
            {
                problems.Add($"{path}:{key}", Complaint(key));
                continue;
            }
            if (own.Add(section!)) section!.SetValue(changed, Clone(section.GetValue(changed)!));
            Set(section!.GetValue(changed)!, setting, entry, text, $"{path}:{key}", problems);
        }
        // Sound before, so whatever is unsound now came from the arm.
        foreach (var problem in changed.Validate()) problems.Add(path, problem);
        return changed;
    }

    private static (PropertyInfo? Section, PropertyInfo? Setting, string Entry) Find(string key)
    {
        var parts = key.Split(':');
        if (parts.Length < 2 || !Known.TryGetValue($"{parts[0]}:{parts[1]}", out var found)) return default;
        var wanted = IsDictionary(found.Setting) ? 3 : 2;
        return parts.Length == wanted ? (found.Section, found.Setting, parts[^1]) : default;
    }

    private static string Complaint(string key)
    {
        var parts = key.Split(':');
        var exists = parts.Length > 1 && typeof(StreamingSettings).GetProperty(parts[0])?.PropertyType.GetProperty(parts[1]) is not null;
        if (exists && !Known.ContainsKey($"{parts[0]}:{parts[1]}")) return $"is no tunable setting; arms may change {string.Join(", ", All)}";
        return $"there is no such setting; did you mean '{All.MinBy(k => NearestName.Distance(k, key))}'?";
    }

    private static void Set(object section, PropertyInfo setting, string entry, string text, string path, SettingsProblems problems)
    {
        var type = IsDictionary(setting) ? setting.PropertyType.GetGenericArguments()[1] : setting.PropertyType;
        object value;
        try
        {
            value = Convert.ChangeType(text, Nullable.GetUnderlyingType(type) ?? type, CultureInfo.InvariantCulture);
        }
        catch (Exception problem) when (problem is FormatException or OverflowException or InvalidCastException)
        {
            problems.Add(path, $"'{text}' is no {(type == typeof(double) ? "number" : type == typeof(bool) ? "true or false" : "whole number in range")}");
            return;
        }
        if (!IsDictionary(setting))
        {
            setting.SetValue(section, value);
            return;
        }
        var before = (System.Collections.IDictionary)setting.GetValue(section)!;
        var copy = (System.Collections.IDictionary)Activator.CreateInstance(setting.PropertyType)!;
        foreach (System.Collections.DictionaryEntry pair in before) copy[pair.Key] = pair.Value;
        copy[entry] = value;
        setting.SetValue(section, copy);
    }

    private static bool IsDictionary(PropertyInfo setting) => typeof(System.Collections.IDictionary).IsAssignableFrom(setting.PropertyType);

    /// <summary>What <c>with {}</c> does, for a record known only at run time.</summary>
    private static object Clone(object record) => record.GetType().GetMethod("<Clone>$")!.Invoke(record, null)!;
}
