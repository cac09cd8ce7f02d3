using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Streaming.Learning.Deep;

/// <summary>A verdict on one version of a model.</summary>
/// <param name="Epoch">See <see cref="UpdateHead.Epoch"/>.</param>
/// <param name="Step">Mini-batches learned when it was given: grows, and with the epoch names the verdict.</param>
/// <param name="TimeMs">When, Unix ms.</param>
/// <param name="Version">The version judged.</param>
/// <param name="Base">The version that served.</param>
/// <param name="Verdict"><see cref="Promoted"/> or <see cref="RolledBack"/>.</param>
/// <param name="Reason">Why, for the person who looks.</param>
/// <param name="Examples">On how many examples both were scored.</param>
/// <param name="Candidate">How the version did; null where it was not scored.</param>
/// <param name="Serving">How the one that served did on the same examples.</param>
public sealed record LedgerEntry(
    string Model, long Epoch, long Step, long TimeMs, long Version, long Base, string Verdict, string Reason, int Examples,
    CanaryFigures? Candidate, CanaryFigures? Serving)
{
    public const string Promoted = "promoted";
    public const string RolledBack = "rolled_back";
}

/// <summary>
/// The verdicts of one model's canary as JSON lines, newest last. A verdict that a worker reaches again after a crash stands there once. Written by
/// one thread, read by any.
/// </summary>
public sealed class PromotionLedger
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly string? _path;
    private readonly int _shownMax;
    private readonly Queue<LedgerEntry> _last = new();
    private readonly Lock _gate = new();
    private (long Epoch, long Step) _newest = (long.MinValue, -1);

    /// <param name="path">The file, created when absent; null to keep the last entries only.</param>
    /// <param name="shownMax">Entries kept in memory.</param>
    public PromotionLedger(string? path, int shownMax)
    {
        (_path, _shownMax) = (path, shownMax);
        if (path is null) return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        if (!File.Exists(path)) return;
        EndLastLine(path);
        foreach (var line in File.ReadLines(path))
        {
            try
            {
                if (JsonSerializer.Deserialize<LedgerEntry>(line, Json) is { } entry) Remember(entry);
            }
            catch (JsonException)
            {
                // A line cut short by a crash; the worker reaches that verdict again.
            }
        }
    }

    /// <summary>The last entries, oldest first.</summary>
    public IReadOnlyList<LedgerEntry> Last
    {
        get
        {
            lock (_gate) return [.. _last];
        }
    }

    /// <summary>Adds a verdict, unless it stands there already.</summary>
    public void Add(LedgerEntry entry)
    {
        if ((entry.Epoch, entry.Step).CompareTo(_newest) <= 0) return;
        if (_path is not null) File.AppendAllText(_path, JsonSerializer.Serialize(entry, Json) + "\n", new UTF8Encoding(false));
        Remember(entry);
    }

    private void Remember(LedgerEntry entry)
    {
        lock (_gate)
        {
            _newest = (entry.Epoch, entry.Step);
            _last.Enqueue(entry);
            while (_last.Count > _shownMax) _last.Dequeue();
        }
    }

    /// <summary>A crash may have left half a line, which the next must not be glued to.</summary>
    private static void EndLastLine(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        if (file.Length == 0) return;
        file.Seek(-1, SeekOrigin.End);
        if (file.ReadByte() != '\n') file.WriteByte((byte)'\n');
    }
}
