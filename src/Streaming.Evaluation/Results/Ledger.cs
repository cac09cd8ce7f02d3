using System.Text;

namespace Streaming.Evaluation.Results;

/// <summary>
/// The results that stand: one row per data set, protocol and model, kept as JSON lines sorted by that key, so that two branches
/// that measured different things merge line by line. Immutable.
/// </summary>
public sealed class Ledger
{
    /// <summary>Where a checkout keeps it, relative to the root.</summary>
    public const string PlaceInCheckout = "tests/ledger.jsonl";

    private readonly LedgerRow[] _rows;

    private Ledger(IEnumerable<LedgerRow> rows) => _rows =
    [
        .. rows.OrderBy(r => r.Data, StringComparer.Ordinal).ThenBy(r => r.Protocol, StringComparer.Ordinal).ThenBy(r => r.Model, StringComparer.Ordinal),
    ];

    public static Ledger Empty { get; } = new([]);

    /// <summary>Sorted by data set, protocol and model.</summary>
    public IReadOnlyList<LedgerRow> Rows => _rows;

    /// <summary>The ledger with this row in place of an older one of the same key.</summary>
    public Ledger With(LedgerRow row) => new(_rows.Where(r => r.Key != row.Key).Append(row));

    /// <summary>Reads a file; one that is not there is an empty ledger.</summary>
    /// <exception cref="InvalidDataException">A line is no row, or two have the same key; the message names file and line.</exception>
    public static Ledger Load(string path) => File.Exists(path) ? Parse(File.ReadAllLines(path), path) : Empty;

    /// <param name="lines">One row each; blank lines are passed over.</param>
    /// <param name="name">Stands before the line number in errors.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static Ledger Parse(IEnumerable<string> lines, string name)
    {
        var rows = new Dictionary<(string, string, string), (LedgerRow Row, int Line)>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                var row = LedgerRow.Parse(line);
                if (!rows.TryAdd(row.Key, (row, number)))
                    throw new FormatException($"{row.Data}, {row.Protocol}, {row.Model} already stands in line {rows[row.Key].Line}; keep one of them");
            }
            catch (FormatException e)
            {
                throw new InvalidDataException($"{name}:{number}: {e.Message}", e);
            }
        }
        return new Ledger(rows.Values.Select(r => r.Row));
    }

    /// <summary>The file's whole text.</summary>
    public override string ToString() => string.Concat(_rows.Select(r => r.ToJson() + "\n"));

    /// <summary>Writes the file whole: beside it first, then renamed into place, so that a run that is cut leaves the old one.</summary>
    public void Save(string path)
    {
        var beside = path + ".new";
        File.WriteAllText(beside, ToString(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        File.Move(beside, path, overwrite: true);
    }
}
