namespace Streaming.Evaluation.DataSets;

/// <summary>Recognises a data set by its files' names and first lines.</summary>
public static class DataSets
{
    private const string Supported =
        "supported: a MovieLens 100k or 1M folder, RankLens events.jsonl, Globo clicks.tar.zst or its hourly CSVs, Taobao UserBehavior.csv, "
        + "Criteo, Avazu and Taobao ads samples, an Open Bandit folder or log, our events as .jsonl, any .csv, .tsv or .jsonl with declared columns; "
        + "all of them also gzipped";

    /// <summary>Opens a file or folder.</summary>
    /// <exception cref="DataSetException">Nothing is there, or it is none of the supported sets; the message lists them.</exception>
    public static IDataSet Open(string path, DataSetOptions? options = null)
    {
        options ??= new DataSetOptions();
        if (Directory.Exists(path)) return OpenFolder(path, options);
        if (!File.Exists(path)) throw new DataSetException(path, 0, "there is no such file or folder");
        return OpenFile(path, Declared(path, options));
    }

    /// <summary>The columns that a file beside the data declares, where the caller names none.</summary>
    private static DataSetOptions Declared(string file, DataSetOptions options)
    {
        var declaration = file + ".columns";
        if (options.Columns.Count > 0 || !File.Exists(declaration)) return options;
        try
        {
            return options with { Columns = DataSetOptions.ParseColumns(File.ReadAllText(declaration)) };
        }
        catch (FormatException e)
        {
            throw new DataSetException(declaration, 0, e.Message, e);
        }
    }

    private static IDataSet OpenFolder(string folder, DataSetOptions options)
    {
        if (DataFiles.Find(folder, "u.data") is not null) return new MovieLens100k(folder);
        if (DataFiles.Find(folder, "ratings.dat", "ml1m_chronological.txt") is not null
            || (DataFiles.Find(folder, "movies.dat") is not null && MovieLens1M.FindChronological(folder) is not null))
            return new MovieLens1M(folder, options.SyntheticStepMs);
        if (Globo.LooksLikeFolder(folder)) return new Globo(folder, options.TempFolder);
        if (OpenBandit.FindLogs(folder).Count > 0) return new OpenBandit(folder);
        return OpenOnlyFile(folder, options);
    }

    /// <summary>A folder that holds exactly one recognisable data file stands for that file.</summary>
    private static IDataSet OpenOnlyFile(string folder, DataSetOptions options)
    {
        var found = new List<IDataSet>();
        foreach (var file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
            if (Recognise(file, Declared(file, options)) is { } set) found.Add(set);
        if (found is [var only]) return only;
        var inside = Directory.EnumerateFileSystemEntries(folder).Select(e => Path.GetFileName(e)!).Order(StringComparer.Ordinal).Take(20);
        throw new DataSetException(folder, 0, found.Count > 1
            ? $"holds several data sets, name one: {string.Join(", ", found.Select(s => Path.GetFileName(s.Files[0])))}"
            : $"is not a data set that is known here (it holds {string.Join(", ", inside)}); {Supported}");
    }

    private static IDataSet OpenFile(string file, DataSetOptions options)
    {
        if (Recognise(file, options) is { } set) return set;
        throw new DataSetException(file, 0, HasExtension(file, ".csv", ".tsv", ".txt")
            ? $"is a table of unknown columns; say which is which, for example user=#1,item=#2,time=#3 ({string.Join(", ", DeclaredEvents.Roles)}), "
                + $"with --columns or in a file {Path.GetFileName(file)}.columns"
            : $"is not a data set that is known here; {Supported}");
    }

    private static IDataSet? Recognise(string file, DataSetOptions options)
    {
        var name = Path.GetFileName(file);
        if (options.Columns.Count > 0 && HasExtension(file, ".csv", ".tsv", ".txt", ".dat", ".data")) return new CsvEvents(file, options);
        if (options.Columns.Count > 0 && HasExtension(file, ".jsonl", ".ndjson")) return new JsonEvents(file, options);
        if (name.Contains(".tar", StringComparison.OrdinalIgnoreCase)) return new Globo(file, options.TempFolder);
        if (name.StartsWith("u.data", StringComparison.Ordinal)) return new MovieLens100k(Path.GetDirectoryName(Path.GetFullPath(file))!);
        if (name.StartsWith("ml1m_chronological", StringComparison.Ordinal) || name is "ratings.dat" or "ratings.dat.gz")
            return new MovieLens1M(Path.GetDirectoryName(Path.GetFullPath(file))!, options.SyntheticStepMs);
        var first = FirstLine(file);
        if (RankLens.Looks(first)) return new RankLens(file);
        if (Globo.Looks(first)) return new Globo(file, options.TempFolder);
        if (OpenBandit.Looks(first)) return new OpenBandit(file);
        if (Avazu.Looks(first)) return new Avazu(file);
        if (TaobaoAds.Looks(first)) return new TaobaoAds(file);
        if (TaobaoBehavior.Looks(first)) return new TaobaoBehavior(file);
        if (Criteo.Looks(first)) return new Criteo(file, options.SyntheticStepMs);
        return HasExtension(file, ".jsonl", ".ndjson") ? new JsonLines(file, options.ItemsFile) : null;
    }

    private static ReadOnlySpan<byte> FirstLine(string file)
    {
        using var lines = LineReader.Open(file);
        try
        {
            return lines.Next() ? lines.Line.ToArray() : [];
        }
        catch (DataSetException)
        {
            // Not text, or not whole: the caller says what is supported.
            return [];
        }
    }

    private static bool HasExtension(string file, params ReadOnlySpan<string> extensions)
    {
        var name = file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? file[..^3] : file;
        foreach (var extension in extensions)
            if (name.EndsWith(extension, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}
