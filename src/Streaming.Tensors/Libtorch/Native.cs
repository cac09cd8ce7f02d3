using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace TorchSharp;

/// <summary>A number as libtorch takes it: integers stay integers. Mirrors struct Number in native/shim.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct Number(double Real, long Integer, int IsInteger);

/// <summary>Where a tensor is to be made. Mirrors struct Place in native/shim.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct Place(int Type, int Index);

/// <summary>What reading the elements of a tensor needs. Mirrors struct Description in native/shim.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Description
{
    public nint Data;
    public long Elements;
    public long Dims;
    public int Type;
    public int DeviceType;
    public int DeviceIndex;
    public int Contiguous;
}

/// <summary>
/// Passes a tensor as its handle and keeps it alive until the call has returned. Unlike a SafeHandle it counts no references: a
/// tensor that one thread disposes while another computes with it is the caller's mistake, in TorchSharp too.
/// </summary>
[CustomMarshaller(typeof(torch.Tensor), MarshalMode.ManagedToUnmanagedIn, typeof(TensorIn))]
internal ref struct TensorIn
{
    private torch.Tensor _tensor;

    public void FromManaged(torch.Tensor tensor) => _tensor = tensor;

    public readonly nint ToUnmanaged() => _tensor.Handle;

    public readonly void Free() => GC.KeepAlive(_tensor);
}

/// <summary>The same for an argument that may be absent.</summary>
[CustomMarshaller(typeof(torch.Tensor), MarshalMode.ManagedToUnmanagedIn, typeof(OptionalTensorIn))]
internal ref struct OptionalTensorIn
{
    private torch.Tensor? _tensor;

    public void FromManaged(torch.Tensor? tensor) => _tensor = tensor;

    public readonly nint ToUnmanaged() => _tensor?.Handle ?? 0;

    public readonly void Free() => GC.KeepAlive(_tensor);
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
        if (status != 0) Fail();
    }

    /// <summary>.NET keeps an environment of its own on Unix, which native code does not see.</summary>
    private static void SetForNativeCode(string name, string value)
    {
        Environment.SetEnvironmentVariable(name, value);
        if (!OperatingSystem.IsWindows()) setenv(name, value, 1);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial int setenv(string name, string value, int overwrite);

    private static void Fail() => throw new ExternalException(Marshal.PtrToStringUTF8(st_error()));

    /// <summary>$STREAMING_TORCH, beside the program, or .probe/native of the checkout that the program was built in.</summary>
    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library) return 0;
        // Before libtorch starts: OpenBLAS reads it once, and its threads would fight with the node's own.
        if (Environment.GetEnvironmentVariable("OPENBLAS_NUM_THREADS") is null) SetForNativeCode("OPENBLAS_NUM_THREADS", "1");
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
}
