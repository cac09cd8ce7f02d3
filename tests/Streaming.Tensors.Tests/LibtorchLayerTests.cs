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
}
#endif
