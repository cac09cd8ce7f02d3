using Streaming.Tensors;

namespace Streaming.Suites;

/// <summary>A fact that needs tensors; skipped, with the reason, where libtorch is absent.</summary>
public sealed class TorchFactAttribute : FactAttribute
{
    /// <param name="data">A data set that it needs too.</param>
    public TorchFactAttribute(string? data = null)
    {
        if (!TorchRuntime.TryLoad(out var reason)) Skip = reason;
        else if (data is not null && new DataFactAttribute(data).Skip is { } absent) Skip = absent;
    }
}
