using System.Collections;
using System.Globalization;
using System.Reflection;
using Streaming.Core;
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

    /// <summary>Environment variables with the prefix that are not settings but the launcher's, the tensor library's or the tests' own.</summary>
    private static readonly string[] NotSettings = ["STREAMING_DATA", "STREAMING_INSTALL", "STREAMING_REPROBE", "STREAMING_TEST_DEVICE", "STREAMING_LOG_LEVEL", "STREAMING_API_KEYS", "STREAMING_TLS_PASSWORD", "STREAMING_TORCH"];

    /// <param name="file">An extra JSON file, or null.</param>
    /// <param name="flags">Flag settings: "Section:Key" to value.</param>
    /// <param name="environment">Environment variables; null for the process's own.</param>
    /// <exception cref="SettingsException">Unknown keys, bad values, values out of range: all of them at once.</exception>
    public static StreamingSettings Load(
        string? file = null, IEnumerable<KeyValuePair<string, string?>>? flags = null, IDictionary? environment = null)
    {
        var configuration = Configuration(file, flags, environment ?? Environment.GetEnvironmentVariables());
        var problems = new List<string>();
        var settings = (StreamingSettings)Bind(typeof(StreamingSettings), configuration, "", problems)!;
        problems.AddRange(settings.Validate());
        return problems.Count == 0 ? settings.Resolved() : throw new SettingsException(problems);
    }

    /// <summary>Keys of all settings, as "Section:Key"; of dictionaries and lists their own key only.</summary>
    public static IReadOnlyList<string> Keys { get; } = [.. KeysOf(typeof(StreamingSettings), "").Order(StringComparer.Ordinal)];

    private static IEnumerable<string> KeysOf(Type type, string path) => type.GetProperties().Where(p => p.CanWrite).SelectMany(p =>
        IsScalar(p.PropertyType) || typeof(IEnumerable).IsAssignableFrom(p.PropertyType) ? [path + p.Name] : KeysOf(p.PropertyType, $"{path}{p.Name}:"));

    private static IConfigurationRoot Configuration(string? file, IEnumerable<KeyValuePair<string, string?>>? flags, IDictionary environment)
    {
        var builder = new ConfigurationBuilder();
        var beside = Path.Combine(AppContext.BaseDirectory, "appsettings.json");
        if (File.Exists(beside)) builder.AddInMemoryCollection(Read(beside));
        if (file is not null)
        {
            if (!File.Exists(file)) throw new SettingsException([$"--settings: there is no file '{file}'"]);
            builder.AddInMemoryCollection(Read(file));
        }
        var variables = new Dictionary<string, string?>();
        if (environment["KAFKA_BOOTSTRAP"] is string { Length: > 0 } bootstrap) variables["Kafka:Bootstrap"] = bootstrap;
        foreach (DictionaryEntry variable in environment)
        {
            var name = (string)variable.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.Ordinal) && !NotSettings.Contains(name))
                variables[name[EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal)] = (string?)variable.Value;
        }
        builder.AddInMemoryCollection(variables);
        if (flags is not null) builder.AddInMemoryCollection(flags);
        return builder.Build();
    }

    /// <summary>One JSON file, flat. Read by its stream, as the framework's file provider does not see files whose name starts with a dot.</summary>
    private static IEnumerable<KeyValuePair<string, string?>> Read(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            return [.. new ConfigurationBuilder().AddJsonStream(stream).Build().AsEnumerable()];
        }
        catch (Exception problem) when (problem is FormatException or InvalidDataException or System.Text.Json.JsonException)
        {
            throw new SettingsException([$"{file}: it is not valid JSON: {problem.InnerException?.Message ?? problem.Message}"]);
        }
    }

    /// <summary>
    /// Binds one record by its init properties. Written out because the framework's binder reports neither every problem at once
    /// nor the path of an unknown key.
    /// </summary>
    private static object? Bind(Type type, IConfiguration section, string path, List<string> problems)
    {
        var target = Activator.CreateInstance(type)!;
        if (section is IConfigurationSection { Value.Length: > 0 } single) problems.Add($"{path}: expected a section, found '{single.Value}'");
        var properties = type.GetProperties().Where(p => p.CanWrite).ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        foreach (var child in section.GetChildren())
        {
            var childPath = path.Length == 0 ? child.Key : $"{path}:{child.Key}";
            if (!properties.TryGetValue(child.Key, out var property))
            {
                var near = properties.Keys.MinBy(k => NearestName.Distance(k, child.Key));
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
        if (typeof(IDictionary).IsAssignableFrom(type)) return Entries((IDictionary)(current ?? Activator.CreateInstance(type)!), section, path, problems);
        return typeof(IEnumerable).IsAssignableFrom(type) ? Elements(type, section, path, problems) : Bind(type, section, path, problems);
    }

    /// <summary>A dictionary: what is named is replaced or added, the rest keeps its default.</summary>
    private static IDictionary Entries(IDictionary dictionary, IConfigurationSection section, string path, List<string> problems)
    {
        if (section.Value is { Length: > 0 } single) problems.Add($"{path}: expected a section, found '{single}'");
        var valueType = dictionary.GetType().GetGenericArguments()[1];
        foreach (var child in section.GetChildren())
        {
            var value = Value(valueType, null, child, $"{path}:{child.Key}", problems);
            if (value is not null) dictionary[child.Key] = value;
        }
        return dictionary;
    }

    /// <summary>A list replaces the default one whole.</summary>
    private static Array Elements(Type type, IConfigurationSection section, string path, List<string> problems)
    {
        if (section.Value is { Length: > 0 } single) problems.Add($"{path}: expected a list, found '{single}'; name its elements, as {path}:0");
        var element = type.IsArray ? type.GetElementType()! : type.GetGenericArguments()[0];
        var values = section.GetChildren().Select(child => Value(element, null, child, $"{path}:{child.Key}", problems)).Where(v => v is not null).ToArray();
        var list = Array.CreateInstance(element, values.Length);
        values.CopyTo(list, 0);
        return list;
    }

    private static bool IsScalar(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var t && (t.IsPrimitive || t == typeof(string) || t.IsEnum || t == typeof(decimal));

    private static object? Scalar(Type type, IConfigurationSection section, string path, List<string> problems)
    {
        var text = section.Value;
        var wanted = Nullable.GetUnderlyingType(type) ?? type;
        if (text is null)
        {
            // A null in a file: what may be absent is, and keeps its default.
            var isNull = !section.GetChildren().Any();
            if (!isNull || wanted == type) problems.Add($"{path}: expected a single value, found {(isNull ? "null" : "a section")}");
            return null;
        }
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
}
