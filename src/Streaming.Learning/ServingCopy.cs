using Streaming.Core.Examples;

namespace Streaming.Learning;

/// <summary>
/// A copy of a learner set to serve from, as stale as its last <see cref="Sync"/>: weights, embeddings and item statistics of its own.
/// It is brought up to date by sparse deltas: only the rows that examples have touched since are copied (Liu et al. 2022,
/// "Monolith", section 2.3). The catalogue is shared: what an item is, is no parameter. One thread.
/// </summary>
public sealed class ServingCopy
{
    private readonly LearnerSet _source;
    private readonly ulong[] _isTouched;
    private readonly List<uint> _features = [];
    private readonly HashSet<ulong> _items = [];

    public ServingCopy(LearnerSet source)
    {
        _source = source;
        // Whether an item has a row is decided where it is learned.
        Learners = new LearnerSet(source.Settings with { Learning = source.Settings.Learning with { EmbeddingAdmitCount = 1 } }, source.Catalog);
        _isTouched = new ulong[(source.Ranker.Slots + 63) / 64];
    }

    /// <summary>What to serve from. Nobody else may train it.</summary>
    public LearnerSet Learners { get; }

    /// <summary>Syncs so far.</summary>
    public long Syncs { get; private set; }

    /// <summary>Notes what the source has just learned.</summary>
    public void Touch(ExampleRecord record)
    {
        if (record.Interaction is { } interaction) _items.Add(interaction.ItemKey);
        if (record.Example is not { } example) return;
        _items.Add(example.ItemKey);
        if (_source.Factors.LastNegative is var negative and not 0) _items.Add(negative);
        foreach (var feature in example.Features)
        {
            var at = feature & (uint)(_source.Ranker.Slots - 1);
            ref var word = ref _isTouched[at >> 6];
            var bit = 1UL << (int)(at & 63);
            if ((word & bit) != 0) continue;
            word |= bit;
            _features.Add(at);
        }
    }

    /// <summary>Brings the copy up to date.</summary>
    public void Sync()
    {
        Learners.Ranker.Take(_source.Ranker, _features);
        Learners.Factors.Take(_source.Factors, _items);
        Learners.Statistics.Take(_source.Statistics, _items);
        foreach (var at in _features) _isTouched[at >> 6] &= ~(1UL << (int)(at & 63));
        _features.Clear();
        _items.Clear();
        Syncs++;
    }
}
