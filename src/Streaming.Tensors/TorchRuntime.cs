using TorchSharp;

namespace Streaming.Tensors;

/// <summary>Whether tensors work on this machine: through TorchSharp, or the layer over the system's libtorch.</summary>
public static class TorchRuntime
{
    private static readonly Lazy<string> Problem = new(Try);

    /// <summary>Loads the native library, once. False when it cannot be had; <paramref name="reason"/> then says what to do, else it is empty.</summary>
    public static bool TryLoad(out string reason)
    {
        reason = Problem.Value;
        return reason.Length == 0;
    }

    private static string Try()
    {
        try
        {
            NativeHeap.KeepFreed();
            using var one = torch.ones(1);
            return one.item<float>() == 1f ? "" : "libtorch gives a wrong result for ones(1)";
        }
        catch (Exception problem) when (problem is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException
                                            or BadImageFormatException or NotSupportedException)
        {
            return (problem.InnerException ?? problem).Message;
        }
    }
}
