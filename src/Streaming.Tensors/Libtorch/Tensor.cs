using System.Runtime.InteropServices.Marshalling;
using TorchSharp.Utils;

namespace TorchSharp;

public static unsafe partial class torch
{
    /// <summary>
    /// A tensor of libtorch. Dispose it, or make it in a <see cref="NewDisposeScope"/>: the garbage collector knows nothing of the
    /// memory behind it and frees it late.
    /// </summary>
    [NativeMarshalling(typeof(TensorIn))]
    public sealed partial class Tensor : IDisposable
    {
        private static long _totalCount;

        private nint _handle;
        private DisposeScope? _scope;
        private Keeper? _keeper;

        internal Tensor(nint handle)
        {
            _handle = handle;
            if (handle != 0) Interlocked.Increment(ref _totalCount);
            MoveTo(DisposeScope.Current);
        }

        /// <summary>Tensors of the process that are neither disposed nor finalized.</summary>
        public static long TotalCount => Volatile.Read(ref _totalCount);

        internal DisposeScope? OwningScope => _scope;

        /// <summary>Its place in the list of the scope that owns it.</summary>
        internal int Place { get; set; }

        internal nint Handle
        {
            get
            {
                ObjectDisposedException.ThrowIf(_handle == 0, this);
                return _handle;
            }
        }

        public bool IsInvalid => _handle == 0;

        /// <summary>Number of dimensions.</summary>
        public long ndim
        {
            get
            {
                Native.Check(Native.st_dim(this, out var dims));
                return dims;
            }
        }

        public long[] shape => Sizes().Shape;

        public ScalarType dtype
        {
            get
            {
                Native.Check(Native.st_dtype(this, out var type));
                return (ScalarType)type;
            }
        }

        public Device device
        {
            get
            {
                var what = Describe();
                return what.DeviceType == (int)DeviceType.CPU ? CPU : new Device((DeviceType)what.DeviceType, what.DeviceIndex);
            }
        }

        public DeviceType device_type => (DeviceType)Describe().DeviceType;

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool requires_grad
        {
            get
            {
                Native.Check(Native.st_requires_grad(this, out var yes));
                return yes != 0;
            }
            set => Native.Check(Native.st_set_requires_grad(this, value ? 1 : 0));
        }

        public bool is_leaf
        {
            get
            {
                Native.Check(Native.st_is_leaf(this, out var yes));
                return yes != 0;
            }
        }

        /// <summary>The gradient that backward() added up, or null. A new object at every read, which shares the memory.</summary>
        public Tensor? grad
        {
            get
            {
                Native.Check(Native.st_grad(this, out var gradient));
                return gradient == 0 ? null : new Tensor(gradient);
            }
            set => Native.Check(Native.st_set_grad(this, value));
        }

        public long numel()
        {
            Native.Check(Native.st_numel(this, out var count));
            return count;
        }

        public long NumberOfElements => numel();

        public long dim() => ndim;

        public bool is_contiguous() => Describe().Contiguous != 0;

        public long size(int dim)
        {
            Native.Check(Native.st_size(this, dim, out var size));
            return size;
        }

        public long[] size() => shape;

        public long[] stride() => Sizes().Strides;

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        /// <summary>Adds the gradient of this scalar to every leaf that it came from.</summary>
        public void backward() => Native.Check(Native.st_backward(this, null, 0, 0));

        /// <summary>The same from the gradient with respect to this tensor.</summary>
        public void backward(IList<Tensor>? grad_tensors, bool retain_graph = false, bool create_graph = false) =>
            Native.Check(Native.st_backward(this, grad_tensors is { Count: > 0 } ? grad_tensors[0] : null, retain_graph ? 1 : 0, create_graph ? 1 : 0));

        /// <summary>The elements in place.</summary>
        /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the tensor's type.</exception>
        /// <exception cref="InvalidOperationException">The tensor is not in the CPU's memory.</exception>
        public TensorAccessor<T> data<T>()
            where T : unmanaged => new(this);

