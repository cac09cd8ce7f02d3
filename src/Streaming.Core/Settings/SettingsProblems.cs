using System.Numerics;

namespace Streaming.Core.Settings;

/// <summary>Collects what is wrong with the settings, each with the path of the key, so that a failed start prints all of it at once.</summary>
public sealed class SettingsProblems
{
    private readonly List<string> _list = [];

    public IReadOnlyList<string> List => _list;

    public void Add(string path, string problem) => _list.Add($"{path}: {problem}");

    /// <summary>False, with the problem noted, where the value is out of range: rules that relate it to others then say nothing.</summary>
    public bool InRange<T>(string path, T value, T min, T max) where T : INumber<T>
    {
        if (!T.IsNaN(value) && value >= min && value <= max) return true;
        Add(path, $"is {value}; allowed is {min} to {max}");
        return false;
    }

    public void NotEmpty(string path, string? value)
    {
        if (string.IsNullOrWhiteSpace(value)) Add(path, "must not be empty");
    }
}
