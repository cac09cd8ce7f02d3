using System.Runtime.InteropServices;
using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>Plain arrays into tensors and back.</summary>
public static class TensorMemory
{
    /// <summary>A leaf with a copy of the values, row-major, in the scope that is open.</summary>
    /// <param name="values">Shape <paramref name="shape"/>.</param>
    /// <param name="device">Where it is to lie.</param>
    /// <param name="learned">Whether backward() gives it a gradient.</param>
    public static torch.Tensor Tensor(ReadOnlySpan<float> values, long[] shape, torch.Device device, bool learned = false)
    {
        var tensor = torch.empty(shape, torch.ScalarType.Float32);
        values.CopyTo(MemoryMarshal.Cast<byte, float>(tensor.bytes));
        if (device.type != DeviceType.CPU) tensor = tensor.to(device);
        return learned ? tensor.requires_grad_() : tensor;
    }

    /// <inheritdoc cref="Tensor(ReadOnlySpan{float}, long[], torch.Device, bool)"/>
    public static torch.Tensor Tensor(ReadOnlySpan<long> values, long[] shape, torch.Device device)
    {
        var tensor = torch.empty(shape, torch.ScalarType.Int64);
        values.CopyTo(MemoryMarshal.Cast<byte, long>(tensor.bytes));
        return device.type != DeviceType.CPU ? tensor.to(device) : tensor;
    }

    /// <summary>Copies a tensor of floats out, row-major.</summary>
    /// <param name="tensor">Any device, any strides.</param>
    /// <param name="into">As long as the tensor has elements.</param>
    public static void Read(torch.Tensor tensor, Span<float> into)
    {
        var near = tensor.device_type == DeviceType.CPU ? tensor : tensor.cpu();
        var values = MemoryMarshal.Cast<byte, float>(near.contiguous().bytes);
        if (values.Length != into.Length) throw new ArgumentException($"{values.Length} elements for a place of {into.Length}");
        values.CopyTo(into);
    }

    /// <summary>The gradient that backward() left at a leaf, into a place of its size; zeros where the loss did not hang on it.</summary>
    public static void ReadGradient(torch.Tensor leaf, Span<float> into)
    {
        if (leaf.grad is { } gradient) Read(gradient, into);
        else into.Clear();
    }
}
