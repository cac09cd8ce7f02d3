using System.Globalization;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Tensors.Tests;

public sealed class NativeHeapTests
{
    [TorchFact]
    public void Results_of_megabytes_are_written_where_earlier_ones_were()
    {
        if (!NativeHeap.KeepFreed()) return; // another C library; nothing is promised there
        const int Results = 200, Columns = 1 << 20;
        using var x = torch.ones(Columns);
        Add(x, 10);
        var before = PageFaults();
        Add(x, Results);
        // 4 MB each, taken anew a page of 4 KB at a time; a quarter of that is left to whatever else this process does meanwhile.
        (PageFaults() - before).ShouldBeLessThan(Results * (Columns * sizeof(float) / 4096) / 4);
    }

    private static void Add(torch.Tensor x, int results)
    {
        for (var i = 0; i < results; i++)
        {
            using var sum = x + x;
            using var first = sum[0];
            first.item<float>().ShouldBe(2f);
        }
    }

    /// <summary>Pages that the kernel gave this process so far without reading a file: the tenth field, the name in brackets being the second.</summary>
    private static long PageFaults() =>
        long.Parse(File.ReadAllText("/proc/self/stat").Split(") ", 2)[1].Split(' ')[7], CultureInfo.InvariantCulture);
}
