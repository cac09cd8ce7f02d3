namespace TorchSharp;

/// <summary>
/// The part of TorchSharp's API that Streaming's models use, with TorchSharp's names, defaults and exceptions, over the
/// system's libtorch. Code written against it compiles unchanged against the package.
/// </summary>
public static unsafe partial class torch
{
    /// <summary>Seeds every draw of the process.</summary>
    public static void manual_seed(long seed) => Native.Check(Native.st_manual_seed(seed));

    /// <summary>Threads of one operation.</summary>
    public static void set_num_threads(int num) => Native.Check(Native.st_set_num_threads(num));

    public static int get_num_threads()
    {
        Native.Check(Native.st_get_num_threads(out var threads));
        return threads;
    }

    /// <summary>Until disposed, operations of this thread are not recorded for backward().</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static bool is_grad_enabled()
    {
        Native.Check(Native.st_is_grad_enabled(out var enabled));
        return enabled != 0;
    }

    /// <summary>Like <see cref="no_grad"/> and faster: tensors made until it is disposed can never take part in a backward().</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    /// <summary>All elements the same; int64 for a whole number when no type is given.</summary>
    public static Tensor full(ReadOnlySpan<long> size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        var type = dtype ?? (value.IsInteger ? ScalarType.Int64 : ScalarType.Float32);
        fixed (long* sizes = size)
            return Made(Native.st_full(sizes, size.Length, value.Number, (int)type, At(device), requires_grad ? 1 : 0, out var made), made);
    }

