namespace TorchSharp;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        public Tensor sum() => Made(Native.st_sum(this, out var made), made);
        public Tensor mean() => Made(Native.st_mean(this, out var made), made);
        public Tensor max() => Made(Native.st_max(this, out var made), made);
        public Tensor min() => Made(Native.st_min(this, out var made), made);
        public Tensor argmax() => Made(Native.st_argmax(this, out var made), made);
        public Tensor argmin() => Made(Native.st_argmin(this, out var made), made);
        public Tensor any() => Made(Native.st_any(this, out var made), made);
        public Tensor all() => Made(Native.st_all(this, out var made), made);
        public Tensor var(bool unbiased = true) => Made(Native.st_var(this, unbiased ? 1 : 0, out var made), made);
        public Tensor std(bool unbiased = true) => Made(Native.st_std(this, unbiased ? 1 : 0, out var made), made);
        public Tensor norm(float p = 2) => Made(Native.st_norm(this, p, out var made), made);

        public Tensor sum(long dim, bool keepdim = false) => Made(Native.st_sum_dims(this, &dim, 1, keepdim ? 1 : 0, out var made), made);
        public Tensor sum(long[] dim, bool keepdim = false) => sum((ReadOnlySpan<long>)dim, keepdim);

        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false)
        {
            fixed (long* first = dim) return Made(Native.st_sum_dims(this, first, dim.Length, keepdim ? 1 : 0, out var made), made);
        }

        public Tensor mean(long[] dimensions, bool keepdim = false)
        {
            fixed (long* first = dimensions) return Made(Native.st_mean_dims(this, first, dimensions.Length, keepdim ? 1 : 0, out var made), made);
        }

        public Tensor amax(long[] dims, bool keepdim = false)
        {
            fixed (long* first = dims) return Made(Native.st_amax(this, first, dims.Length, keepdim ? 1 : 0, out var made), made);
        }

        public Tensor amin(long[] dims, bool keepdim = false)
        {
            fixed (long* first = dims) return Made(Native.st_amin(this, first, dims.Length, keepdim ? 1 : 0, out var made), made);
        }

        public Tensor var(long dim, bool unbiased = true, bool keepdim = false) =>
            Made(Native.st_var_dims(this, &dim, 1, unbiased ? 1 : 0, keepdim ? 1 : 0, out var made), made);

        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false)
        {
            fixed (long* first = dimensions)
                return Made(Native.st_var_dims(this, first, dimensions.Length, unbiased ? 1 : 0, keepdim ? 1 : 0, out var made), made);
        }

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false) =>
            Made(Native.st_std_dims(this, &dim, 1, unbiased ? 1 : 0, keepdim ? 1 : 0, out var made), made);

        public Tensor norm(int dim, bool keepdim = false, float p = 2) => Made(Native.st_norm_dim(this, dim, keepdim ? 1 : 0, p, out var made), made);
        public Tensor argmax(long dim, bool keepdim = false) => Made(Native.st_argmax_dim(this, dim, keepdim ? 1 : 0, out var made), made);
        public Tensor argmin(long dim, bool keepdim = false) => Made(Native.st_argmin_dim(this, dim, keepdim ? 1 : 0, out var made), made);
        public Tensor any(long dim, bool keepdim = false) => Made(Native.st_any_dim(this, dim, keepdim ? 1 : 0, out var made), made);
        public Tensor all(long dim, bool keepdim = false) => Made(Native.st_all_dim(this, dim, keepdim ? 1 : 0, out var made), made);
        public Tensor logsumexp(long dim, bool keepdim = false) => Made(Native.st_logsumexp(this, dim, keepdim ? 1 : 0, out var made), made);
        public Tensor cumsum(long dim) => Made(Native.st_cumsum(this, dim, out var made), made);
        public Tensor softmax(long dim) => Made(Native.st_softmax(this, dim, out var made), made);
        public Tensor log_softmax(long dim) => Made(Native.st_log_softmax(this, dim, out var made), made);

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false) =>
            Both(Native.st_max_dim(this, dim, keepdim ? 1 : 0, out var values, out var indexes), values, indexes);

        public (Tensor values, Tensor indexes) min(long dim, bool keepdim = false) =>
            Both(Native.st_min_dim(this, dim, keepdim ? 1 : 0, out var values, out var indexes), values, indexes);

        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false) =>
            Both(Native.st_sort(this, dim, descending ? 1 : 0, stable ? 1 : 0, out var values, out var indexes), values, indexes);

        public Tensor argsort(long dim = -1, bool descending = false)
        {
            var (values, indexes) = sort(dim, descending);
            values.Dispose();
            return indexes;
        }

        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true) =>
            Both(Native.st_topk(this, k, dim, largest ? 1 : 0, sorted ? 1 : 0, out var values, out var indexes), values, indexes);

        private static (Tensor, Tensor) Both(int status, nint values, nint indexes)
        {
            Native.Check(status);
            return (new Tensor(values), new Tensor(indexes));
        }
    }

    public static Tensor sum(Tensor input, long dim, bool keepdim = false) => input.sum(dim, keepdim);
    public static Tensor sum(Tensor input, ReadOnlySpan<long> dim, bool keepdim = false) => input.sum(dim, keepdim);
    public static Tensor mean(Tensor input, long[] dimensions, bool keepdim = false) => input.mean(dimensions, keepdim);
    public static (Tensor values, Tensor indexes) max(Tensor input, long dim, bool keepdim = false) => input.max(dim, keepdim);
    public static (Tensor values, Tensor indexes) min(Tensor input, long dim, bool keepdim = false) => input.min(dim, keepdim);
    public static (Tensor values, Tensor indexes) topk(Tensor tensor, int k, int dim = -1, bool largest = true, bool sorted = true) =>
        tensor.topk(k, dim, largest, sorted);
    public static Tensor argmax(Tensor input, long dim, bool keepdim = false) => input.argmax(dim, keepdim);
    public static Tensor argsort(Tensor input, long dim = -1, bool descending = false) => input.argsort(dim, descending);
    public static Tensor logsumexp(Tensor input, long dim, bool keepdim = false) => input.logsumexp(dim, keepdim);
    public static Tensor cumsum(Tensor input, long dim) => input.cumsum(dim);
    public static Tensor softmax(Tensor input, int dim) => input.softmax(dim);
    public static Tensor norm(Tensor input, int dimension, bool keepdim = false, float p = 2) => input.norm(dimension, keepdim, p);
}
