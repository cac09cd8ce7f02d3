namespace TorchSharp;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        public Tensor view(params long[] shape)
        {
            fixed (long* first = shape) return Made(Native.st_view(this, first, shape.Length, out var made), made);
        }

        public Tensor reshape(params long[] shape)
        {
            fixed (long* first = shape) return Made(Native.st_reshape(this, first, shape.Length, out var made), made);
        }

        public Tensor expand(params long[] sizes)
        {
            fixed (long* first = sizes) return Made(Native.st_expand(this, first, sizes.Length, out var made), made);
        }

        public Tensor repeat(params long[] sizes)
        {
            fixed (long* first = sizes) return Made(Native.st_repeat(this, first, sizes.Length, out var made), made);
        }

        public Tensor permute(params long[] permutation)
        {
            fixed (long* first = permutation) return Made(Native.st_permute(this, first, permutation.Length, out var made), made);
        }

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Made(Native.st_flatten(this, start_dim, end_dim, out var made), made);
        public Tensor transpose(long dim0, long dim1) => Made(Native.st_transpose(this, dim0, dim1, out var made), made);
        public Tensor t() => Made(Native.st_t(this, out var made), made);

        /// <summary>The transpose of a matrix.</summary>
        public Tensor T => t();

        /// <summary>The last two dimensions exchanged.</summary>
        public Tensor mT => transpose(-2, -1);

        public Tensor unsqueeze(long dim) => Made(Native.st_unsqueeze(this, dim, out var made), made);
        public Tensor squeeze(long? dim = null) => Made(Native.st_squeeze(this, dim is null ? 0 : 1, dim ?? 0, out var made), made);
        public Tensor select(long dim, long index) => Made(Native.st_select(this, dim, index, out var made), made);
        public Tensor narrow(long dim, long start, long length) => Made(Native.st_narrow(this, dim, start, length, out var made), made);
        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => Made(Native.st_diagonal(this, offset, dim1, dim2, out var made), made);
        public Tensor tril(long diagonal = 0) => Made(Native.st_tril(this, diagonal, out var made), made);
        public Tensor triu(long diagonal = 0) => Made(Native.st_triu(this, diagonal, out var made), made);
        public Tensor gather(long dim, Tensor index) => Made(Native.st_gather(this, dim, index, out var made), made);
        public Tensor index_select(long dim, Tensor index) => Made(Native.st_index_select(this, dim, index, out var made), made);
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Made(Native.st_index_add(this, dim, index, source, alpha.Number, out var made), made);
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Made(Native.st_scatter_add(this, dim, index, src, out var made), made);
        public Tensor this[long i1] => select(0, i1);

        // This tensor itself where nothing is to be converted and no copy is asked for, as in libtorch: a new object that shares its memory.

        public Tensor to_type(ScalarType type, bool copy = false) => Moved(type, null, copy, false);
        public Tensor to(ScalarType type, bool copy = false) => Moved(type, null, copy, false);
        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
        {
            var moved = Moved(null, device, copy, non_blocking);
            if (disposeAfter) Dispose();
            return moved;
        }
        public Tensor to(ScalarType type, Device device, bool copy = false) => Moved(type, device, copy, false);
        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false) => Moved(null, new Device(deviceType, deviceIndex), copy, false);
        public Tensor cpu() => Moved(null, CPU, false, false);
        public Tensor cuda(Device? device = null, bool non_blocking = false) => Moved(null, device ?? CUDA, false, non_blocking);

        private Tensor Moved(ScalarType? type, Device? place, bool copy, bool nonBlocking)
        {
            var what = Describe();
            var there = place?.Place ?? new Place(what.DeviceType, what.DeviceIndex);
            return Made(Native.st_to(this, type is null ? what.Type : (int)type, there, copy ? 1 : 0, nonBlocking ? 1 : 0, out var made), made);
        }
    }

    public static Tensor reshape(Tensor input, params long[] shape) => input.reshape(shape);
    public static Tensor transpose(Tensor input, long dim0, long dim1) => input.transpose(dim0, dim1);
    public static Tensor permute(Tensor input, params long[] permutation) => input.permute(permutation);
    public static Tensor flatten(Tensor input, long start_dim = 0, long end_dim = -1) => input.flatten(start_dim, end_dim);
    public static Tensor squeeze(Tensor input, long? dim = null) => input.squeeze(dim);
    public static Tensor unsqueeze(Tensor input, long dim) => input.unsqueeze(dim);
    public static Tensor narrow(Tensor input, long dim, long start, long length) => input.narrow(dim, start, length);
    public static Tensor select(Tensor input, long dim, long index) => input.select(dim, index);
    public static Tensor diagonal(Tensor input, long offset = 0, long dim1 = 0, long dim2 = 1) => input.diagonal(offset, dim1, dim2);
    public static Tensor tril(Tensor input, long diagonal = 0) => input.tril(diagonal);
    public static Tensor triu(Tensor input, long diagonal = 0) => input.triu(diagonal);
    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);
    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);

    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => cat([.. tensors], dim);
    public static Tensor cat(Tensor[] tensors, long dim = 0) => cat(tensors.AsSpan(), dim);

    public static Tensor cat(ReadOnlySpan<Tensor> tensors, long dim = 0)
    {
        var handles = stackalloc nint[Few(tensors.Length)];
        Handles(tensors, handles);
        var status = Native.st_cat(handles, tensors.Length, dim, out var made);
        foreach (var tensor in tensors) GC.KeepAlive(tensor);
        return Made(status, made);
    }

    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0)
    {
        var all = tensors as Tensor[] ?? [.. tensors];
        var handles = stackalloc nint[Few(all.Length)];
        Handles(all, handles);
        var status = Native.st_stack(handles, all.Length, dim, out var made);
        GC.KeepAlive(all);
        return Made(status, made);
    }

    /// <summary>Lists of tensors go through the stack.</summary>
    private static int Few(int count) => count <= 4096 ? count : throw new ArgumentException($"{count} tensors at once, and 4096 is the limit");
}
