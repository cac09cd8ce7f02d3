using System.Reflection;
using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>A number as libtorch takes it: integers stay integers. Mirrors struct Number in native/shim.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct Number(double Real, long Integer, int IsInteger);

/// <summary>Owns one native tensor: freed at once by Dispose, else by the finalizer.</summary>
internal sealed class TensorHandle : SafeHandle
{
    public TensorHandle(nint tensor)
        : base(0, ownsHandle: true) => SetHandle(tensor);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.st_free(handle);
        return true;
    }
}

/// <summary>
/// The functions of native/shim.cpp, which set-up compiles against the system's libtorch. Every one returns 0, or 1 after an
/// error that <see cref="Check"/> turns into an exception.
/// </summary>
internal static unsafe partial class Native
{
    private const string Library = "streaming_torch";

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, Resolve);

    /// <exception cref="ExternalException">With libtorch's own message, as TorchSharp throws it.</exception>
    public static void Check(int status)
    {
        if (status != 0) throw new ExternalException(Marshal.PtrToStringUTF8(st_error()));
    }

    /// <summary>$STREAMING_TORCH, beside the program, or .probe/native of the checkout that the program was built in.</summary>
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library) return 0;
        // Before libtorch starts: OpenBLAS reads it once, and its threads would fight with the node's own.
        if (Environment.GetEnvironmentVariable("OPENBLAS_NUM_THREADS") is null) Environment.SetEnvironmentVariable("OPENBLAS_NUM_THREADS", "1");
        const string file = "libstreaming_torch.so";
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("STREAMING_TORCH") is { Length: > 0 } set) places.Add(set);
        places.Add(Path.Combine(AppContext.BaseDirectory, file));
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, ".probe", "native", file));
        string? failure = null;
        foreach (var place in places)
        {
            if (!File.Exists(place)) continue;
            try
            {
                return NativeLibrary.Load(place);
            }
            catch (Exception problem) when (problem is DllNotFoundException or BadImageFormatException)
            {
                failure = problem.Message;
            }
        }
        throw new DllNotFoundException(
            $"no tensors: {failure ?? "the layer over libtorch was not built"}. On Debian or Ubuntu ./run installs libtorch and builds it; "
            + "elsewhere install libtorch 1.13 or newer and a C++ compiler, then STREAMING_REPROBE=1 ./run");
    }

    [LibraryImport(Library)] public static partial nint st_error();
    [LibraryImport(Library)] public static partial nint st_version();
    [LibraryImport(Library)] public static partial void st_free(nint tensor);
    [LibraryImport(Library)] public static partial int st_manual_seed(long seed);
    [LibraryImport(Library)] public static partial int st_set_num_threads(int threads);
    [LibraryImport(Library)] public static partial int st_is_grad_enabled(out int enabled);
    [LibraryImport(Library)] public static partial int st_set_grad_enabled(int enabled);

    [LibraryImport(Library)] public static partial int st_zeros(long* sizes, int dims, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_ones(long* sizes, int dims, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_rand(long* sizes, int dims, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_randn(long* sizes, int dims, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_full(long* sizes, int dims, Number value, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_arange(Number start, Number stop, Number step, int dtype, int grad, out nint result);
    [LibraryImport(Library)] public static partial int st_from_data(void* data, long* sizes, int dims, int dtype, int grad, out nint result);

    [LibraryImport(Library)] public static partial int st_dim(TensorHandle t, out long dims);
    [LibraryImport(Library)] public static partial int st_sizes(TensorHandle t, long* sizes, long* strides);
    [LibraryImport(Library)] public static partial int st_dtype(TensorHandle t, out int dtype);
    [LibraryImport(Library)] public static partial int st_device(TensorHandle t, out int type, out int index);
    [LibraryImport(Library)] public static partial int st_data_ptr(TensorHandle t, out nint data);
    [LibraryImport(Library)] public static partial int st_requires_grad(TensorHandle t, out int yes);
    [LibraryImport(Library)] public static partial int st_set_requires_grad(TensorHandle t, int yes);
    [LibraryImport(Library)] public static partial int st_is_leaf(TensorHandle t, out int yes);
    [LibraryImport(Library)] public static partial int st_grad(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_set_grad(TensorHandle t, nint gradient);
    [LibraryImport(Library)] public static partial int st_backward(TensorHandle t, nint gradient, int retain, int create);

    [LibraryImport(Library)] public static partial int st_neg(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_abs(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_exp(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_log(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_sqrt(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_reciprocal(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_sigmoid(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_tanh(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_relu(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_sum(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_mean(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_max(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_min(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_argmax(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_t(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_detach(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_clone(TensorHandle t, out nint result);
    [LibraryImport(Library)] public static partial int st_contiguous(TensorHandle t, out nint result);

    [LibraryImport(Library)] public static partial int st_add(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_sub(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_mul(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_div(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_pow(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_maximum(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_minimum(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_matmul(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_mm(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_bmm(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_eq(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_gt(TensorHandle a, TensorHandle b, out nint result);
    [LibraryImport(Library)] public static partial int st_lt(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)] public static partial int st_add_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_sub_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_mul_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_div_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_pow_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_eq_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_gt_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_lt_number(TensorHandle a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_add_in_place(TensorHandle a, TensorHandle b, Number alpha);
    [LibraryImport(Library)] public static partial int st_copy_in_place(TensorHandle into, TensorHandle from);

    [LibraryImport(Library)] public static partial int st_view(TensorHandle t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_reshape(TensorHandle t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_transpose(TensorHandle t, long dim0, long dim1, out nint result);
    [LibraryImport(Library)] public static partial int st_unsqueeze(TensorHandle t, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_squeeze(TensorHandle t, int hasDim, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_select(TensorHandle t, long dim, long index, out nint result);
    [LibraryImport(Library)] public static partial int st_narrow(TensorHandle t, long dim, long start, long length, out nint result);
    [LibraryImport(Library)] public static partial int st_to_type(TensorHandle t, int dtype, int copy, out nint result);
    [LibraryImport(Library)] public static partial int st_cat(nint* tensors, int count, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_stack(nint* tensors, int count, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_gather(TensorHandle t, long dim, TensorHandle index, out nint result);
    [LibraryImport(Library)] public static partial int st_index_select(TensorHandle t, long dim, TensorHandle index, out nint result);

    [LibraryImport(Library)] public static partial int st_sum_dims(TensorHandle t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_mean_dims(TensorHandle t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_max_dim(TensorHandle t, long dim, int keep, out nint values, out nint indexes);
    [LibraryImport(Library)] public static partial int st_argmax_dim(TensorHandle t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_softmax(TensorHandle t, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_log_softmax(TensorHandle t, long dim, out nint result);
}
