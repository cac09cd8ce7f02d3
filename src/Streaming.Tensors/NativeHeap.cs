using System.Runtime.InteropServices;

namespace Streaming.Tensors;

/// <summary>
/// How the C library treats the memory of tensors. Each result of an operation is allocated and freed within a millisecond; by default glibc gives large
/// blocks, and the free end of its heap, back to the kernel at once, and takes them again page by page at the next operation: most of the time of a network that makes
/// results of megabytes goes there. Kept, they are simply written again.
/// </summary>
internal static partial class NativeHeap
{
    private const int TrimThreshold = -1, MmapThreshold = -3;

    /// <summary>Blocks below this come from the heap; the most that older versions of glibc allow.</summary>
    private const int BlockBytesMax = 32 << 20;

    /// <summary>What the heap's free end may have before it is given back; by default 128 KB.</summary>
    private const int KeptBytesMax = 128 << 20;

    /// <summary>False where the C library is another, whose allocator keeps its own counsel.</summary>
    public static bool KeepFreed()
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            return Mallopt(MmapThreshold, BlockBytesMax) == 1 && Mallopt(TrimThreshold, KeptBytesMax) == 1;
        }
        catch (Exception none) when (none is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);
}
