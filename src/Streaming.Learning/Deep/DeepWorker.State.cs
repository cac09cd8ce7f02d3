using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Learning.Deep;

/// <summary>Opening a worker, its checkpoints, and doing the journal's steps again.</summary>
public sealed partial class DeepWorker
{
    /// <summary>2 has the deleted users that are still looked for, 3 the figures of goals.</summary>
    private const byte FormatVersion = 3;

    private const int ForgottenMax = 1 << 26;

    /// <summary>Longest wait for records that the journal says are in the log.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private string Group => "trainer-" + Name;

    /// <summary>Goes on from the newest whole checkpoint in the folder and the journal behind it, or starts from the log's earliest record.</summary>
    /// <exception cref="InvalidDataException">There are checkpoints and none can be used, or the log has lost what they rest on.</exception>
    /// <exception cref="EventLogException">The log refuses.</exception>
    public static DeepWorker Open(DeepWorkerParts parts)
    {
        var folder = new WorkerFolder(parts.Folder);
        var states = folder.States;
        foreach (var id in states)
        {
            var worker = new DeepWorker(parts, folder);
            try
            {
                using (var stream = File.OpenRead(folder.State(id))) worker.Load(stream);
                worker.GoOn(id, newer: states.Where(s => s > id));
                return worker;
            }
            catch (InvalidDataException problem) when (worker._journal is null)
            {
                worker.Dispose();
                parts.Notice($"checkpoint {id} of the worker of '{parts.Name}' cannot be used ({problem.Message}); trying the one before");
            }
            catch
            {
                worker.Dispose();
                throw;
            }
        }
        if (states.Count > 0)
            throw new InvalidDataException($"none of the checkpoints in {parts.Folder} can be used; restore a backup, or remove the folder to learn '{parts.Name}' anew");
        var fresh = new DeepWorker(parts, folder);
        try
        {
            fresh.OpenReaders();
            fresh.Checkpoint();
            return fresh;
        }
        catch
        {
            fresh.Dispose();
            throw;
        }
    }

    /// <summary>Saves one consistent state, as of the last step, and lets the log's retention have what no checkpoint needs.</summary>
    public void Checkpoint()
    {
        var id = _state + 1;
        _folder.WriteState(id, stream =>
        {
            Save(stream);
            _parts.At?.Invoke("in a checkpoint, before it counts");
        });
        _parts.At?.Invoke("after a checkpoint, before its journal");
        _journal?.Dispose();
        _journal = new StepJournal(_folder.Journal(id));
        _state = id;
        _lastStateMs = NowMs;
        _folder.Prune();
        _parts.At?.Invoke("after a checkpoint");
        // Retention may drop only what the older one of the two that are kept does not need.
        if (_committable.Length > 0) Wait(_parts.Log.CommitAsync(Group, Topics.Examples, [.. _committable.Select((o, p) => new LogPosition(p, o))]));
        _committable = _examplesAt;
    }

    private void GoOn(long state, IEnumerable<long> newer)
    {
        foreach (var damaged in newer.ToList()) File.Move(_folder.State(damaged), _folder.State(damaged) + ".damaged", overwrite: true);
        OpenReaders();
        var journals = _folder.JournalsFrom(state);
        var entries = journals.SelectMany(j => StepJournal.Read(_folder.Journal(j))).ToList();
        _state = Math.Max(state, journals.DefaultIfEmpty().Max());
        _journal = new StepJournal(_folder.Journal(_state));
        _isReenacting = true;
        foreach (var entry in entries) Reenact(entry);
        _isReenacting = false;
        _committable = _examplesAt;
        _lastStateMs = NowMs;
        if (_learner.Promoted > 0) _publisher.Publish([_learner.Snapshot()], NowMs);
    }

    private void Reenact(JournalEntry entry)
    {
        var changes = ReadItems(entry.Items);
        for (var p = 0; p < _examples.Length; p++)
            while (ReadUpTo(_examples[p], entry.Examples[p], Topics.Examples)) TakeRead(p);
        if (FillBatch() != entry.Rows)
            _parts.Notice($"a batch of '{Name}' has {_batch.Count} examples and had {entry.Rows}: part of '{Topics.Examples}' is gone; learning goes on with what is left");
        Learn(entry, changes);
        Reenacted++;
    }

    /// <summary>Reads more of what lies before an offset, waiting for it where it must; false once all of it is read.</summary>
    private bool ReadUpTo(ILogReader reader, long end, string topic)
    {
        var started = _parts.Time.GetTimestamp();
        while (reader.Offset < end)
        {
            if (reader.Read(_read, 1024, end) > 0) return true;
            if (_parts.Time.GetElapsedTime(started) > Patience)
                throw new EventLogException($"'{topic}' does not come up to {end}, where the worker of '{Name}' had read it before");
            Wait(reader.WaitAsync(TimeSpan.FromMilliseconds(100)));
        }
        return false;
    }

    private void OpenReaders()
    {
        for (var p = 0; p < _examples.Length; p++) _examples[p] = Open(Topics.Examples, p, _examplesAt[p]);
        for (var p = 0; p < _items.Length; p++) _items[p] = Open(Topics.Items, p, _itemsAt[p]);
    }

    private ILogReader Open(string topic, int partition, long offset)
    {
        var range = Wait(_parts.Log.RangeAsync(topic, partition));
        if (offset > range.End)
            throw new InvalidDataException(
                $"the worker of '{Name}' has read '{topic}' {partition} up to {offset}, but the log ends at {range.End}: part of it is gone; "
                    + $"restore it, or remove {_parts.Folder} to learn anew from what is left");
        if (offset > 0 && offset < range.Earliest)
            _parts.Notice($"'{topic}' {partition} starts at {range.Earliest}: what lay between {offset} and that was removed before '{Name}' learned it");
        return _parts.Log.OpenReader(topic, partition, offset);
    }

    private void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        foreach (var offsets in (long[][])[_examplesAt, _itemsAt])
        {
            writer.Int32(offsets.Length);
            writer.Values<long>(offsets);
        }
        foreach (var value in (ReadOnlySpan<long>)[Repeats, Corrupt]) writer.Int64(value);
        _due.Save(writer);
        _repeats.Save(writer);
        CatalogCodec.Save(_catalog, writer);
        _learner.Save(writer);
        writer.Int32(_forgotten.Count);
        foreach (var user in _forgotten) writer.Int64((long)user);
        writer.Finish();
    }

    private void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, $"the checkpoint of the worker of '{Name}'");
        foreach (var offsets in (long[][])[_examplesAt, _itemsAt])
        {
            reader.Expect(offsets.Length, "partitions");
            reader.Values(offsets.AsSpan());
        }
        (Repeats, Corrupt) = (reader.Int64(), reader.Int64());
        _due.Load(reader);
        _repeats = RepeatFilter.Read(reader);
        CatalogCodec.Load(_catalog, reader);
        _learner.Load(reader, hasGoals: reader.Version >= 3);
        if (reader.Version >= 2)
            for (var left = reader.Count(ForgottenMax); left > 0; left--) _forgotten.Add((ulong)reader.Int64());
        reader.Finish();
    }
}
