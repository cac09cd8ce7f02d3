using Streaming.Core;

namespace Streaming.Evaluation.DataSets;

/// <summary>A data set that is there.</summary>
/// <param name="Name">Its short name, or that of its file or folder: stands in the results.</param>
/// <param name="Path">Its file or folder.</param>
public sealed record DataPlace(string Name, string Path);

/// <summary>
/// Where data sets lie, and what a short name means: the one place that every verb asks. A path that is there is taken as it is;
/// else a known set's name ("ml-1m"), perhaps with a part of it ("open-bandit/bts"), is looked for under the roots.
/// </summary>
public sealed class DataRoots
{
    /// <summary>Environment variable with the folder that holds the sets.</summary>
    public const string Variable = "STREAMING_DATA";

    private readonly string[] _roots;

    /// <param name="roots">Folders in which to look, first found counts.</param>
    public DataRoots(params IEnumerable<string> roots) => _roots = [.. roots.Select(Path.GetFullPath).Distinct()];

    /// <summary>
    /// The folder that was named, else $STREAMING_DATA, else <c>data</c> here and <c>data</c> and <c>shared/data</c> in this folder, the
    /// program's and those above them.
    /// </summary>
    /// <exception cref="DataSetException">The folder that was named is not there.</exception>
    public static DataRoots Default(string? named)
    {
        if (named is not null) return Directory.Exists(named) ? new DataRoots(named) : throw new DataSetException(named, 0, "the data root is not there");
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set) return new DataRoots(set);
        return new DataRoots(Above(Environment.CurrentDirectory).Concat(Above(AppContext.BaseDirectory))
            .SelectMany(f => (string[])[Path.Combine(f, "data"), Path.Combine(f, "shared", "data")]));
    }

    /// <summary>The folder and those above it, from the nearest.</summary>
    private static IEnumerable<string> Above(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent) yield return at.FullName;
    }

    /// <summary>Where a known set lies; null when it is under no root.</summary>
    public string? Find(KnownSet set) =>
        _roots.SelectMany(root => set.Places.Select(place => Path.Combine(root, place))).FirstOrDefault(p => File.Exists(p) || Directory.Exists(p));

    /// <param name="text">A path, a known set's name, or a name with a part of the set after a slash.</param>
    /// <exception cref="DataSetException">Nothing is there; for a known set the message says where it is to be had.</exception>
    public DataPlace Locate(string text)
    {
        if (File.Exists(text) || Directory.Exists(text)) return new DataPlace(NameOf(text), Path.GetFullPath(text));
        var parts = text.TrimEnd('/').Split('/', 2);
        if (KnownSets.Find(parts[0]) is { } set) return Locate(set, parts is [_, var part] ? part : null, text);
        var last = Path.GetFileName(text.TrimEnd('/'));
        var hint = KnownSets.Find(last) is { } meant ? GetItFrom(meant)
            : NearestName.Of(last, KnownSets.All.Select(s => s.Name)) is { } near ? $"; did you mean the set '{near}'?" : "";
        throw new DataSetException(text, 0, $"there is no such file or folder{hint} (./run data lists the sets that have a name)");
    }

    private DataPlace Locate(KnownSet set, string? part, string text)
    {
        if (Find(set) is not { } place) throw new DataSetException(text, 0, "the set is not here" + GetItFrom(set));
        if (part is null) return new DataPlace(set.Name, place);
        if (Path.Combine(place, part) is var inside && (File.Exists(inside) || Directory.Exists(inside))) return new DataPlace($"{set.Name}/{part}", inside);
        throw new DataSetException(text, 0, $"there is no '{part}' in {place}");
    }

    private string GetItFrom(KnownSet set)
    {
        var root = _roots is [var only] ? only : "data";
        return $": {set.Title}. Get it from {set.Url} and put it to {Path.Combine(root, set.Places[0])}, or give its path. {set.Terms}";
    }

    /// <summary>A known set's name where the path is its place, else the file's or folder's own name without extensions.</summary>
    private string NameOf(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (KnownSets.All.FirstOrDefault(s => Find(s) == full) is { } set) return set.Name;
        var name = Path.GetFileName(full);
        // An ml-100k folder anywhere is that set; of a file the extensions go, all of them.
        return Directory.Exists(full) ? name : name.Split('.') is [{ Length: > 0 } first, ..] ? first : name;
    }
}
