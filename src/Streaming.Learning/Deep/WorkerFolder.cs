namespace Streaming.Learning.Deep;

/// <summary>
/// A worker's folder: checkpoints <c>state-N.bin</c>, each replaced into place whole, the journal <c>steps-N.bin</c> of what came after checkpoint N,
/// and <c>ledger.jsonl</c>.
/// </summary>
internal sealed class WorkerFolder
{
    private const int Kept = 2;

    private readonly string _path;

    public WorkerFolder(string path)
    {
        _path = path;
        Directory.CreateDirectory(path);
    }

    public string Ledger => Path.Combine(_path, "ledger.jsonl");

    /// <summary>Ids of the checkpoints in place, newest first.</summary>
    public IReadOnlyList<long> States => [.. Ids("state").OrderDescending()];

    public string State(long id) => Path.Combine(_path, $"state-{id:D12}.bin");

    public string Journal(long id) => Path.Combine(_path, $"steps-{id:D12}.bin");

    /// <summary>Ids of the journals from that of a checkpoint on, oldest first.</summary>
    public IReadOnlyList<long> JournalsFrom(long state) => [.. Ids("steps").Where(id => id >= state).Order()];

    /// <summary>Writes a checkpoint; until it is renamed into place the one before is the newest.</summary>
    public void WriteState(long id, Action<Stream> write)
    {
        var temporary = State(id) + ".next";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            write(stream);
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, State(id), overwrite: true);
    }

    /// <summary>Removes all but the newest checkpoints, and the journals that none of them needs.</summary>
    public void Prune()
    {
        var states = States;
        foreach (var old in states.Skip(Kept)) File.Delete(State(old));
        var oldest = states.Take(Kept).DefaultIfEmpty().Min();
        foreach (var journal in Ids("steps").Where(id => id < oldest).ToList()) File.Delete(Journal(journal));
    }

    private IEnumerable<long> Ids(string kind) => Directory.EnumerateFiles(_path, kind + "-*.bin")
        .Select(f => Path.GetFileNameWithoutExtension(f)[(kind.Length + 1)..]).Where(n => long.TryParse(n, out _)).Select(long.Parse);
}
