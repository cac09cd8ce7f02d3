using System.Globalization;
using System.Runtime.InteropServices;

namespace Streaming.Host;

/// <summary>
/// Asks the kernel for huge pages (2 MB in place of 4 KB) for the managed heap, where Linux gives them to who asks (transparent huge pages on "madvise", the
/// default of most distributions). A node touches hundreds of MB anew at each start, page by page: its stores' index and log, its learners' tables. The heap's addresses
/// are reserved as a whole when the process begins, and memory taken later from a range that was asked for comes in huge pages too. Elsewhere it does nothing.
/// </summary>
internal static partial class HugePages
{
    private const int MadviseHugePage = 14;

    /// <summary>The collector reserves many times the machine's memory; nothing else does.</summary>
    private const ulong HeapMin = 1UL << 32;

    /// <summary>Asks for them.</summary>
    /// <returns>Bytes of addresses for which the kernel agreed; 0 where it has none to give.</returns>
    public static long Ask()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        var asked = 0L;
        try
        {
            foreach (var (from, to) in Heap(File.ReadLines("/proc/self/maps"), AddressInHeap()))
                if (Madvise((nint)from, (nuint)(to - from), MadviseHugePage) == 0) asked += (long)(to - from);
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException)
        {
            // A kernel that hides its maps, or another C library: no reason not to start.
        }
        return asked;
    }

    /// <summary>The ranges of the anonymous memory, without a gap, around an address of the heap; none where that is less than a heap's reservation.</summary>
    /// <param name="maps">Lines as of /proc/self/maps, by address.</param>
    /// <param name="address">In the heap.</param>
    internal static IReadOnlyList<(ulong From, ulong To)> Heap(IEnumerable<string> maps, ulong address)
    {
        var run = new List<(ulong From, ulong To)>();
        foreach (var line in maps)
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 5) continue;
            var dash = words[0].IndexOf('-');
            var (from, to) = (Address(words[0].AsSpan(0, dash)), Address(words[0].AsSpan(dash + 1)));
            if (run.Count > 0 && run[^1].To != from)
            {
                if (Holds(run, address)) break;
                run.Clear();
            }
            // A file's memory, or the stack's, has a name in the sixth column.
            if (words.Length == 5) run.Add((from, to));
            else if (Holds(run, address)) break;
            else run.Clear();
        }
        return Holds(run, address) && run[^1].To - run[0].From >= HeapMin ? run : [];
    }

    private static bool Holds(List<(ulong From, ulong To)> run, ulong address) => run.Count > 0 && run[0].From <= address && address < run[^1].To;

    private static ulong Address(ReadOnlySpan<char> hex) => ulong.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static unsafe ulong AddressInHeap()
    {
        var some = GC.AllocateUninitializedArray<byte>(1, pinned: true);
        fixed (byte* at = some) return (ulong)at;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(nint address, nuint length, int advice);
}
