using System.Runtime.CompilerServices;
using Streaming.Core.Wire;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

/// <summary>Bounds of a <see cref="VectorIndex"/>.</summary>
/// <param name="Dim">Numbers of a vector.</param>
/// <param name="Capacity">Items at most; beyond, the one touched longest ago leaves.</param>
/// <param name="ExactMax">Items up to which every query scans all of them; beyond, it walks a graph.</param>
/// <param name="Hnsw">Of the graph.</param>
/// <param name="StillWithin">
/// A vector may wander this far (Euclidean, on the unit sphere, summed over its moves) before its place in the graph is sought anew: a
/// step of training moves most vectors by next to nothing, and the score is always of the vector as it is now.
/// </param>
public sealed record VectorIndexOptions(int Dim, int Capacity, int ExactMax, HnswOptions Hnsw, float StillWithin = 0.05f);

/// <summary>
/// Items by the cosine of their vector and a query: an exact scan while they are few, a graph (<see cref="HnswGraph"/>) beyond. New and moved
/// vectors count for the next search. The graph is begun at half of <see cref="VectorIndexOptions.ExactMax"/> items and every insertion then
/// links an older item too, so that it is complete when it is needed and nobody ever waits for it to be built; a search that comes before it is
/// complete scans. One thread writes while nobody reads; then any number may read.
/// </summary>
public sealed class VectorIndex
{
    private const byte FormatVersion = 1;

    private readonly VectorIndexOptions _options;
    private readonly float[] _unit;
    private FlatVectorIndex _rows;
    private HnswGraph? _graph;

    /// <summary>Slots below have been looked at: what is in them is linked.</summary>
    private int _linkedBelow;

    /// <summary>By slot, how far the vector has wandered since it was linked.</summary>
    private float[] _wandered = [];

