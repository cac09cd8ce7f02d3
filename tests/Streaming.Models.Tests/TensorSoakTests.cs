using System.Runtime.CompilerServices;
using Streaming.Models.Benchmarks;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests;

/// <summary>Alone in the process: tensors that other tests hold in the meantime would be counted too.</summary>
[CollectionDefinition(nameof(TensorSoakTests), DisableParallelization = true)]
[Collection(nameof(TensorSoakTests))]
public sealed class TensorSoakTests
{
    /// <summary>
    /// Counts tensors, exactly: a resident size also grows by pages, megabytes at a time, that the runtime and the allocator take and keep, so
    /// that a short run cannot tell them from a leak. The long form, over the resident size, is <c>./run bench soak-tensors</c>.
    /// </summary>
    [TorchFact]
    public void Training_steps_keep_their_memory()
    {
        torch.set_num_threads(1);

        var result = TensorSoak.Run(3000, seed: 7, Alive);

        result.Held.ShouldAllBe(count => count == result.Held[0]);
        result.Loss.ShouldBeLessThan(result.FirstLoss);
    }

    [TorchFact]
    public void A_tensor_is_counted_until_it_is_disposed_or_finalized()
    {
        var before = Alive();

        var held = torch.ones(1).DetachFromDisposeScope();
        Drop(3);

        (Alive() - before).ShouldBe(1);
        held.Dispose();
        (Alive() - before).ShouldBe(0);
    }

    /// <summary>Leaves tensors to the finalizer. A method of its own, so that no variable of the caller keeps them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(int count)
    {
        var before = torch.Tensor.TotalCount;
        var dropped = Enumerable.Range(0, count).Select(_ => torch.ones(1).DetachFromDisposeScope()).ToArray();
        (torch.Tensor.TotalCount - before).ShouldBe(count);
        GC.KeepAlive(dropped);
    }

    private static long Alive()
    {
        // What the finalizers have to free is freed; what is left is kept.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }
}
