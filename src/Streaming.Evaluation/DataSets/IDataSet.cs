using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.DataSets;

/// <summary>
/// A recorded data set as the live path would have seen it: catalogue changes, user profiles, then events. Every enumeration
/// starts from the beginning and, for the same seed, yields the same events with the same ids ("set:row") and times.
/// </summary>
public interface IDataSet
{
    /// <summary>Short and file-name safe: the prefix of every event id.</summary>
    string Name { get; }

    /// <summary>Absolute paths of the files that are read.</summary>
    IReadOnlyList<string> Files { get; }

    /// <summary>What is made up about the event times, in one sentence; null when they are the recorded ones.</summary>
    string? TimeNote { get; }

    /// <summary>Number of events that <see cref="Events"/> yields; null while it is not known without reading everything.</summary>
    long? RowCount { get; }

    /// <summary>Rows that reading has passed over because they are no events: a cut last line, blank lines.</summary>
    long SkippedRows { get; }

    /// <summary>Share of the files' bytes that the enumeration of the events now under way has read, 0 to 1; NaN where nobody counts.</summary>
    double ReadShare => double.NaN;

    /// <summary>The catalogue, to be applied before the first event; empty where the set has none.</summary>
    /// <exception cref="DataSetException">A file is missing or a row is malformed.</exception>
    IEnumerable<ItemChange> Items();

    /// <summary>User profiles as <see cref="EventKind.UserUpsert"/>, to be applied before the first event; empty where there are none.</summary>
    /// <exception cref="DataSetException">A file is missing or a row is malformed.</exception>
    IEnumerable<UserEvent> Profiles();

    /// <summary>The events in stream order. <paramref name="seed"/> matters only where the set does not fix the order.</summary>
    /// <exception cref="DataSetException">A file is missing or a row is malformed.</exception>
    IEnumerable<UserEvent> Events(long seed);
}

/// <summary>A set whose records go to the live path as the bytes they are, malformed ones included.</summary>
public interface IRawDataSet : IDataSet
{
    /// <summary>The lines, unparsed, in file order. Each memory stays valid.</summary>
    IEnumerable<ReadOnlyMemory<byte>> Lines();
}

/// <summary>A data set that cannot be read. The message names the file, the line where there is one, and the reason.</summary>
public sealed class DataSetException : Exception
{
    public DataSetException(string file, long line, string reason, Exception? inner = null)
        : base(line > 0 ? $"{file}:{line}: {reason}" : $"{file}: {reason}", inner)
    {
        File = file;
        Line = line;
    }

    public string File { get; }

    /// <summary>One-based; 0 when the failure is not about one line.</summary>
    public long Line { get; }
}

/// <summary>How to read what a file alone does not say.</summary>
public sealed record DataSetOptions
{
    /// <summary>
    /// Generic CSV and JSON lines: role to column, where a role is one of <see cref="DeclaredEvents.Roles"/> and a column is a header
    /// name or, in a file without a header, "#n" with n from 1; in JSON lines a member, "user.id" for one inside another. Required:
    /// user, item, time. Without any, a file FILE.columns beside the data declares them.
    /// </summary>
    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();

    /// <summary>Generic CSV: separator; null means tab for .tsv and comma otherwise.</summary>
    public char? Separator { get; init; }

    /// <summary>Milliseconds between made-up event times, where a set has only an order.</summary>
    public long SyntheticStepMs { get; init; } = 1000;

    /// <summary>Our own event lines: a file with the catalogue, items in wire form, one a line; null for none.</summary>
    public string? ItemsFile { get; init; }

    /// <summary>Folder for the unpacked copy of an archive whose members are not in stream order; null means the system's.</summary>
    public string? TempFolder { get; init; }

    /// <summary>Parses "user=userId,item=movieId,time=timestamp"; line ends separate as commas do.</summary>
    /// <exception cref="FormatException">A part is not role=column.</exception>
    public static IReadOnlyDictionary<string, string> ParseColumns(string text)
    {
        var columns = new Dictionary<string, string>();
        foreach (var part in text.Split([',', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=');
            if (equals <= 0 || equals == part.Length - 1)
                throw new FormatException($"'{part}' is not role=column; roles are {string.Join(", ", DeclaredEvents.Roles)}");
            columns[part[..equals].Trim()] = part[(equals + 1)..].Trim();
        }
        return columns;
    }
}
