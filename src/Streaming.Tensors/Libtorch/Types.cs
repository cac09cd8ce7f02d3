using System.Globalization;

namespace TorchSharp;

/// <summary>Where a tensor lies; the numbers are libtorch's.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
}

/// <summary>
/// A number with its kind: implicit from .NET's numbers, so that it is never written out. A value here, a class in the package:
/// code that only converts to it, as models do, sees no difference.
/// </summary>
public readonly struct Scalar : IDisposable
{
    private Scalar(double value) => Number = new Number(value, 0, 0);

    private Scalar(long value) => Number = new Number(0, value, 1);

    internal Number Number { get; }

    internal bool IsInteger => Number.IsInteger != 0;

    public static implicit operator Scalar(int value) => new((long)value);
    public static implicit operator Scalar(long value) => new(value);
    public static implicit operator Scalar(float value) => new((double)value);
    public static implicit operator Scalar(double value) => new(value);

    /// <summary>TorchSharp's scalars own memory; these do not, and disposing one does nothing.</summary>
    public void Dispose()
    {
    }
}

public static partial class torch
{
    /// <summary>Element types; the numbers are libtorch's.</summary>
    public enum ScalarType : sbyte
    {
        Byte = 0,
        Int8 = 1,
        Int16 = 2,
        Int32 = 3,
        Int64 = 4,
        Float16 = 5,
        Float32 = 6,
        Float64 = 7,
        Bool = 11,
        BFloat16 = 15,
    }

    public static readonly ScalarType uint8 = ScalarType.Byte;
    public static readonly ScalarType int32 = ScalarType.Int32;
    public static readonly ScalarType int64 = ScalarType.Int64;
    public static readonly ScalarType float32 = ScalarType.Float32;
    public static readonly ScalarType float64 = ScalarType.Float64;
    public static readonly ScalarType @bool = ScalarType.Bool;

    /// <summary>A place for tensors. Naming one asks nothing of the machine; making a tensor there does.</summary>
    public class Device
    {
        /// <param name="index">Which of several; -1 is the current one.</param>
        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        /// <param name="description">"cpu", "cuda" or "cuda:1".</param>
        /// <exception cref="ArgumentException">Another kind of device.</exception>
        public Device(string description)
        {
            var colon = description.IndexOf(':');
            var name = colon < 0 ? description : description[..colon];
            type = Enum.Parse<DeviceType>(name.ToUpperInvariant());
            index = colon < 0 ? -1 : int.Parse(description.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        }

        public DeviceType type { get; }
        public int index { get; }

        internal Place Place => new((int)type, index);

        public override string ToString() => type == DeviceType.CPU ? "cpu" : index < 0 ? "cuda" : $"cuda:{index}";

        public static implicit operator Device(string description) => new(description);
    }

    public static readonly Device CPU = new(DeviceType.CPU);

    public static readonly Device CUDA = new(DeviceType.CUDA);

    public static Device device(string description) => new(description);

    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);

    public static class cuda
    {
        /// <summary>Whether this libtorch was built with CUDA and finds a device.</summary>
        public static bool is_available()
        {
            Native.Check(Native.st_cuda_is_available(out var yes));
            return yes != 0;
        }

        public static int device_count()
        {
            Native.Check(Native.st_cuda_device_count(out var count));
            return count;
        }

        /// <summary>Waits until the device has done all that was asked of it.</summary>
        public static void synchronize(Device? device = null) => Native.Check(Native.st_cuda_synchronize(device?.index ?? -1));
    }
}
