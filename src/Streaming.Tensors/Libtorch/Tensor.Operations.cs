namespace TorchSharp;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        private delegate int Unary(TensorHandle t, out nint result);

        private delegate int Binary(TensorHandle a, TensorHandle b, out nint result);

        private delegate int WithNumber(TensorHandle a, Number b, out nint result);

        private delegate int Sized(TensorHandle t, long* sizes, int dims, out nint result);

        private delegate int Reduced(TensorHandle t, long* dims, int count, int keep, out nint result);

        public Tensor neg() => Call(Native.st_neg);
        public Tensor negative() => neg();
        public Tensor abs() => Call(Native.st_abs);
        public Tensor exp() => Call(Native.st_exp);
        public Tensor log() => Call(Native.st_log);
        public Tensor sqrt() => Call(Native.st_sqrt);
        public Tensor reciprocal() => Call(Native.st_reciprocal);
        public Tensor sigmoid() => Call(Native.st_sigmoid);
        public Tensor tanh() => Call(Native.st_tanh);
        public Tensor relu() => Call(Native.st_relu);
        public Tensor sum() => Call(Native.st_sum);
        public Tensor mean() => Call(Native.st_mean);
        public Tensor max() => Call(Native.st_max);
        public Tensor min() => Call(Native.st_min);
        public Tensor argmax() => Call(Native.st_argmax);
        public Tensor t() => Call(Native.st_t);
        public Tensor detach() => Call(Native.st_detach);
        public Tensor clone() => Call(Native.st_clone);
        public Tensor contiguous() => Call(Native.st_contiguous);

        public Tensor add(Tensor target) => Call(Native.st_add, target);
        public Tensor add(Scalar scalar) => Call(Native.st_add_number, scalar);
        public Tensor sub(Tensor target) => Call(Native.st_sub, target);
        public Tensor sub(Scalar target) => Call(Native.st_sub_number, target);
        public Tensor mul(Tensor target) => Call(Native.st_mul, target);
        public Tensor mul(Scalar target) => Call(Native.st_mul_number, target);
        public Tensor div(Tensor target) => Call(Native.st_div, target);
        public Tensor div(Scalar target) => Call(Native.st_div_number, target);
        public Tensor pow(Tensor exponent) => Call(Native.st_pow, exponent);
        public Tensor pow(Scalar exponent) => Call(Native.st_pow_number, exponent);
        public Tensor square() => pow(2);
        public Tensor maximum(Tensor other) => Call(Native.st_maximum, other);
        public Tensor minimum(Tensor other) => Call(Native.st_minimum, other);
        public Tensor eq(Tensor target) => Call(Native.st_eq, target);
        public Tensor eq(Scalar target) => Call(Native.st_eq_number, target);
        public Tensor gt(Tensor target) => Call(Native.st_gt, target);
        public Tensor gt(Scalar target) => Call(Native.st_gt_number, target);
        public Tensor lt(Tensor target) => Call(Native.st_lt, target);
        public Tensor lt(Scalar target) => Call(Native.st_lt_number, target);

        public Tensor matmul(Tensor target) => Call(Native.st_matmul, target);
        public Tensor mm(Tensor target) => Call(Native.st_mm, target);
        public Tensor bmm(Tensor batch2) => Call(Native.st_bmm, batch2);

        /// <summary>this += alpha * target, in place: an optimizer's step, under <see cref="no_grad"/>.</summary>
        public Tensor add_(Tensor target, Scalar alpha)
        {
            Native.Check(Native.st_add_in_place(Handle, target.Handle, alpha.Number));
            return this;
        }

        public Tensor add_(Tensor target) => add_(target, 1);

        public Tensor copy_(Tensor source)
        {
            Native.Check(Native.st_copy_in_place(Handle, source.Handle));
            return this;
        }

        public Tensor view(params long[] shape) => Call(Native.st_view, shape);
        public Tensor reshape(params long[] shape) => Call(Native.st_reshape, shape);
        public Tensor transpose(long dim0, long dim1) => Made(Native.st_transpose(Handle, dim0, dim1, out var result), result);
        public Tensor unsqueeze(long dim) => Made(Native.st_unsqueeze(Handle, dim, out var result), result);
        public Tensor squeeze(long? dim = null) => Made(Native.st_squeeze(Handle, dim is null ? 0 : 1, dim ?? 0, out var result), result);
        public Tensor select(long dim, long index) => Made(Native.st_select(Handle, dim, index, out var result), result);
        public Tensor narrow(long dim, long start, long length) => Made(Native.st_narrow(Handle, dim, start, length, out var result), result);
        public Tensor this[long i1] => select(0, i1);
        public Tensor to_type(ScalarType type, bool copy = false) => Made(Native.st_to_type(Handle, (int)type, copy ? 1 : 0, out var result), result);
        public Tensor to(ScalarType type, bool copy = false) => to_type(type, copy);
        public Tensor gather(long dim, Tensor index) => Made(Native.st_gather(Handle, dim, index.Handle, out var result), result);
        public Tensor index_select(long dim, Tensor index) => Made(Native.st_index_select(Handle, dim, index.Handle, out var result), result);

        public Tensor sum(long dim, bool keepdim = false) => sum([dim], keepdim);
        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false) => Call(Native.st_sum_dims, dim, keepdim);
        public Tensor mean(long[] dimensions, bool keepdim = false) => Call(Native.st_mean_dims, dimensions, keepdim);
        public Tensor argmax(long dim, bool keepdim = false) => Made(Native.st_argmax_dim(Handle, dim, keepdim ? 1 : 0, out var result), result);
        public Tensor softmax(long dim) => Made(Native.st_softmax(Handle, dim, out var result), result);
        public Tensor log_softmax(long dim) => Made(Native.st_log_softmax(Handle, dim, out var result), result);

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false)
        {
            Native.Check(Native.st_max_dim(Handle, dim, keepdim ? 1 : 0, out var values, out var indexes));
            return (new Tensor(values), new Tensor(indexes));
        }

        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);
        public static Tensor operator +(Tensor left, Scalar right) => left.add(right);
        public static Tensor operator +(Scalar left, Tensor right) => right.add(left);
        public static Tensor operator -(Tensor left, Tensor right) => left.sub(right);
        public static Tensor operator -(Tensor left, Scalar right) => left.sub(right);
        public static Tensor operator -(Scalar left, Tensor right) => right.negative().add(left);
        public static Tensor operator -(Tensor tensor) => tensor.negative();
        public static Tensor operator *(Tensor left, Tensor right) => left.mul(right);
        public static Tensor operator *(Tensor left, Scalar right) => left.mul(right);
        public static Tensor operator *(Scalar left, Tensor right) => right.mul(left);
        public static Tensor operator /(Tensor left, Tensor right) => left.div(right);
        public static Tensor operator /(Tensor left, Scalar right) => left.div(right);
        public static Tensor operator /(Scalar left, Tensor right) => right.reciprocal().mul(left);

        internal static Tensor Made(int status, nint result)
        {
            Native.Check(status);
            return new Tensor(result);
        }

        private Tensor Call(Unary operation) => Made(operation(Handle, out var result), result);

        private Tensor Call(Binary operation, Tensor other) => Made(operation(Handle, other.Handle, out var result), result);

        private Tensor Call(WithNumber operation, Scalar other) => Made(operation(Handle, other.Number, out var result), result);

        private Tensor Call(Sized operation, long[] shape)
        {
            fixed (long* sizes = shape) return Made(operation(Handle, sizes, shape.Length, out var result), result);
        }

        private Tensor Call(Reduced operation, ReadOnlySpan<long> dims, bool keep)
        {
            fixed (long* first = dims) return Made(operation(Handle, first, dims.Length, keep ? 1 : 0, out var result), result);
        }
    }

    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);
    public static Tensor mm(Tensor input, Tensor target) => input.mm(target);
    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);
    public static Tensor exp(Tensor input) => input.exp();
    public static Tensor log(Tensor input) => input.log();
    public static Tensor sqrt(Tensor input) => input.sqrt();
    public static Tensor sigmoid(Tensor input) => input.sigmoid();
    public static Tensor tanh(Tensor input) => input.tanh();
    public static Tensor softmax(Tensor input, int dim) => input.softmax(dim);
    public static Tensor sum(Tensor input) => input.sum();
    public static Tensor mean(Tensor input) => input.mean();
    public static Tensor max(Tensor input) => input.max();
    public static Tensor reshape(Tensor input, params long[] shape) => input.reshape(shape);
    public static Tensor transpose(Tensor input, long dim0, long dim1) => input.transpose(dim0, dim1);
    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);
    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);
    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => Joined(Native.st_cat, tensors, dim);
    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => Joined(Native.st_stack, [.. tensors], dim);

    private delegate int Join(nint* tensors, int count, long dim, out nint result);

    private static Tensor Joined(Join join, IList<Tensor> tensors, long dim)
    {
        var handles = new nint[tensors.Count];
        for (var i = 0; i < handles.Length; i++) handles[i] = tensors[i].Handle.DangerousGetHandle();
        fixed (nint* first = handles)
        {
            var status = join(first, handles.Length, dim, out var result);
            GC.KeepAlive(tensors);
            return Tensor.Made(status, result);
        }
    }
}
