using TorchSharp;

namespace Streaming.Suites;

/// <summary>Where the tests of deep models compute: <c>STREAMING_TEST_DEVICE=cuda ./test Models</c> runs the same tests on a CUDA device.</summary>
public static class TestDevice
{
    /// <summary>Null for the CPU, the default.</summary>
    public static torch.Device? Torch { get; } = Environment.GetEnvironmentVariable("STREAMING_TEST_DEVICE") switch
    {
        null or "" or "cpu" => null,
        "cuda" => torch.device("cuda"),
        var other => throw new InvalidOperationException($"STREAMING_TEST_DEVICE is '{other}'; allowed are 'cpu' and 'cuda'"),
    };
}
