using System.Globalization;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Models.Deep;

namespace Streaming.Learning.Drn;

/// <summary>
/// DRN for a worker and its copies: the agent of the offline trial (<see cref="DrnAgent"/>), fed from the log. It learns from the examples of its own
/// arm alone, which carry the dense features as they were when the item was shown (<see cref="Example.Dense"/>): decayed statistics, marks and
/// interests move with every event, so what the network saw cannot be computed again from the log later. Lists are put together by user and list
/// version (<see cref="OpenLists"/>); a list whose outcome is known makes the minor update of its duel, completes the user's list before it with
/// this one as what came next, and every so often a major update by replay.
/// </summary>
/// <remarks>
/// Which perturbation a list was interleaved with follows from the published seed, the user and the list's version (<see cref="DrawOf"/>), so that
/// whoever serves and whoever learns know the same Q~ without a word in the list. What is published: the weights of Q, that seed, and how many
/// major updates are in them: until these are <see cref="DrnSettings.WarmUpUpdates"/> the arm's lists are made by the live ranker, from which the network
/// learns what it can; their teams are not its own, so there is no duel in them.
/// </remarks>
public sealed class DrnModel : IDeepModel
{
    public const string ModelName = "drn";
    private const byte FormatVersion = 1;

    private readonly DrnSettings _settings;
    private readonly long _waitMs;
    private readonly long _seed;
    private readonly float[] _scratch;
    private OpenLists _open;
    private ulong _drawSeed;
    private long _majorUpdates;

    /// <param name="settings">Sound ones.</param>
    /// <param name="seed">Fixes every draw.</param>
    /// <param name="attributionWindowMs">After which an impression without a click is a negative example.</param>
    public DrnModel(DrnSettings settings, long seed, long attributionWindowMs)
    {
        (_settings, _seed, _waitMs) = (settings, seed, attributionWindowMs + settings.ListCloseSlackMs);
        Agent = NewAgent();
        _open = new OpenLists(_waitMs, settings.OpenListsMax, settings.SlotsMax);
        _drawSeed = StableHash.Combine((ulong)seed, StableHash.Of("drn:lists"));
        _scratch = new float[Agent.Network.ScratchLength];
        Weights = new DeepWeights([], [new Q(this), new Draws(this)]);
    }

    public string Name => ModelName;
    public DeepWeights Weights { get; }
    public DrnAgent Agent { get; private set; }

    /// <summary>Whether enough has been learned for lists to be made with it.</summary>
    public bool IsWarm => _majorUpdates >= _settings.WarmUpUpdates;

    /// <summary>Lists that wait for their outcome.</summary>
    public int OpenLists => _open.Count;

    /// <summary>Examples whose list had been learned already.</summary>
    public long LateExamples => _open.Late;

    /// <summary>Fixes the perturbation of the list of this version of a user, given the published seed.</summary>
    public ulong DrawOf(ulong user, long listVersion) => StableHash.Combine(StableHash.Combine(_drawSeed, user), (ulong)listVersion);

    /// <inheritdoc/>
    public bool Learns(Example example) => !example.IsFollowUp && example.Arm == ModelName && example.ListVersion > 0 && example.Dense.Length == DrnFeatures.StateLength + DrnFeatures.ActionLength;

    /// <summary>Q of each row, at its position; 0 for a row without an example of this arm.</summary>
    public void Predict(ExampleBatch batch, Span<float> into)
    {
        Span<float> state = stackalloc float[DrnFeatures.StateLength];
        for (var i = 0; i < batch.Count; i++)
        {
            into[i] = 0;
            if (batch.Source(i) is not { } example || !Learns(example)) continue;
            example.Dense.AsSpan(0, state.Length).CopyTo(state);
            state[0] = DrnAgent.PositionFeature(Math.Max(0, example.Position));
            Agent.Network.Score(Agent.Weights, state, example.Dense.AsSpan(state.Length), into.Slice(i, 1), _scratch);
        }
    }

    /// <summary>Takes the rows in and learns the lists that are whole by them. Returns the last major update's loss; 0 before the first.</summary>
    public float Learn(ExampleBatch batch)
    {
        for (var i = 0; i < batch.Count; i++)
            if (batch.Source(i) is { } example && Learns(example)) _open.Add(example, DrnFeatures.StateLength, IsDuel(example));
        foreach (var open in _open.Take())
        {
            var (list, rewards) = open.Whole(DrawOf(open.User, open.Version));
            Agent.Observe(list, rewards);
        }
        _majorUpdates = Agent.MajorUpdates;
        return Agent.MajorUpdates == 0 ? 0 : Agent.LastLoss;
    }

    /// <inheritdoc/>
    public void Forget(ulong user)
    {
        _open.Forget(user);
        Agent.Forget(user);
    }

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        writer.Int64((long)_drawSeed);
        writer.Int64(_majorUpdates);
        _open.Save(writer);
        writer.Finish();
        Agent.Save(into);
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "the DRN model");
        var (drawSeed, majorUpdates) = ((ulong)reader.Int64(), reader.Int64());
        var open = Drn.OpenLists.Load(reader, _waitMs, _settings.OpenListsMax, _settings.SlotsMax, DrnFeatures.StateLength, DrnFeatures.ActionLength);
        reader.Finish();
        var agent = NewAgent();
        agent.Load(from);
        (_drawSeed, _majorUpdates, _open, Agent) = (drawSeed, majorUpdates, open, agent);
    }

    public void Dispose()
    {
        // Plain arrays.
    }

    /// <summary>The arm's own version stands last among a list's; 0 says that the live ranker made it.</summary>
    public static string VersionText(long version) => string.Create(CultureInfo.InvariantCulture, $"{ModelName}:{version}");

    private static bool IsDuel(Example example) => !example.ModelVersion.EndsWith(VersionText(0), StringComparison.Ordinal);

    private DrnAgent NewAgent() => new(_settings, DrnFeatures.StateLength, DrnFeatures.ActionLength, _seed);

    /// <summary>The weights of Q.</summary>
    private sealed class Q(DrnModel model) : IDenseWeights
    {
        public string Name => "q";
        public int Length => model.Agent.Network.Length;
        public void CopyTo(Span<float> into) => model.Agent.Weights.CopyTo(into);
        public void CopyFrom(ReadOnlySpan<float> from) => model.Agent.SetWeights(from);
    }

    /// <summary>The seed of the lists' perturbations in pieces of 16 bits, and the major updates: whole numbers that a float holds.</summary>
    private sealed class Draws(DrnModel model) : IDenseWeights
    {
        private const int Pieces = 4;
        private const float UpdatesMax = 1 << 24;

        public string Name => "draws";
        public int Length => Pieces + 1;

        public void CopyTo(Span<float> into)
        {
            for (var i = 0; i < Pieces; i++) into[i] = (ushort)(model._drawSeed >> (16 * i));
            into[Pieces] = Math.Min(model._majorUpdates, UpdatesMax);
        }

        public void CopyFrom(ReadOnlySpan<float> from)
        {
            ulong seed = 0;
            for (var i = 0; i < Pieces; i++) seed |= (ulong)(ushort)from[i] << (16 * i);
            (model._drawSeed, model._majorUpdates) = (seed, (long)from[Pieces]);
        }
    }
}
