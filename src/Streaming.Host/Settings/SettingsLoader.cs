using System.Collections;
using System.Globalization;
using System.Reflection;
using Streaming.Core.Settings;

namespace Streaming.Host.Settings;

/// <summary>Settings that cannot be used; the message lists every problem with its path.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems)
    : Exception("the settings cannot be used:" + string.Concat(problems.Select(p => "\n  " + p)))
{
    public IReadOnlyList<string> Problems { get; } = problems;
}

/// <summary>
/// Reads settings from, in rising precedence: defaults, appsettings.json beside the program, <c>--settings FILE</c>, environment
/// (<c>STREAMING_Users__SessionGapMs=60000</c>, <c>KAFKA_BOOTSTRAP</c>), flags (<c>--set Users:SessionGapMs=60000</c>). A key that no
/// setting has, or a value that does not parse, stops the start and is named by its path.
/// </summary>
public static class SettingsLoader
{
    private const string EnvironmentPrefix = "STREAMING_";

    /// <summary>Environment variables with the prefix that are not settings but the launcher's or the tests' own.</summary>
    private static readonly string[] NotSettings = ["STREAMING_DATA", "STREAMING_REPROBE", "STREAMING_LOG_LEVEL"];

    /// <param name="file">An extra JSON file, or null.</param>
    /// <param name="flags">Flag settings: "Section:Key" to value.</param>
    /// <exception cref="SettingsException">Unknown key, bad value, or out of range.</exception>
    public static StreamingSettings Load(string? file = null, IEnumerable<KeyValuePair<string, string?>>? flags = null)
    {
        var configuration = Configuration(file, flags);
        var problems = new List<string>();
        var settings = (StreamingSettings)Bind(typeof(StreamingSettings), configuration, "", problems)!;
        if (problems.Count > 0) throw new SettingsException(problems);
        var invalid = settings.Validate();
        return invalid.Count == 0 ? settings : throw new SettingsException(invalid);
    }

    private static IConfigurationRoot Configuration(string? file, IEnumerable<KeyValuePair<string, string?>>? flags)
    {
        if (file is not null && !File.Exists(file)) throw new SettingsException([$"--settings: there is no file '{file}'"]);
        var builder = new ConfigurationBuilder().AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true);
        if (file is not null) builder.AddJsonFile(Path.GetFullPath(file), optional: false);
        var environment = new Dictionary<string, string?>();
        if (Environment.GetEnvironmentVariable("KAFKA_BOOTSTRAP") is { Length: > 0 } bootstrap) environment["Kafka:Bootstrap"] = bootstrap;
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.Ordinal) && !NotSettings.Contains(name))
                environment[name[EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal)] = (string?)variable.Value;
        }
        builder.AddInMemoryCollection(environment);
        if (flags is not null) builder.AddInMemoryCollection(flags);
        try
        {
            return builder.Build();
        }
        catch (InvalidDataException problem)
        {
            throw new SettingsException([$"{problem.Message} {problem.InnerException?.Message}".Trim()]);
        }
    }

    /// <summary>
    /// Binds one record by its init properties. Written out because the framework's binder reports neither every problem at once
    /// nor the path of an unknown key.
    /// </summary>
    private static object? Bind(Type type, IConfiguration section, string path, List<string> problems)
    {
        var target = Activator.CreateInstance(type)!;
        var properties = type.GetProperties().Where(p => p.CanWrite).ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        foreach (var child in section.GetChildren())
        {
            var childPath = path.Length == 0 ? child.Key : $"{path}:{child.Key}";
            if (!properties.TryGetValue(child.Key, out var property))
            {
                var near = properties.Keys.OrderBy(k => Distance(k, child.Key)).First();
                problems.Add($"{childPath}: there is no such setting; did you mean '{near}'?");
                continue;
            }
            var value = Value(property.PropertyType, property.GetValue(target), child, childPath, problems);
            if (value is not null) property.SetValue(target, value);
        }
        return target;
    }

    private static object? Value(Type type, object? current, IConfigurationSection section, string path, List<string> problems)
    {
        if (IsScalar(type)) return Scalar(type, section, path, problems);
        if (typeof(IDictionary).IsAssignableFrom(type))
        {
            var dictionary = (IDictionary)(current ?? Activator.CreateInstance(type)!);
            var valueType = type.GetGenericArguments()[1];
            foreach (var child in section.GetChildren())
            {
                var value = Value(valueType, null, child, $"{path}:{child.Key}", problems);
                if (value is not null) dictionary[child.Key] = value;
            }
            return dictionary;
        }
        if (type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type))
        {
            var element = type.GetGenericArguments()[0];
            var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
            foreach (var child in section.GetChildren())
                if (Value(element, null, child, $"{path}:{child.Key}", problems) is { } value) list.Add(value);
            return list;
        }
        return Bind(type, section, path, problems);
    }

    private static bool IsScalar(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var t && (t.IsPrimitive || t == typeof(string) || t.IsEnum || t == typeof(decimal));

    private static object? Scalar(Type type, IConfigurationSection section, string path, List<string> problems)
    {
        var text = section.Value;
        if (text is null)
        {
            problems.Add($"{path}: expected a single value, found a section");
            return null;
        }
        var wanted = Nullable.GetUnderlyingType(type) ?? type;
        try
        {
            return wanted.IsEnum ? Enum.Parse(wanted, text, ignoreCase: true) : Convert.ChangeType(text, wanted, CultureInfo.InvariantCulture);
        }
        catch (Exception problem) when (problem is FormatException or OverflowException or InvalidCastException or ArgumentException)
        {
            problems.Add($"{path}: '{text}' is not {Describe(wanted)}");
            return null;
        }
    }

    private static string Describe(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(double) || type == typeof(float) ? "a number"
        : type.IsEnum ? "one of " + string.Join(", ", Enum.GetNames(type))
        : "a whole number in range";

    /// <summary>Edit distance, for "did you mean".</summary>
    private static int Distance(string a, string b)
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
