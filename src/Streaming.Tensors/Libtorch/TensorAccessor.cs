using System.Collections;

namespace TorchSharp.Utils;

/// <summary>
/// A tensor's elements in place, row by row whatever its strides. Valid while the tensor is. Dense row-major data, the usual
/// case, is copied in one piece.
/// </summary>
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T>
    where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly T* _data;
    private readonly bool _contiguous;
    private long[]? _shape;
    private long[]? _strides;

    internal TensorAccessor(torch.Tensor tensor)
    {
        var what = tensor.Describe();
        if ((torch.ScalarType)what.Type != torch.TypeOf<T>())
            throw new ArgumentException($"the tensor holds {(torch.ScalarType)what.Type}, not {typeof(T).Name}");
        if (what.DeviceType != (int)DeviceType.CPU)
            throw new InvalidOperationException("Reading data from non-CPU memory is not supported. Move or copy the tensor to the cpu before reading.");
        _tensor = tensor;
        _data = (T*)what.Data;
        _contiguous = what.Contiguous != 0;
        Count = what.Elements;
    }

    public long Count { get; }

    private long[] Shape => _shape ??= _tensor.shape;

    private long[] Strides => _strides ??= _tensor.stride();

    /// <summary>One index counts in row-major order; else there is one for each dimension.</summary>
    public T this[params long[] indices]
    {
        get => *At(indices);
        set => *At(indices) = value;
    }

    public T[] ToArray()
    {
        var values = new T[Count];
        CopyTo(values);
        return values;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    /// <summary>Copies from <paramref name="tensorIndex"/> on until either side ends.</summary>
    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var into = array[arrayIndex..];
        var count = (int)Math.Min(into.Length, Count - tensorIndex);
        if (_contiguous) new ReadOnlySpan<T>(_data + tensorIndex, count).CopyTo(into);
        else
            for (var i = 0; i < count; i++) into[i] = _data[Offset(tensorIndex + i)];
        GC.KeepAlive(_tensor);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    /// <summary>Copies into the tensor from <paramref name="tensorIndex"/> on until either side ends.</summary>
    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var from = array[arrayIndex..];
        var count = (int)Math.Min(from.Length, Count - tensorIndex);
        if (_contiguous) from[..count].CopyTo(new Span<T>(_data + tensorIndex, count));
        else
            for (var i = 0; i < count; i++) _data[Offset(tensorIndex + i)] = from[i];
        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)ToArray()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
    }

    /// <summary>The first element, where there is just one.</summary>
    internal T First()
    {
        var value = *_data;
        GC.KeepAlive(_tensor);
        return value;
    }

    /// <summary>Where the i-th element in row-major order lies.</summary>
    private long Offset(long i)
    {
        if (_contiguous) return i;
        long offset = 0;
        for (var d = Shape.Length - 1; d >= 0; d--)
        {
            offset += i % Shape[d] * Strides[d];
            i /= Shape[d];
        }
        return offset;
    }

    private T* At(long[] indices)
    {
        if (indices.Length == 1)
        {
            if (indices[0] < 0 || indices[0] >= Count) throw new IndexOutOfRangeException($"index {indices[0]} of {Count} elements");
            return _data + Offset(indices[0]);
        }
        if (indices.Length != Shape.Length) throw new ArgumentException($"{indices.Length} indices for a tensor of {Shape.Length} dimensions");
        long offset = 0;
        for (var d = 0; d < indices.Length; d++)
        {
            if (indices[d] < 0 || indices[d] >= Shape[d]) throw new IndexOutOfRangeException($"index {indices[d]} in dimension {d} of size {Shape[d]}");
            offset += indices[d] * Strides[d];
        }
        return _data + offset;
    }
}
