using System.Runtime.InteropServices;
using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Ctr;

/// <summary>Writes rows into mini-batches. Values that training has hardly seen share a key, so that what stands for the unknown is learned too. One thread.</summary>
internal sealed class CtrRowWriter
{
    private readonly RankerShape _shape;
    private readonly bool _readsSequence;
    private readonly HashSet<ulong> _known = [];
    private readonly float[] _labels;
    private readonly double _hiddenShare;
    private Draws _draws;
    private bool _hides;

    /// <param name="shape">Of the rows.</param>
    /// <param name="readsSequence">Whether the history is written step by step; else it is pooled.</param>
    /// <param name="fit">What is learned from.</param>
    /// <param name="rareBelow">Rows that a value must be in, the steps of histories counted too, to have a key of its own.</param>
    /// <param name="hiddenShare">As <see cref="CtrOptions.HiddenShare"/>.</param>
    /// <param name="seed">Of what is hidden.</param>
    public CtrRowWriter(RankerShape shape, bool readsSequence, IReadOnlyList<CtrRow> fit, int rareBelow, double hiddenShare = 0, ulong seed = 1)
    {
        (_shape, _readsSequence, _labels, _hiddenShare, _draws) = (shape, readsSequence, new float[shape.Tasks], hiddenShare, new Draws(seed));
        var counts = new Dictionary<ulong, int>();
        foreach (var row in fit)
        {
            foreach (var keys in row.Fields) Count(keys);
            foreach (var step in row.Steps)
                foreach (var keys in step) Count(keys);
        }
        foreach (var (key, count) in counts)
            if (count >= rareBelow) _known.Add(key);

        void Count(ulong[] keys)
        {
            foreach (var key in keys) CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out _)++;
        }
    }

    /// <summary>Adds a row with its labels as they are known at a moment.</summary>
    /// <param name="into">The mini-batch.</param>
    /// <param name="row">What is added.</param>
    /// <param name="knownMs">The moment, Unix ms.</param>
    /// <param name="hide">Whether some values are written as unknown ones.</param>
    public void Write(FieldBatch into, CtrRow row, long knownMs, bool hide = false)
    {
        _hides = hide && _hiddenShare > 0;
        for (var field = 0; field < row.Fields.Length; field++) WriteBag(into, field, row.Fields[field]);
        var steps = row.Steps.AsSpan(Math.Max(0, row.Steps.Length - _shape.SequenceMax));
        for (var field = 0; field < _shape.PooledFields; field++)
        {
            // A network that reads the steps leaves the pooled fields out.
            if (!_readsSequence)
                foreach (var step in steps)
                    foreach (var key in step[field]) into.Add(CtrKeys.Pooled(field, KeyOf(field, key)), 1f / (steps.Length * step[field].Length));
            into.EndBag();
        }
        if (_readsSequence)
            foreach (var step in steps)
                for (var field = 0; field < _shape.TargetFields; field++) WriteBag(into, field, step[field]);
        for (var task = 0; task < _labels.Length; task++) _labels[task] = row.Label(task, knownMs) ? 1 : 0;
        into.EndRow([], _labels, row.TimeMs, row.Position);
    }

    private void WriteBag(FieldBatch into, int field, ulong[] keys)
    {
        foreach (var key in keys) into.Add(KeyOf(field, key), 1f / keys.Length);
        into.EndBag();
    }

    private ulong KeyOf(int field, ulong key) => _known.Contains(key) && !(_hides && _draws.Chance(_hiddenShare)) ? key : CtrKeys.Rare(field);
}
