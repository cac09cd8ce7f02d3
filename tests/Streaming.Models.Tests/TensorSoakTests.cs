using System.Diagnostics;
using Streaming.Models.Benchmarks;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests;

public sealed class TensorSoakTests
{
    /// <summary>The long form is <c>./run bench soak-tensors</c>. A leak of one small tensor a step would show as 3,000 x 100 B and more.</summary>
    [TorchFact]
    public void Training_steps_keep_their_memory()
    {
        torch.set_num_threads(1);

        var result = TensorSoak.Run(3000, seed: 7, Resident);

        result.Growth.ShouldBeLessThan(8 << 20, string.Join(", ", result.Resident));
        result.Loss.ShouldBeLessThan(result.FirstLoss);
    }

    private static long Resident()
    {
        // What the finalizers have to free is freed; what is left is kept.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var me = Process.GetCurrentProcess();
        return me.WorkingSet64;
    }
}
