using System.Security.Cryptography;
using System.Text.Json;
using Streaming.Core.Ports;

namespace Streaming.Node;

/// <summary>
/// One consistent state of a whole node: stores, learners, and the input positions that produced them. It counts once its
/// manifest is in place, which is one rename.
/// </summary>
public sealed record CheckpointManifest
{
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;
    public required long Id { get; init; }
    public required long CreatedMs { get; init; }
    public required string UsersToken { get; init; }
    public required string FeedsToken { get; init; }

    /// <summary>Next offset to read, per partition.</summary>
    public required long[] Events { get; init; }

    public required long[] Items { get; init; }

    /// <summary>How far a replay has come; null outside one.</summary>
    public ReplayProgress? Replay { get; init; }

    /// <summary>Where a node that shares the shards goes on in the other topics; null for one that has them all.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public Sharing.SharedPositions? Shared { get; init; }

    public required CheckpointPart[] Parts { get; init; }

    /// <summary>SHA-256 of the manifest without this: tells a damaged one, which may still be sound JSON.</summary>
    public string Check { get; init; } = "";
}

/// <summary>Which source a replay reads, how many of its records are in the state, and whether its last windows have ended too.</summary>
public sealed record ReplayProgress(string Fingerprint, long Records, bool IsFinished = false);

/// <summary>One learner's file; the hash tells a torn one from a whole one.</summary>
public sealed record CheckpointPart(string Name, string File, long Bytes, string Sha256);

