namespace TorchSharp;

/// <summary>Where a tensor lies.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
}

/// <summary>A number with its kind: implicit from .NET's numbers, so that it is never written out.</summary>
public sealed class Scalar : IDisposable
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

    /// <summary>A place for tensors. This subset has the CPU alone.</summary>
    public class Device
    {
        /// <exception cref="NotSupportedException">Anything but the CPU.</exception>
        public Device(DeviceType deviceType, int index = -1)
        {
            if (deviceType != DeviceType.CPU) throw new NotSupportedException($"device {deviceType} needs the TorchSharp package; this build has the CPU alone");
            type = deviceType;
            this.index = index;
        }

        public Device(string description)
            : this(description == "cpu" ? DeviceType.CPU : DeviceType.CUDA)
        {
        }

        public DeviceType type { get; }
        public int index { get; }

        public override string ToString() => "cpu";
    }

    public static readonly Device CPU = new(DeviceType.CPU);

    public static Device device(string description) => new(description);

    public static class cuda
    {
        /// <summary>Always false here: CUDA comes with the TorchSharp package.</summary>
        public static bool is_available() => false;
    }
}
