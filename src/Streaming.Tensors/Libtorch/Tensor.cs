using TorchSharp.Utils;

namespace TorchSharp;

public static unsafe partial class torch
{
    /// <summary>
    /// A tensor of libtorch. Dispose it, or make it in a <see cref="NewDisposeScope"/>: the garbage collector knows nothing of the
    /// memory behind it and frees it late.
    /// </summary>
    public sealed partial class Tensor : IDisposable
    {
        private readonly TensorHandle _handle;

        internal Tensor(nint handle)
        {
            _handle = new TensorHandle(handle);
            OwningScope = DisposeScope.Register(this);
        }

        internal DisposeScope? OwningScope { get; set; }

        internal TensorHandle Handle
        {
            get
            {
                ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
                return _handle;
            }
        }

        internal nint DataPointer
        {
            get
            {
                Native.Check(Native.st_data_ptr(Handle, out var data));
                return data;
            }
        }

        public bool IsInvalid => _handle.IsClosed || _handle.IsInvalid;

        /// <summary>Number of dimensions.</summary>
        public long ndim
        {
            get
            {
                Native.Check(Native.st_dim(Handle, out var dims));
                return dims;
            }
        }

        public long[] shape => Sizes().Shape;

        public ScalarType dtype
        {
            get
            {
                Native.Check(Native.st_dtype(Handle, out var type));
                return (ScalarType)type;
            }
        }

        public Device device
        {
            get
            {
                Native.Check(Native.st_device(Handle, out var type, out var index));
                return new Device((DeviceType)type, index);
            }
        }

        public bool requires_grad
        {
            get
            {
                Native.Check(Native.st_requires_grad(Handle, out var yes));
                return yes != 0;
            }
            set => Native.Check(Native.st_set_requires_grad(Handle, value ? 1 : 0));
        }

        public bool is_leaf
        {
            get
            {
                Native.Check(Native.st_is_leaf(Handle, out var yes));
                return yes != 0;
            }
        }

        /// <summary>The gradient that backward() added up, or null. A new object at every read, which shares the memory.</summary>
        public Tensor? grad
        {
            get
            {
                Native.Check(Native.st_grad(Handle, out var gradient));
                return gradient == 0 ? null : new Tensor(gradient);
            }
            set
            {
                Native.Check(Native.st_set_grad(Handle, value?.Handle.DangerousGetHandle() ?? 0));
                GC.KeepAlive(value);
            }
        }

        public long numel() => shape.Aggregate(1L, (product, size) => product * size);

        public long dim() => ndim;

        public long size(int dim) => shape[dim < 0 ? dim + (int)ndim : dim];

        public long[] size() => shape;

        public long[] stride() => Sizes().Strides;

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        /// <summary>Adds the gradient of this scalar to every leaf that it came from.</summary>
        public void backward() => Native.Check(Native.st_backward(Handle, 0, 0, 0));

        /// <summary>The same from the gradient with respect to this tensor.</summary>
        public void backward(IList<Tensor>? grad_tensors, bool retain_graph = false, bool create_graph = false)
        {
            var gradient = grad_tensors is { Count: > 0 } ? grad_tensors[0] : null;
            Native.Check(Native.st_backward(Handle, gradient?.Handle.DangerousGetHandle() ?? 0, retain_graph ? 1 : 0, create_graph ? 1 : 0));
            GC.KeepAlive(gradient);
        }

        /// <summary>The elements in place.</summary>
        /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the tensor's type.</exception>
        public TensorAccessor<T> data<T>()
            where T : unmanaged => new(this);

        /// <summary>The only element.</summary>
        public T item<T>()
            where T : unmanaged
        {
            if (numel() != 1) throw new ArgumentException($"item() is for one element, and there are {numel()}");
            return data<T>().ToArray()[0];
        }

        /// <summary>Keeps the tensor beyond its scope, in the one around it.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            OwningScope?.MoveToOuter(this);
            return this;
        }

        /// <summary>Keeps the tensor until the caller disposes it.</summary>
        public Tensor DetachFromDisposeScope()
        {
            OwningScope?.Detach(this);
            return this;
        }

        public void Dispose()
        {
            OwningScope?.Forget(this);
            OwningScope = null;
            _handle.Dispose();
        }

        public override string ToString() => IsInvalid ? "[disposed]" : $"[{string.Join('x', shape)}], type = {dtype}, device = {device}";

        private (long[] Shape, long[] Strides) Sizes()
        {
            var shape = new long[ndim];
            var strides = new long[shape.Length];
            fixed (long* sizes = shape, steps = strides) Native.Check(Native.st_sizes(Handle, sizes, steps));
            return (shape, strides);
        }
    }
}
