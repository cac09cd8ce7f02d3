using Streaming.Core.Examples;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Features;
using Streaming.Learning.Metrics;

namespace Streaming.Learning.Deep;

/// <summary>
/// Learns a deep model within the rounds of a replay, where a worker learns it beside them: in the order in which the live ranker learns, mini-batches
/// cut by size alone, everything else that a worker does by the clock done by event time, and a version that has passed the canary in force at
/// once. So it is a function of the stream, as the rounds are. It is a part of the node's checkpoint. One thread, while nobody serves.
/// </summary>
public sealed class RoundLearner : IStreamLearner, IDisposable
{
    /// <summary>2 has the figures of goals.</summary>
    private const byte FormatVersion = 2;

    /// <summary>One epoch: a replay starts once.</summary>
    private const long Epoch = 1;

    private readonly StreamingSettings _settings;
    private readonly ModelReplica _replica;
    private readonly DeepLearner _learner;
    private readonly DueClock _due;
    private readonly LearningBatch _batch;

    /// <summary>What waits for a batch, at most <c>Deep:BatchSizeMax</c> less one.</summary>
    private readonly List<Example> _waiting = [];

    /// <param name="create">Makes the model; every call gives an equal one.</param>
    /// <param name="scores">What its predictions are.</param>
    /// <param name="settings">Resolved.</param>
    /// <param name="replica">What serves; nobody else moves it.</param>
    public RoundLearner(Func<Models.Deep.IDeepModel> create, DeepScores scores, StreamingSettings settings, ModelReplica replica)
    {
        (_settings, _replica) = (settings, replica);
        _learner = new DeepLearner(create, scores, settings.Deep, settings.Learning, Epoch, settings.Log.RecordBytesMax);
        _due = new DueClock(settings.Deep);
        _batch = new LearningBatch(settings.Users.ExampleHistoryMax, DenseInputs.Hashes(settings));
        Ledger = new PromotionLedger(null, settings.Deep.LedgerShownMax);
    }

    /// <summary>The part's name: "deep-MODEL".</summary>
    public string Name => "deep-" + _learner.Name;

    public DeepLearner Learner => _learner;

    /// <summary>The canary's last verdicts of this run.</summary>
    public PromotionLedger Ledger { get; }

    /// <summary>Prequential figures of all that was learned.</summary>
    public PrequentialFigures Figures() => _learner.Figures();

    public void OnExample(Example example)
    {
        if (!_learner.Model.Learns(example)) return;
        _waiting.Add(example);
        if (_waiting.Count >= _settings.Deep.BatchSizeMax) Step();
    }

    public void OnFollowUp(Example example) => OnExample(example);

    public void OnInteraction(Interaction interaction)
    {
        // Rows are examples; what an interaction says of its item the catalogue knows.
    }

    /// <summary>Learns what waits: the end of a stream.</summary>
    public void Finish()
    {
        if (_waiting.Count > 0) Step();
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        _due.Save(writer);
        writer.Int32(_waiting.Count);
        var bytes = new ByteWriter();
        foreach (var example in _waiting)
        {
            bytes.Clear();
            ExampleCodec.Write(example, bytes);
            writer.Int32(bytes.Length);
            writer.Raw(bytes.WrittenSpan);
        }
        _learner.Save(writer);
        writer.Finish();
    }

    /// <summary>What a digest is taken of: equal for two that go on equally (<see cref="DeepLearner.WriteContent"/>).</summary>
    public void SaveContent(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        _due.Save(writer);
        foreach (var example in _waiting)
        {
            var bytes = new ByteWriter();
            ExampleCodec.Write(example, bytes);
            writer.Raw(bytes.WrittenSpan);
        }
        _learner.WriteContent(writer);
        writer.Int64(_replica.Version);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, Name);
        _due.Load(reader);
        for (var left = reader.Count(_settings.Deep.BatchSizeMax); left > 0; left--)
        {
            var bytes = new byte[reader.Count(_settings.Log.RecordBytesMax)];
            reader.Raw(bytes);
            _waiting.Add(Read(bytes));
        }
        _learner.Load(reader, hasGoals: reader.Version >= 2);
        reader.Finish();
        if (_learner.Promoted > 0) _replica.Take(_learner.Snapshot());
    }

    public void Dispose() => _learner.Dispose();

    private void Step()
    {
        _batch.Clear();
        foreach (var example in _waiting) _batch.Add(example);
        _waiting.Clear();
        var nowMs = Math.Max(_learner.NewestMs, _batch.NewestMs);
        // Nobody joins late: a snapshot would serve nobody.
        var due = _due.At(nowMs) & ~Due.Snapshot;
        var outcome = _learner.Step(_batch, due, nowMs);
        if (outcome.Cut) _due.Cut(due, nowMs);
        if (outcome.Verdict is { } verdict) Ledger.Add(verdict);
        if (outcome.Publish.Count == 0) return;
        if (_replica.Version == 0) _replica.Take(_learner.Snapshot()); // the first is a whole one
        else
            foreach (var update in outcome.Publish) _replica.Take(update);
    }

    private Example Read(byte[] bytes)
    {
        try
        {
            return ExampleCodec.Read(bytes).Example ?? throw new InvalidDataException($"{Name} holds a record that is no example");
        }
        catch (FormatException problem)
        {
            throw new InvalidDataException($"{Name} holds an example that cannot be read: {problem.Message}", problem);
        }
    }
}
