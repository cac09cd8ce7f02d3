namespace Streaming.Evaluation.DataSets;

/// <summary>Finding files and the small things that every reader needs.</summary>
internal static class DataFiles
{
    /// <summary>The file of that name in the folder, plain or with ".gz"; null when neither is there.</summary>
    public static string? Find(string folder, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        foreach (var candidate in (string[])[name, name + ".gz"])
        {
            var path = Path.GetFullPath(Path.Combine(folder, candidate));
            if (File.Exists(path)) return path;
        }
        return null;
    }

    /// <inheritdoc cref="Find"/>
    /// <exception cref="DataSetException">Neither is there.</exception>
    public static string Need(string folder, string name) =>
        Find(folder, name) ?? throw new DataSetException(folder, 0, $"needs {name} or {name}.gz, which is not there");

    /// <summary>Name and value pairs without the empty values.</summary>
    public static KeyValuePair<string, string>[] Pairs(params ReadOnlySpan<(string Name, string Value)> pairs)
    {
        var kept = new List<KeyValuePair<string, string>>(pairs.Length);
        foreach (var (name, value) in pairs)
            if (value.Length > 0) kept.Add(new(name, value));
        return [.. kept];
    }

    /// <summary>Indices 0..n-1 sorted by their time; rows of the same time keep the file's order.</summary>
    public static int[] OrderByTime(int count, Func<int, long> timeOf)
    {
        var times = new long[count];
        var order = new int[count];
        for (var i = 0; i < count; i++)
        {
            times[i] = timeOf(i);
            order[i] = i;
        }
        Array.Sort(order, (a, b) => times[a] != times[b] ? times[a].CompareTo(times[b]) : a.CompareTo(b));
        return order;
    }
}
