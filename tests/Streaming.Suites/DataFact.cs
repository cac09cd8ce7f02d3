using System.Runtime.CompilerServices;

namespace Streaming.Suites;

/// <summary>A fact that needs a real data set from the shared data folder; skipped, with the reason, where it is absent.</summary>
public sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute(string path)
    {
        if (SharedData.Find(path) is null) Skip = $"data set '{path}' is not here (looked for shared/data beside the repository, and STREAMING_DATA)";
    }
}

/// <summary>Where the shared data sets lie: $STREAMING_DATA, or shared/data beside the repository.</summary>
public static class SharedData
{
    /// <summary>Absolute path of a file or folder of the shared data, or null.</summary>
    public static string? Find(string relative, [CallerFilePath] string here = "")
    {
        var roots = new List<string>();
        if (Environment.GetEnvironmentVariable("STREAMING_DATA") is { Length: > 0 } set) roots.Add(set);
        for (var folder = Path.GetDirectoryName(here); folder is not null; folder = Path.GetDirectoryName(folder))
            roots.Add(Path.Combine(folder, "shared", "data"));
        foreach (var root in roots)
        {
            var path = Path.Combine(root, relative);
            if (File.Exists(path) || Directory.Exists(path)) return path;
        }
        return null;
    }
}
