using System.Numerics;
using System.Runtime.CompilerServices;
using Streaming.Core.Examples;
using Streaming.Core.Wire;
using Streaming.Models.Embeddings;

namespace Streaming.Learning.Isolation;

/// <summary>
/// A copy-on-write overlay on the weights of a <see cref="FtrlModel"/>: what one isolated arm has learned from its own traffic. Coordinates that its
/// examples have touched are kept here; all others are read from the shared weights as they were when the overlay was made. As they are now would let
/// the other arms' learning in through every coordinate that this arm has not touched yet. The price: what everybody else
/// learns of new items does not help this arm, so compare it with an arm that is isolated too.
/// </summary>
/// <remarks>One writer; read from several threads while it is quiet. Allocates only when the table doubles, up to its bound.</remarks>
public sealed class FtrlOverlay : IRankingWeights
{
    private const int StackFeaturesMax = 512;
    private const int CapacityMin = 1024;

    private readonly FtrlModel _model;
    private readonly FtrlRule _rule;
    private readonly int _entriesMax;
    private Entry[] _table = new Entry[CapacityMin];

    /// <summary>A coordinate; <c>Key</c> is its slot plus one, 0 where the place is free.</summary>
    private struct Entry
    {
        public uint Key;
        public FtrlSlot Slot;
        public float Weight;
    }

    /// <param name="model">The shared weights.</param>
    /// <param name="frozen">These as they were.</param>
    /// <param name="entriesMax">Coordinates at most (16 bytes each, in a table at most half full); beyond, new ones are read through and not learned.</param>
    internal FtrlOverlay(FtrlModel model, FrozenWeights frozen, int entriesMax)
    {
        (_model, Frozen, _rule, _entriesMax) = (model, frozen, model.Rule, entriesMax);
    }

    /// <summary>Examples learned.</summary>
    public long Version { get; private set; }

    /// <summary>Coordinates kept.</summary>
    public int Count { get; private set; }

    /// <summary>Gradients of coordinates that found the overlay full.</summary>
    public long Refused { get; private set; }

    internal FrozenWeights Frozen { get; }

    /// <summary>Bytes of the table; the frozen pages, which overlays made together share, apart.</summary>
    public long Bytes => (long)_table.Length * Unsafe.SizeOf<Entry>();

    public float Logit(ReadOnlySpan<uint> features, ReadOnlySpan<float> values)
    {
        var sum = 0f;
        for (var i = 0; i < features.Length; i++) sum += WeightAt(features[i] & _model.Mask) * values[i];
        return sum;
    }

    public float Probability(float logit) => _model.Probability(logit);

    public float Predict(ReadOnlySpan<uint> features, ReadOnlySpan<float> values) => Probability(Logit(features, values));

    /// <summary>The weight of a feature as it stands.</summary>
    public float Weight(uint feature) => WeightAt(feature & _model.Mask);

    /// <summary>Predicts, then learns: the arithmetic of <see cref="FtrlModel.PredictAndLearn(Example)"/> on this overlay's coordinates.</summary>
    [SkipLocalsInit]
    public float PredictAndLearn(ReadOnlySpan<uint> features, ReadOnlySpan<float> values, float label, float weight = 1f)
    {
        Span<float> weights = features.Length <= StackFeaturesMax ? stackalloc float[StackFeaturesMax] : new float[features.Length];
        var sum = 0f;
        for (var i = 0; i < features.Length; i++)
        {
            weights[i] = WeightAt(features[i] & _model.Mask);
            sum += weights[i] * values[i];
        }
        var error = weight * (VectorMath.Sigmoid(sum) - label);
        for (var i = 0; i < features.Length; i++)
        {
            ref var entry = ref Touch(features[i] & _model.Mask);
            if (Unsafe.IsNullRef(ref entry)) continue;
            _rule.Step(ref entry.Slot, error * values[i], weights[i]);
            entry.Weight = _rule.WeightOf(entry.Slot);
        }
        Version++;
        return Probability(sum);
    }

    /// <summary>What promotion puts into the shared weights.</summary>
    internal IEnumerable<(uint At, FtrlSlot Slot)> Entries =>
        _table.Where(e => e.Key != 0).OrderBy(e => e.Key).Select(e => (e.Key - 1, e.Slot));

    internal void Save(CheckpointWriter writer)
    {
        writer.Int64(Version);
        writer.Int64(Refused);
        writer.Int32(Count);
        foreach (var (at, slot) in Entries)
        {
            writer.Int32((int)at);
            writer.Single(slot.Z);
            writer.Single(slot.N);
        }
    }

    /// <exception cref="InvalidDataException">Torn, corrupt, or with more entries than the settings allow.</exception>
    internal static FtrlOverlay Read(FtrlModel model, FrozenWeights frozen, int entriesMax, CheckpointReader reader)
    {
        var read = new FtrlOverlay(model, frozen, entriesMax) { Version = reader.Int64(), Refused = reader.Int64() };
        for (var left = reader.Count(entriesMax); left > 0; left--)
        {
            ref var entry = ref read.Touch((uint)reader.Count(model.Slots - 1));
            entry.Slot = new FtrlSlot { Z = reader.Single(), N = reader.Single() };
            entry.Weight = read._rule.WeightOf(entry.Slot);
        }
        return read;
    }

    private float WeightAt(uint at)
    {
        ref var entry = ref _table[PlaceOf(_table, at + 1)];
        return entry.Key != 0 ? entry.Weight : Frozen.WeightAt(at);
    }

    /// <summary>The coordinate, copied from the frozen weights if it is not here yet; a null reference when the overlay is full.</summary>
    private ref Entry Touch(uint at)
    {
        ref var entry = ref _table[PlaceOf(_table, at + 1)];
        if (entry.Key != 0) return ref entry;
        if (Count == _entriesMax)
        {
            Refused++;
            return ref Unsafe.NullRef<Entry>();
        }
        if (2 * (Count + 1) > _table.Length)
        {
            Grow();
            entry = ref _table[PlaceOf(_table, at + 1)];
        }
        Count++;
        entry = new Entry { Key = at + 1, Slot = Frozen.SlotAt(at), Weight = Frozen.WeightAt(at) };
        return ref entry;
    }

    private void Grow()
    {
        var larger = new Entry[_table.Length * 2];
        foreach (ref readonly var entry in _table.AsSpan())
            if (entry.Key != 0) larger[PlaceOf(larger, entry.Key)] = entry;
        _table = larger;
    }

    /// <summary>Where the key lies, or would: linear probing from a multiplicative hash. The table is at most half full.</summary>
    private static int PlaceOf(Entry[] table, uint key)
    {
        var mask = table.Length - 1;
        var place = (int)((key * 0x9E3779B1u) >> (32 - BitOperations.Log2((uint)table.Length)));
        while (table[place].Key != 0 && table[place].Key != key) place = (place + 1) & mask;
        return place;
    }
}