        /// <summary>
        /// The elements' bytes in place, to read or, assigned, to be copied over: without any object, unlike <see cref="data"/>.
        /// Valid while the tensor is.
        /// </summary>
        /// <exception cref="InvalidOperationException">The tensor is not dense and row-major, or not in the CPU's memory.</exception>
        public Span<byte> bytes
        {
            get
            {
                var what = Describe();
                if (what.Contiguous == 0) throw new InvalidOperationException("the bytes of a tensor that is not contiguous");
                if (what.DeviceType != (int)DeviceType.CPU) throw new InvalidOperationException("Reading data from non-CPU memory is not supported. Move or copy the tensor to the cpu before reading.");
                return new Span<byte>((void*)what.Data, checked((int)(what.Elements * SizeOf((ScalarType)what.Type))));
            }
            set
            {
                var own = bytes;
                if (own.Length != value.Length) throw new ArgumentException($"{value.Length} bytes for a tensor of {own.Length}");
                value.CopyTo(own);
                GC.KeepAlive(this);
            }
        }

        /// <summary>The only element, from any device: from another than the CPU it is copied, which waits for what computes it.</summary>
        public T item<T>()
            where T : unmanaged
        {
            var all = numel();
            if (all != 1) throw new ArgumentException($"item() is for one element, and there are {all}");
            if (device_type == DeviceType.CPU) return data<T>().First();
            using var near = cpu();
            return near.data<T>().First();
        }

        /// <summary>Keeps the tensor beyond its scope, in the one around it.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            _scope?.MoveToOuter(this);
            return this;
        }

        /// <summary>Keeps the tensor until the caller disposes it.</summary>
        public Tensor DetachFromDisposeScope()
        {
            MoveTo(null);
            return this;
        }

        public void Dispose()
        {
            _scope?.Remove(Place);
            var handle = GiveUpHandle();
            if (handle != 0) Native.st_free(handle);
        }

        public override string ToString() => IsInvalid ? "[disposed]" : $"[{string.Join('x', shape)}], type = {dtype}, device = {device}";

        /// <summary>Hands over to a scope, or to a keeper of its own.</summary>
        internal void MoveTo(DisposeScope? scope)
        {
            if (_handle == 0) return;
            _scope?.Remove(Place);
            _scope = scope;
            if (scope is not null)
            {
                Place = scope.Add(this);
                _keeper?.LetGo();
                _keeper = null;
            }
            else _keeper ??= new Keeper(_handle);
        }

        /// <summary>Leaves the native tensor to the caller: 0 where it is gone already. Does not take it out of its scope's list.</summary>
        internal nint GiveUpHandle()
        {
            var handle = Interlocked.Exchange(ref _handle, 0);
            if (handle != 0) Interlocked.Decrement(ref _totalCount);
            _scope = null;
            _keeper?.LetGo();
            _keeper = null;
            return handle;
        }

        internal Description Describe()
        {
            Description what;
            Native.Check(Native.st_describe(this, &what));
            return what;
        }

        private static long SizeOf(ScalarType type) => type switch
        {
            ScalarType.Float64 or ScalarType.Int64 => 8,
            ScalarType.Float32 or ScalarType.Int32 => 4,
            ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Int16 => 2,
            _ => 1,
        };

        private (long[] Shape, long[] Strides) Sizes()
        {
            var shape = new long[ndim];
            var strides = new long[shape.Length];
            fixed (long* sizes = shape, steps = strides) Native.Check(Native.st_sizes(this, sizes, steps));
            return (shape, strides);
        }

        /// <summary>
        /// Frees a tensor that no scope owns and nobody disposed. Apart, because an object with a finalizer costs far more to make,
        /// and the tensors of a step, which their scope frees, need none.
        /// </summary>
        private sealed class Keeper(nint handle)
        {
            ~Keeper()
            {
                Interlocked.Decrement(ref _totalCount);
                Native.st_free(handle);
            }

            public void LetGo() => GC.SuppressFinalize(this);
        }
    }
}
