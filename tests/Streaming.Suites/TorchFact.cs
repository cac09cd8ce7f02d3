using Streaming.Tensors;

namespace Streaming.Suites;

/// <summary>A fact that needs tensors; skipped, with the reason, where libtorch is absent.</summary>
public sealed class TorchFactAttribute : FactAttribute
{
    public TorchFactAttribute()
    {
        if (!TorchRuntime.TryLoad(out var reason)) Skip = reason;
    }
}
