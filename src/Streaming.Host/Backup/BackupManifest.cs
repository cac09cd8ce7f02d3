using System.Security.Cryptography;
using System.Text.Json;

namespace Streaming.Host.Backup;

/// <summary>One file of a backup.</summary>
/// <param name="Path">Relative, with slashes.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Of its content, hexadecimal.</param>
public sealed record BackedUpFile(string Path, long Bytes, string Sha256);

/// <summary>
/// What a backup is: written last and renamed into place, so that a folder without it is no backup. It names every file with its hash, and itself
/// has one.
/// </summary>
public sealed record BackupManifest
{
    public const int CurrentFormat = 1;
    public const string FileName = "backup.json";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public int Format { get; init; } = CurrentFormat;

    /// <summary>The build that wrote it.</summary>
    public required string Build { get; init; }

    public required long CreatedMs { get; init; }

    /// <summary>The checkpoint in it; 0 where the node had none yet and the log is all there is.</summary>
    public required long Checkpoint { get; init; }

    /// <summary>"embedded": the log is in it. "kafka": it is not, and must still hold what the checkpoint has not read.</summary>
    public required string Log { get; init; }

    public required IReadOnlyList<BackedUpFile> Files { get; init; }

    /// <summary>SHA-256 of this manifest without it.</summary>
    public string Check { get; init; } = "";

    public void Write(string folder)
    {
        var path = Path.Combine(folder, FileName);
        using (var stream = new FileStream(path + ".next", FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(stream, this with { Check = Sum(this) }, Json);
            stream.Flush(flushToDisk: true);
        }
        File.Move(path + ".next", path);
    }

    /// <exception cref="InvalidDataException">There is none, it is damaged, or from a newer build.</exception>
    public static BackupManifest Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) throw new InvalidDataException($"'{folder}' holds no whole backup: it has no {FileName}, which is written last");
        try
        {
            var bytes = File.ReadAllBytes(path);
            using (var json = JsonDocument.Parse(bytes))
                if (json.RootElement.TryGetProperty("format", out var format) && format.GetInt32() > CurrentFormat)
                    throw new InvalidDataException($"the backup in '{folder}' has format {format.GetInt32()}; this build reads up to {CurrentFormat}: use the build that wrote it, or a newer one");
            var manifest = JsonSerializer.Deserialize<BackupManifest>(bytes, Json) ?? throw new InvalidDataException($"'{path}' is empty");
            if (manifest.Check != Sum(manifest)) throw new InvalidDataException($"'{path}' is damaged: it does not have the hash that it names");
            foreach (var file in manifest.Files)
                if (Path.IsPathRooted(file.Path) || file.Path.Split('/').Contains("..")) throw new InvalidDataException($"'{path}' names '{file.Path}', which lies outside");
            return manifest;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"'{path}' is damaged: {problem.Message}", problem);
        }
    }

    private static string Sum(BackupManifest manifest) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(manifest with { Check = "" }, Json)));
}
