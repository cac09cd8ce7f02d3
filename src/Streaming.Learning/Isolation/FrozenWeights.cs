using Streaming.Core.Wire;

namespace Streaming.Learning.Isolation;

/// <summary>
/// The weights of a <see cref="FtrlModel"/> as they were at one moment. Nothing is copied then: a page of slots is, the first time that the
/// model writes to it afterwards, so that at most one whole copy comes about. One writer; read while it is quiet.
/// </summary>
internal sealed class FrozenWeights
{
    private const int PageBits = 8;
    private const int PageLength = 1 << PageBits;
    private readonly FtrlModel _model;
    private readonly Page?[] _pages;

    private sealed record Page(FtrlSlot[] Slots, float[] Weights);

    /// <param name="model">Tells <see cref="Keep"/> of every slot that it is about to write.</param>
    /// <param name="madeAt">Its version now; 0 is a model that has learned nothing, of which nothing need be kept.</param>
    public FrozenWeights(FtrlModel model, long madeAt)
    {
        (_model, MadeAt) = (model, madeAt);
        _pages = madeAt == 0 ? [] : new Page?[Math.Max(1, model.Slots >> PageBits)];
    }

    public long MadeAt { get; }

    /// <summary>Bytes of the pages copied so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>The model is about to write this slot.</summary>
    public void Keep(uint at)
    {
        if (_pages.Length == 0) return;
        ref var page = ref _pages[at >> PageBits];
        if (page is not null) return;
        var from = at & ~(uint)(PageLength - 1);
        page = PageOf(_model.SlotsFrom(from, PageLength).ToArray());
    }

    public FtrlSlot SlotAt(uint at) => _pages.Length == 0 ? default
        : _pages[at >> PageBits] is { } page ? page.Slots[at & (PageLength - 1)] : _model.SlotAt(at);

    public float WeightAt(uint at) => _pages.Length == 0 ? 0f
        : _pages[at >> PageBits] is { } page ? page.Weights[at & (PageLength - 1)] : _model.WeightAt(at);

    public void Save(CheckpointWriter writer)
    {
        writer.Int64(MadeAt);
        writer.Int32(_pages.Count(p => p is not null));
        for (var i = 0; i < _pages.Length; i++)
        {
            if (_pages[i] is not { } page) continue;
            writer.Int32(i);
            writer.Values<FtrlSlot>(page.Slots);
        }
    }

    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static FrozenWeights Read(FtrlModel model, CheckpointReader reader)
    {
        var read = new FrozenWeights(model, reader.Int64());
        for (var left = reader.Count(read._pages.Length); left > 0; left--)
        {
            var at = reader.Count(read._pages.Length - 1);
            var slots = new FtrlSlot[PageLength];
            reader.Values(slots.AsSpan());
            read._pages[at] = read.PageOf(slots);
        }
        return read;
    }

    private Page PageOf(FtrlSlot[] slots)
    {
        Bytes += PageLength * 12;
        var weights = new float[slots.Length];
        for (var i = 0; i < weights.Length; i++) weights[i] = _model.Rule.WeightOf(slots[i]);
        return new Page(slots, weights);
    }
}
