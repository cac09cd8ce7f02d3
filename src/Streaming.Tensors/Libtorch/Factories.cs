namespace TorchSharp;

/// <summary>
/// The part of TorchSharp's API that Streaming's models use, with TorchSharp's names, defaults and exceptions, over the
/// system's libtorch. Code written against it compiles unchanged against the package.
/// </summary>
public static unsafe partial class torch
{
    private delegate int Filler(long* sizes, int dims, int dtype, int grad, out nint result);

    /// <summary>Seeds every draw of the process.</summary>
    public static void manual_seed(long seed) => Native.Check(Native.st_manual_seed(seed));

    /// <summary>Threads of one operation.</summary>
    public static void set_num_threads(int threads) => Native.Check(Native.st_set_num_threads(threads));

    /// <summary>Until disposed, operations of this thread are not recorded for backward().</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static bool is_grad_enabled()
    {
        Native.Check(Native.st_is_grad_enabled(out var enabled));
        return enabled != 0;
    }

    public static Tensor zeros(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Filled(Native.st_zeros, size, dtype, requires_grad);

    public static Tensor zeros(params long[] size) => zeros(size.AsSpan());

    public static Tensor ones(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Filled(Native.st_ones, size, dtype, requires_grad);

    public static Tensor ones(params long[] size) => ones(size.AsSpan());

    /// <summary>Uniform in [0, 1).</summary>
    public static Tensor rand(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Filled(Native.st_rand, size, dtype, requires_grad);

    public static Tensor rand(params long[] size) => rand(size.AsSpan());

    /// <summary>Standard normal.</summary>
    public static Tensor randn(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Filled(Native.st_randn, size, dtype, requires_grad);

    public static Tensor randn(params long[] size) => randn(size.AsSpan());

    /// <summary>All elements the same; int64 for a whole number when no type is given.</summary>
    public static Tensor full(ReadOnlySpan<long> size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        var type = dtype ?? (value.IsInteger ? ScalarType.Int64 : ScalarType.Float32);
        fixed (long* sizes = size)
        {
            Native.Check(Native.st_full(sizes, size.Length, value.Number, (int)type, requires_grad ? 1 : 0, out var result));
            return new Tensor(result);
        }
    }

    public static Tensor full(long[] size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        full(size.AsSpan(), value, dtype, device, requires_grad);

    /// <summary>start, start + step, ... below stop; int64 when all three are whole.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        var type = dtype ?? (start.IsInteger && stop.IsInteger && step.IsInteger ? ScalarType.Int64 : ScalarType.Float32);
        Native.Check(Native.st_arange(start.Number, stop.Number, step.Number, (int)type, requires_grad ? 1 : 0, out var result));
        return new Tensor(result);
    }

    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(start, stop, 1, dtype, device, requires_grad);

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(0, stop, 1, dtype, device, requires_grad);

    public static Tensor tensor(float scalar, Device? device = null, bool requires_grad = false) => Copied([scalar], [], null, requires_grad);

    public static Tensor tensor(double scalar, Device? device = null, bool requires_grad = false) => Copied([scalar], [], null, requires_grad);

    public static Tensor tensor(long scalar, Device? device = null, bool requires_grad = false) => Copied([scalar], [], null, requires_grad);

    public static Tensor tensor(float[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<float>(rawArray, [rawArray.Length], dtype, requires_grad);

    public static Tensor tensor(double[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<double>(rawArray, [rawArray.Length], dtype, requires_grad);

    public static Tensor tensor(long[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<long>(rawArray, [rawArray.Length], dtype, requires_grad);

    public static Tensor tensor(int[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<int>(rawArray, [rawArray.Length], dtype, requires_grad);

    public static Tensor tensor(bool[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<bool>(rawArray, [rawArray.Length], dtype, requires_grad);

    /// <summary>Row-major data of the given shape.</summary>
    public static Tensor tensor(float[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<float>(rawArray, dimensions, dtype, requires_grad);

    public static Tensor tensor(long[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<long>(rawArray, dimensions, dtype, requires_grad);

    public static Tensor tensor(float[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        fixed (float* data = rawArray)
            return Copied(new ReadOnlySpan<float>(data, rawArray.Length), [rawArray.GetLength(0), rawArray.GetLength(1)], dtype, requires_grad);
    }

    /// <summary>The element type that a .NET type stands for.</summary>
    internal static ScalarType TypeOf<T>()
        where T : unmanaged => default(T) switch
    {
        float => ScalarType.Float32,
        double => ScalarType.Float64,
        long => ScalarType.Int64,
        int => ScalarType.Int32,
        short => ScalarType.Int16,
        byte => ScalarType.Byte,
        sbyte => ScalarType.Int8,
        bool => ScalarType.Bool,
        _ => throw new NotSupportedException($"no tensor of {typeof(T).Name}"),
    };

    private static Tensor Filled(Filler fill, ReadOnlySpan<long> size, ScalarType? dtype, bool requiresGrad)
    {
        fixed (long* sizes = size)
        {
            Native.Check(fill(sizes, size.Length, (int)(dtype ?? ScalarType.Float32), requiresGrad ? 1 : 0, out var result));
            return new Tensor(result);
        }
    }

    private static Tensor Copied<T>(ReadOnlySpan<T> data, ReadOnlySpan<long> dimensions, ScalarType? dtype, bool requiresGrad)
        where T : unmanaged
    {
        long count = 1;
        foreach (var size in dimensions) count *= size;
        if (count != data.Length) throw new ArgumentException($"mismatched total size: {data.Length} elements for a shape of {count}");
        var own = TypeOf<T>();
        nint result;
        fixed (T* start = data)
        fixed (long* sizes = dimensions)
            Native.Check(Native.st_from_data(start, sizes, dimensions.Length, (int)own, dtype is null || dtype == own ? requiresGrad ? 1 : 0 : 0, out result));
        var made = new Tensor(result);
        if (dtype is null || dtype == own) return made;
        var converted = made.to_type(dtype.Value).requires_grad_(requiresGrad);
        made.Dispose();
        return converted;
    }

    private sealed class GradMode : IDisposable
    {
        private readonly bool _before = is_grad_enabled();

        public GradMode(bool enabled) => Native.Check(Native.st_set_grad_enabled(enabled ? 1 : 0));

        public void Dispose() => Native.Check(Native.st_set_grad_enabled(_before ? 1 : 0));
    }
}