/// <summary>Writes, finds, verifies and removes checkpoints in one folder.</summary>
public sealed class Checkpoints
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };
    private readonly string _folder;
    private readonly int _kept;
    private readonly Action<NodeNotice> _notice;
    private readonly IFiles _files;

    /// <param name="folder">Created where missing.</param>
    /// <param name="kept">Checkpoints that <see cref="Prune"/> leaves.</param>
    /// <param name="notice">Told of what is passed over.</param>
    /// <param name="files">Null for the file system of the machine.</param>
    public Checkpoints(string folder, int kept, Action<NodeNotice> notice, IFiles? files = null)
    {
        _folder = folder;
        _kept = kept;
        _notice = notice;
        _files = files ?? DiskFiles.Instance;
        _files.CreateFolder(folder);
    }

    /// <summary>Writes the parts and then the manifest. Until the manifest stands, the previous checkpoint is the newest.</summary>
    /// <exception cref="IOException">Disk full or not writable; nothing that counted before is lost.</exception>
    public void Write(CheckpointManifest draft, IReadOnlyList<ICheckpointed> parts)
    {
        var folder = FolderOf(draft.Id);
        if (Ids().Contains(draft.Id)) Remove(draft.Id);
        _files.CreateFolder(folder);
        var written = new List<CheckpointPart>();
        foreach (var part in parts)
        {
            var file = part.Name + ".bin";
            var path = Path.Combine(folder, file);
            _files.Write(path, part.Save);
            var (bytes, hash) = Sum(path) ?? throw new IOException($"'{path}' is not there although it was written");
            written.Add(new CheckpointPart(part.Name, file, bytes, hash));
        }
        var manifest = Checked(draft with { Parts = [.. written] });
        var temporary = Path.Combine(folder, "manifest.tmp");
        _files.Write(temporary, stream => JsonSerializer.Serialize(stream, manifest, Json));
        _files.Move(temporary, ManifestOf(draft.Id));
    }

    /// <summary>Whether any checkpoint was ever completed here, whatever became of it.</summary>
    public bool Any => Ids().Any(HasManifest);

    /// <summary>The largest id in use, 0 for none.</summary>
    public long LastId => Ids().DefaultIfEmpty().Max();

    /// <summary>
    /// Removes what is newer than a checkpoint that a node goes on from: the stores give their tokens out again, so a newer
    /// manifest would name what it does not mean.
    /// </summary>
    public void RemoveAfter(long id)
    {
        foreach (var newer in Ids().Where(other => other > id).ToList()) Remove(newer);
    }

    /// <summary>Readable manifests in place, newest first, their parts whole or not.</summary>
    public IReadOnlyList<CheckpointManifest> List()
    {
        var found = new List<CheckpointManifest>();
        foreach (var id in Ids().OrderDescending())
        {
            using var stream = _files.Open(ManifestOf(id));
            if (stream is null) continue;
            try
            {
                var manifest = JsonSerializer.Deserialize<CheckpointManifest>(stream) ?? throw new InvalidDataException("it is empty");
                if (manifest.Version > CheckpointManifest.CurrentVersion)
                    throw new InvalidDataException($"it has version {manifest.Version}; this build reads up to {CheckpointManifest.CurrentVersion}");
                if (manifest.Check != Checked(manifest).Check) throw new InvalidDataException("it is damaged");
                found.Add(manifest);
            }
            catch (Exception problem) when (problem is JsonException or InvalidDataException)
            {
                _notice(new NodeNotice(NoticeLevel.Warning, $"checkpoint {id} has an unreadable manifest and is passed over: {problem.Message}"));
            }
        }
        return found;
    }

    /// <summary>Checks that every part is there and whole.</summary>
    /// <exception cref="InvalidDataException">Naming the part.</exception>
    public void Verify(CheckpointManifest manifest)
    {
        foreach (var part in manifest.Parts)
        {
            var path = Path.Combine(FolderOf(manifest.Id), part.File);
            if (Sum(path) is not { } sum) throw new InvalidDataException($"part '{part.Name}' is missing");
            if (sum != (part.Bytes, part.Sha256))
                throw new InvalidDataException($"part '{part.Name}' is torn or changed");
        }
    }

    /// <summary>Loads the verified parts.</summary>
    public void Load(CheckpointManifest manifest, IReadOnlyList<ICheckpointed> parts)
    {
        foreach (var part in parts)
        {
            var stored = manifest.Parts.FirstOrDefault(p => p.Name == part.Name);
            if (stored is null && part.IsOptional) continue;
            if (stored is null) throw new InvalidDataException($"part '{part.Name}' is not in checkpoint {manifest.Id}");
            using var stream = _files.Open(Path.Combine(FolderOf(manifest.Id), stored.File))
                ?? throw new InvalidDataException($"part '{part.Name}' is missing");
            part.Load(stream);
        }
    }

    /// <summary>Removes all but the newest ones; returns the manifests that stay.</summary>
    public IReadOnlyList<CheckpointManifest> Prune()
    {
        var all = List();
        var keep = all.Take(_kept).ToList();
        var keepIds = keep.Select(m => m.Id).ToHashSet();
        foreach (var id in Ids().Where(id => !keepIds.Contains(id)).ToList()) Remove(id);
        return keep;
    }

    private static CheckpointManifest Checked(CheckpointManifest manifest) => manifest with
    {
        Check = Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(manifest with { Check = "" }, Json))),
    };

    private IEnumerable<long> Ids() => _files.FoldersIn(_folder).Where(n => long.TryParse(n, out _)).Select(long.Parse);

    private string FolderOf(long id) => Path.Combine(_folder, id.ToString("D12"));

    private string ManifestOf(long id) => Path.Combine(FolderOf(id), "manifest.json");

    /// <summary>The manifest goes first: a crash in the middle must not leave one that promises parts which are gone.</summary>
    private void Remove(long id)
    {
        if (HasManifest(id)) _files.Move(ManifestOf(id), Path.Combine(FolderOf(id), "manifest.removed"));
        _files.DeleteFolder(FolderOf(id));
    }

    private bool HasManifest(long id)
    {
        using var stream = _files.Open(ManifestOf(id));
        return stream is not null;
    }

    private (long Bytes, string Sha256)? Sum(string path)
    {
        using var stream = _files.Open(path);
        return stream is null ? null : (stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }
}
