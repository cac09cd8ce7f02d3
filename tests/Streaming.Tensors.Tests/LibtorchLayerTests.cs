#if !USE_TORCHSHARP
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Tensors.Tests;

/// <summary>What is particular to the layer over the system's libtorch.</summary>
public sealed class LibtorchLayerTests
{
    [TorchFact]
    public void A_disposed_tensor_says_so()
    {
        var t = ones(1);
        t.Dispose();
        t.Dispose();

        Should.Throw<ObjectDisposedException>(() => t.sum());
    }

    [TorchFact]
    public void Reading_as_another_type_is_refused()
    {
        using var t = ones(2);

        Should.Throw<ArgumentException>(() => t.data<long>()).Message.ShouldContain("Float32");
        Should.Throw<ArgumentException>(() => t.item<float>()).Message.ShouldContain("2");
    }

    [TorchFact]
    public void Data_that_does_not_fill_the_shape_is_refused() =>
        Should.Throw<ArgumentException>(() => tensor(new float[] { 1, 2, 3 }, [2, 2])).Message.ShouldContain("3");

    [TorchFact]
    public void A_device_that_is_not_there_says_so_when_a_tensor_is_made()
    {
        device("cuda:1").ToString().ShouldBe("cuda:1");
        Should.Throw<ArgumentException>(() => device("tpu"));
        if (!cuda.is_available()) Should.Throw<ExternalException>(() => ones(2, device: CUDA)).Message.ShouldContain("CUDA");
    }

    /// <summary>A tensor in a scope is one small object: no handle object, no finalizer, no delegate, no boxed number.</summary>
    [TorchFact]
    public void An_operation_in_a_scope_allocates_one_small_object()
    {
        using var outer = NewDisposeScope();
        var (a, b) = (ones(4), ones(4));

        Allocated.PerCall(() =>
        {
            using var scope = NewDisposeScope();
            for (var i = 0; i < 10; i++)
            {
                a.add(b);
                a.mul(2).numel();
            }
        }).ShouldBeLessThanOrEqualTo(20 * 64 + 64);
    }

    [TorchFact]
    public void A_scope_holds_what_is_alive_and_no_more()
    {
        using var scope = NewDisposeScope();
        var kept = new List<Tensor>();
        for (var i = 0; i < 1000; i++)
        {
            var t = ones(1);
            if (i % 100 == 0) kept.Add(t);
            else t.Dispose();
        }

        scope.DisposablesCount.ShouldBe(10);
        scope.Detach(kept[3]);
        kept[3].DetachFromDisposeScope();
        scope.DisposablesCount.ShouldBe(9);
        scope.Dispose();
        kept.Count(t => t.IsInvalid).ShouldBe(9);
        kept[3].item<float>().ShouldBe(1);
        scope.Attach(kept[3]);
        scope.Dispose();
        kept[3].IsInvalid.ShouldBeTrue();
    }
}
#endif
