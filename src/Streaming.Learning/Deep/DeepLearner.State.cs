using Streaming.Core.Wire;
using Streaming.Models.Deep;

namespace Streaming.Learning.Deep;

/// <summary>Saving a learner's state, and going on from it bit-exact where the model does.</summary>
public sealed partial class DeepLearner
{
    private const int ChunksMax = 1 << 20;

    /// <summary>As a member of a part of a checkpoint: everything, a version on trial included.</summary>
    public void Save(CheckpointWriter writer)
    {
        foreach (var count in (ReadOnlySpan<long>)[Epoch, Steps, Promoted, Examples, Rollbacks, Promotions, NotFinite, NewestMs]) writer.Int64(count);
        writer.Single(LastLoss);
        writer.Double(_excess);
        Write(writer, StateOf(Model));
        Write(writer, _goodState);
        Write(writer, WeightsCodec.All(_serving.Weights, _chunkBytesMax));
        writer.Byte(_trial is null ? (byte)0 : (byte)1);
        if (_trial is { } trial)
        {
            var head = trial.Update.Head;
            writer.Byte((byte)head.Kind);
            foreach (var value in (ReadOnlySpan<long>)[head.Base, head.Version, head.TimeMs]) writer.Int64(value);
            Write(writer, trial.Update.Chunks);
            writer.Byte((byte)trial.Due);
            Write(writer, trial.State ?? []);
            trial.Canary.Save(writer);
        }
        _metrics.Save(writer);
        GoalMetrics.Save(_goals, writer);
    }

    /// <summary>Goes on from what <see cref="Save"/> wrote; on a new learner only, which is of no use after a failure.</summary>
    /// <param name="reader">Stands where that began.</param>
    /// <param name="hasGoals">False for a checkpoint of a build without figures of goals: these then start anew.</param>
    /// <exception cref="InvalidDataException">Torn, corrupt, or of another shape.</exception>
    public void Load(CheckpointReader reader, bool hasGoals)
    {
        (Epoch, Steps, Promoted, Examples) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
        (Rollbacks, Promotions, NotFinite, NewestMs) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
        (LastLoss, _excess) = (reader.Single(), reader.Double());
        Model.Load(new MemoryStream(Bytes(reader), writable: false));
        _goodState = Bytes(reader);
        var serving = Chunks(reader);
        Restore(_serving, UpdateKind.Snapshot, serving);
        Restore(_candidate, UpdateKind.Snapshot, serving);
        _trial = reader.Byte() == 1 ? ReadTrial(reader) : null;
        _metrics = _metrics.Read(reader);
        if (hasGoals) _goals = GoalMetrics.Read(_goals, reader);
        // What has changed since the last version follows from the two: the marks themselves are not kept.
        for (var i = 0; i < Model.Weights.Tables.Count; i++)
        {
            var table = Model.Weights.Tables[i].Table;
            table.TracksChanges = true;
            table.NoteDifferences(_candidate.Weights.Tables[i].Table);
        }
    }

    /// <summary>
    /// Everything that decides how it goes on, whatever way it came here: unlike <see cref="Save"/>, in which the rows of the versions stand as deltas
    /// have brought them, two learners that will do the same write the same.
    /// </summary>
    public void WriteContent(Stream into)
    {
        var writer = new CheckpointWriter(into, version: 0);
        WriteContent(writer);
        writer.Finish();
    }

    internal void WriteContent(CheckpointWriter writer)
    {
        foreach (var count in (ReadOnlySpan<long>)[Epoch, Steps, Promoted, Examples, Rollbacks, Promotions, NotFinite, NewestMs]) writer.Int64(count);
        writer.Double(_excess);
        Write(writer, StateOf(Model));
        Write(writer, _goodState);
        WriteByKey(writer, _serving.Weights);
        writer.Byte(_trial is null ? (byte)0 : (byte)1);
        if (_trial is not null)
        {
            WriteByKey(writer, _candidate.Weights);
            _trial.Canary.Save(writer);
        }
        _metrics.Save(writer);
        GoalMetrics.Save(_goals, writer);
    }

    private static void WriteByKey(CheckpointWriter writer, DeepWeights weights)
    {
        foreach (var (_, table) in weights.Tables)
        {
            foreach (var key in table.Keys.Order())
            {
                writer.Int64((long)key);
                if (table.TryGet(key, out var row)) writer.Values(row);
            }
        }
        foreach (var dense in weights.Dense)
        {
            var values = new float[dense.Length];
            dense.CopyTo(values);
            writer.Values<float>(values);
        }
    }

    private Trial ReadTrial(CheckpointReader reader)
    {
        var kind = (UpdateKind)reader.Byte();
        var (from, version, timeMs) = (reader.Int64(), reader.Int64(), reader.Int64());
        var chunks = Chunks(reader);
        Restore(_candidate, kind, chunks);
        var due = (Due)reader.Byte();
        var state = Bytes(reader);
        var canary = new Canary(_scores, _settings);
        canary.Read(reader);
        var head = new UpdateHead(Name, kind, Epoch, from, version, timeMs, 0, 0);
        return new Trial(new ModelUpdate(head, chunks), due, state.Length == 0 ? null : state, canary);
    }

    private static void Restore(IDeepModel model, UpdateKind kind, List<byte[]> chunks)
    {
        try
        {
            WeightsCodec.Check(model.Weights, chunks);
            WeightsCodec.Apply(model.Weights, kind, chunks);
        }
        catch (FormatException problem)
        {
            throw new InvalidDataException($"weights of '{model.Name}' do not fit: {problem.Message}", problem);
        }
    }

    private static void Write(CheckpointWriter writer, byte[] bytes)
    {
        writer.Int32(bytes.Length);
        writer.Raw(bytes);
    }

    private static void Write(CheckpointWriter writer, IReadOnlyList<byte[]> chunks)
    {
        writer.Int32(chunks.Count);
        foreach (var chunk in chunks) Write(writer, chunk);
    }

    /// <summary>Grows as bytes come, so that a corrupt length cannot take all memory.</summary>
    private static byte[] Bytes(CheckpointReader reader)
    {
        var length = reader.Count(Array.MaxLength);
        var bytes = new byte[Math.Min(length, 1 << 20)];
        for (var at = 0; at < length;)
        {
            if (at == bytes.Length) Array.Resize(ref bytes, (int)Math.Min(length, bytes.Length * 2L));
            reader.Raw(bytes.AsSpan(at));
            at = bytes.Length;
        }
        return bytes;
    }

    private static List<byte[]> Chunks(CheckpointReader reader)
    {
        var chunks = new List<byte[]>();
        for (var left = reader.Count(ChunksMax); left > 0; left--) chunks.Add(Bytes(reader));
        return chunks;
    }
}
