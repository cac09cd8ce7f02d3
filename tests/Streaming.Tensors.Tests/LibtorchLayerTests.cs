#if !USE_TORCHSHARP
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

    [Fact]
    public void Only_the_cpu_is_here()
    {
        cuda.is_available().ShouldBeFalse();
        Should.Throw<NotSupportedException>(() => device("cuda"));
    }
}
#endif
