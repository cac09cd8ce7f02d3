using System.Collections;

namespace TorchSharp.Utils;

/// <summary>A tensor's elements in place, row by row whatever its strides. Valid while the tensor is.</summary>
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T>
    where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly long[] _shape;
    private readonly long[] _strides;
    private readonly T* _data;

    internal TensorAccessor(torch.Tensor tensor)
    {
        if (tensor.dtype != torch.TypeOf<T>()) throw new ArgumentException($"the tensor holds {tensor.dtype}, not {typeof(T).Name}");
        _tensor = tensor;
        _shape = tensor.shape;
        _strides = tensor.stride();
        _data = (T*)tensor.DataPointer;
    }

    public long Count => _shape.Aggregate(1L, (product, size) => product * size);

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

    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        for (var i = tensorIndex; i < Count; i++) array[arrayIndex++] = _data[Offset(i)];
        GC.KeepAlive(_tensor);
    }

    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        for (var i = tensorIndex; i < Count && arrayIndex < array.Length; i++) _data[Offset(i)] = array[arrayIndex++];
        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)ToArray()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
    }

    /// <summary>Where the i-th element in row-major order lies.</summary>
    private long Offset(long i)
    {
        long offset = 0;
        for (var d = _shape.Length - 1; d >= 0; d--)
        {
            offset += i % _shape[d] * _strides[d];
            i /= _shape[d];
        }
        return offset;
    }

    private T* At(long[] indices)
    {
        if (indices.Length != _shape.Length) throw new ArgumentException($"{indices.Length} indices for a tensor of {_shape.Length} dimensions");
        long offset = 0;
        for (var d = 0; d < indices.Length; d++)
        {
            if (indices[d] < 0 || indices[d] >= _shape[d]) throw new ArgumentOutOfRangeException(nameof(indices), indices[d], $"dimension {d} has size {_shape[d]}");
            offset += indices[d] * _strides[d];
        }
        return _data + offset;
    }
}