    public static Tensor full(long[] size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        full(size.AsSpan(), value, dtype, device, requires_grad);

    public static Tensor full(long size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        full([size], value, dtype, device, requires_grad);

    /// <summary>start, start + step, ... below stop; int64 when all three are whole.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        var type = dtype ?? (start.IsInteger && stop.IsInteger && step.IsInteger ? ScalarType.Int64 : ScalarType.Float32);
        return Made(Native.st_arange(start.Number, stop.Number, step.Number, (int)type, At(device), requires_grad ? 1 : 0, out var made), made);
    }

    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(start, stop, 1, dtype, device, requires_grad);

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(0, stop, 1, dtype, device, requires_grad);

    /// <summary>Ones on the diagonal.</summary>
    public static Tensor eye(long rows, long columns = -1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Made(Native.st_eye(rows, columns < 0 ? rows : columns, Type(dtype), At(device), requires_grad ? 1 : 0, out var made), made);

    public static Tensor zeros_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        full_like(input, 0, dtype, device, requires_grad);

    public static Tensor ones_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        full_like(input, 1, dtype, device, requires_grad);

    /// <summary>This shape, and this type and place unless others are given.</summary>
    public static Tensor full_like(Tensor input, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        var type = dtype ?? input.dtype;
        var place = (device ?? input.device).Place;
        return Made(Native.st_full_like(input, value.Number, (int)type, place, requires_grad ? 1 : 0, out var made), made);
    }

    public static Tensor tensor(float scalar, Device? device = null, bool requires_grad = false) => Copied([scalar], [], null, device, requires_grad);

    public static Tensor tensor(double scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied([scalar], [], dtype, device, requires_grad);

    public static Tensor tensor(long scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied([scalar], [], dtype, device, requires_grad);

    public static Tensor tensor(int scalar, Device? device = null, bool requires_grad = false) => Copied([scalar], [], null, device, requires_grad);

    public static Tensor tensor(bool scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied([scalar], [], dtype, device, requires_grad);

    public static Tensor tensor(float[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<float>(rawArray, [rawArray.Length], dtype, device, requires_grad);

    public static Tensor tensor(double[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<double>(rawArray, [rawArray.Length], dtype, device, requires_grad);

    public static Tensor tensor(long[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<long>(rawArray, [rawArray.Length], dtype, device, requires_grad);

    public static Tensor tensor(int[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<int>(rawArray, [rawArray.Length], dtype, device, requires_grad);

    public static Tensor tensor(bool[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<bool>(rawArray, [rawArray.Length], dtype, device, requires_grad);

    // Row-major data of the given shape.

    public static Tensor tensor(float[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<float>(rawArray, dimensions, dtype, device, requires_grad);

    public static Tensor tensor(double[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<double>(rawArray, dimensions, dtype, device, requires_grad);

    public static Tensor tensor(long[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<long>(rawArray, dimensions, dtype, device, requires_grad);

    public static Tensor tensor(int[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<int>(rawArray, dimensions, dtype, device, requires_grad);

    public static Tensor tensor(bool[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Copied<bool>(rawArray, dimensions, dtype, device, requires_grad);

    public static Tensor tensor(float[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        fixed (float* data = rawArray)
            return Copied(new ReadOnlySpan<float>(data, rawArray.Length), [rawArray.GetLength(0), rawArray.GetLength(1)], dtype, device, requires_grad);
    }

    public static Tensor tensor(long[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        fixed (long* data = rawArray)
            return Copied(new ReadOnlySpan<long>(data, rawArray.Length), [rawArray.GetLength(0), rawArray.GetLength(1)], dtype, device, requires_grad);
    }

    /// <summary>The element type that a .NET type stands for.</summary>
    internal static ScalarType TypeOf<T>()
        where T : unmanaged
    {
        // Comparisons of types that the JIT answers: a switch on default(T) would box it.
        if (typeof(T) == typeof(float)) return ScalarType.Float32;
        if (typeof(T) == typeof(double)) return ScalarType.Float64;
        if (typeof(T) == typeof(long)) return ScalarType.Int64;
        if (typeof(T) == typeof(int)) return ScalarType.Int32;
        if (typeof(T) == typeof(bool)) return ScalarType.Bool;
        if (typeof(T) == typeof(byte)) return ScalarType.Byte;
        if (typeof(T) == typeof(sbyte)) return ScalarType.Int8;
        if (typeof(T) == typeof(short)) return ScalarType.Int16;
        throw new NotSupportedException($"no tensor of {typeof(T).Name}");
    }

    internal static Tensor Made(int status, nint result)
    {
        Native.Check(status);
        return new Tensor(result);
    }

    private static int Type(ScalarType? dtype) => (int)(dtype ?? ScalarType.Float32);

    private static Place At(Device? device) => device?.Place ?? default;

    private static Tensor Copied<T>(ReadOnlySpan<T> data, ReadOnlySpan<long> dimensions, ScalarType? dtype, Device? device, bool requiresGrad)
        where T : unmanaged
    {
        long count = 1;
        foreach (var size in dimensions) count *= size;
        if (count != data.Length) throw new ArgumentException($"mismatched total size: {data.Length} elements for a shape of {count}");
        var own = TypeOf<T>();
        var converts = dtype is not null && dtype != own;
        nint result;
        fixed (T* start = data)
        fixed (long* sizes = dimensions)
            Native.Check(Native.st_from_data(start, sizes, dimensions.Length, (int)own, At(device), requiresGrad && !converts ? 1 : 0, out result));
        var made = new Tensor(result);
        if (!converts) return made;
        var converted = made.to_type(dtype!.Value).requires_grad_(requiresGrad);
        made.Dispose();
        return converted;
    }

    private sealed class GradMode : IDisposable
    {
        private readonly int _before;

        public GradMode(bool enabled) => Native.Check(Native.st_set_grad_enabled(enabled ? 1 : 0, out _before));

        public void Dispose() => Native.Check(Native.st_set_grad_enabled(_before, out _));
    }

    private sealed class InferenceMode : IDisposable
    {
        private nint _guard;

        public InferenceMode(bool enabled) => Native.Check(Native.st_inference_mode(enabled ? 1 : 0, out _guard));

        public void Dispose()
        {
            var guard = Interlocked.Exchange(ref _guard, 0);
            if (guard != 0) Native.st_end_inference_mode(guard);
        }
    }
}