    public VectorIndex(VectorIndexOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Capacity, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.ExactMax);
        _options = options;
        _unit = new float[VectorMath.Stride(options.Dim)];
        _rows = new FlatVectorIndex(options.Dim, options.Capacity);
    }

    public int Dim => _options.Dim;
    public int Count => _rows.Count;

    /// <summary>Whether the next search walks the graph.</summary>
    public bool IsApproximate => Count > _options.ExactMax && _graph is not null && _graph.Count == Count;

    /// <summary>
    /// Inserts or replaces the item's vector, shape [<see cref="Dim"/>], scaled to length 1, and touches the item. False, and nothing
    /// changes, for a vector that has no direction: zero, or not finite.
    /// </summary>
    public bool Set(ulong item, ReadOnlySpan<float> vector)
    {
        ArgumentOutOfRangeException.ThrowIfZero(item);
        if (vector.Length != Dim) throw new ArgumentException($"the vector has {vector.Length} numbers, the index {Dim}", nameof(vector));
        vector.CopyTo(_unit);
        if (!VectorMath.Normalise(_unit)) return false;
        var slot = _rows.SlotOf(item);
        var stays = slot >= 0 && _graph is not null && _graph.Has(slot) && StaysPut(slot);
        if (_graph is not null && !stays)
        {
            if (slot >= 0) _graph.Unlink(slot);
            else if (_rows.IsFull) _graph.Unlink(_rows.OldestSlot);
        }
        _rows.Set(item, _unit.AsSpan(0, Dim));
        if (_graph is null && Count > _options.ExactMax / 2) _graph = new HnswGraph(_rows, _options.Hnsw);
        if (_graph is null) return true;
        if (!stays) Link(_rows.SlotOf(item));
        LinkPending(1);
        return true;
    }

    public void Remove(ulong item)
    {
        var slot = _rows.SlotOf(item);
        if (slot < 0) return;
        _graph?.Unlink(slot);
        _rows.Remove(item);
        if (Count <= _options.ExactMax / 4) (_graph, _linkedBelow) = (null, 0);
    }

    /// <summary>The item's vector, of length 1; false when it is not here.</summary>
    public bool TryGet(ulong item, Span<float> into) => _rows.TryGet(item, into);

    /// <summary>Links up to so many items that the graph lacks; returns how many are left. Only after <see cref="Load"/> or a low <c>ExactMax</c> are there any to speak of.</summary>
    public int LinkPending(int max)
    {
        if (_graph is null) return 0;
        for (; max > 0 && _linkedBelow < _rows.SlotsUsed; _linkedBelow++)
        {
            if (_rows.KeyAt(_linkedBelow) == 0 || _graph.Has(_linkedBelow)) continue;
            Link(_linkedBelow);
            max--;
        }
        return Count - _graph.Count;
    }

    /// <summary>
    /// The items of largest cosine, best first; of equal ones the smaller key first. Returns how many. Scores are inner products with the query as
    /// given. Allocates nothing once the thread is warm.
    /// </summary>
    /// <param name="query">Shape [<see cref="Dim"/>].</param>
    /// <param name="into">As many as are wanted.</param>
    public int Search(ReadOnlySpan<float> query, Span<Candidate> into) => IsApproximate ? SearchGraph(query, into, 0) : _rows.Search(query, into);

    /// <summary>As <see cref="Search"/>, always by the scan: what the graph is judged against.</summary>
    public int SearchExact(ReadOnlySpan<float> query, Span<Candidate> into) => _rows.Search(query, into);

    /// <summary>As <see cref="Search"/>, by the graph alone, with so many candidates kept; 0 for the options' own.</summary>
    [SkipLocalsInit]
    public int SearchGraph(ReadOnlySpan<float> query, Span<Candidate> into, int ef)
    {
        if (_graph is null) return 0;
        if (query.Length == _rows.Stride) return _graph.Search(query, into, ef);
        Span<float> padded = stackalloc float[_rows.Stride];
        padded.Clear();
        query.CopyTo(padded);
        return _graph.Search(padded, into, ef);
    }

    /// <summary>Items, the one touched longest ago first.</summary>
    public IEnumerable<ulong> ByTouch => _rows.ByTouch;

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        _rows.Save(writer);
        writer.Byte(_graph is null ? (byte)0 : (byte)1);
        if (_graph is not null)
        {
            writer.Int32(_linkedBelow);
            Reserve();
            writer.Values<float>(_wandered.AsSpan(0, _rows.SlotsUsed));
            _graph.Save(writer);
        }
        writer.Finish();
    }

    /// <exception cref="InvalidDataException">Torn, corrupt, of another shape, or from a newer build; the index is unchanged.</exception>
    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "vector index");
        var rows = _rows.Restored(reader);
        var (linkedBelow, wandered, graph) = (0, Array.Empty<float>(), default(HnswGraph));
        if (reader.Byte() == 1)
        {
            linkedBelow = reader.Count(rows.SlotsUsed);
            wandered = new float[rows.SlotsUsed];
            reader.Values(wandered.AsSpan());
            graph = HnswGraph.Restored(reader, rows, _options.Hnsw);
        }
        reader.Finish();
        (_rows, _linkedBelow, _wandered, _graph) = (rows, linkedBelow, wandered, graph);
    }

    private void Link(int slot)
    {
        Reserve();
        _wandered[slot] = 0;
        _graph!.Link(slot);
    }

    /// <summary>Whether the new vector is near enough to where the old one was linked; adds the way up. On the sphere |a - b|^2 = 2 - 2 cos.</summary>
    private bool StaysPut(int slot)
    {
        var cosine = VectorMath.Dot(_unit, _rows.Rows.AsSpan(slot * _rows.Stride, _rows.Stride));
        return (_wandered[slot] += MathF.Sqrt(Math.Max(0, 2 - 2 * cosine))) <= _options.StillWithin;
    }

    private void Reserve()
    {
        if (_wandered.Length < _rows.SlotsUsed) Array.Resize(ref _wandered, _rows.Rows.Length / _rows.Stride);
    }
}
