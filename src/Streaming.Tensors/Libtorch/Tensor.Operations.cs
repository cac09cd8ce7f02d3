namespace TorchSharp;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        public Tensor neg() => Made(Native.st_neg(this, out var made), made);
        public Tensor abs() => Made(Native.st_abs(this, out var made), made);
        public Tensor exp() => Made(Native.st_exp(this, out var made), made);
        public Tensor log() => Made(Native.st_log(this, out var made), made);
        public Tensor log1p() => Made(Native.st_log1p(this, out var made), made);
        public Tensor expm1() => Made(Native.st_expm1(this, out var made), made);
        public Tensor sqrt() => Made(Native.st_sqrt(this, out var made), made);
        public Tensor rsqrt() => Made(Native.st_rsqrt(this, out var made), made);
        public Tensor square() => Made(Native.st_square(this, out var made), made);
        public Tensor sign() => Made(Native.st_sign(this, out var made), made);
        public Tensor floor() => Made(Native.st_floor(this, out var made), made);
        public Tensor ceil() => Made(Native.st_ceil(this, out var made), made);
        public Tensor erf() => Made(Native.st_erf(this, out var made), made);
        public Tensor sin() => Made(Native.st_sin(this, out var made), made);
        public Tensor cos() => Made(Native.st_cos(this, out var made), made);
        public Tensor reciprocal() => Made(Native.st_reciprocal(this, out var made), made);
        public Tensor sigmoid() => Made(Native.st_sigmoid(this, out var made), made);
        public Tensor tanh() => Made(Native.st_tanh(this, out var made), made);
        public Tensor relu() => Made(Native.st_relu(this, out var made), made);
        public Tensor silu() => Made(Native.st_silu(this, out var made), made);
        public Tensor gelu() => Made(Native.st_gelu(this, out var made), made);
        public Tensor logical_not() => Made(Native.st_logical_not(this, out var made), made);
        public Tensor isnan() => Made(Native.st_isnan(this, out var made), made);
        public Tensor isfinite() => Made(Native.st_isfinite(this, out var made), made);
        public Tensor nonzero() => Made(Native.st_nonzero(this, out var made), made);
        public Tensor detach() => Made(Native.st_detach(this, out var made), made);
        public Tensor clone() => Made(Native.st_clone(this, out var made), made);
        public Tensor contiguous() => Made(Native.st_contiguous(this, out var made), made);
        public Tensor negative() => neg();

        public Tensor add(Tensor target) => Made(Native.st_add(this, target, out var made), made);
        public Tensor add(Scalar scalar) => Made(Native.st_add_number(this, scalar.Number, out var made), made);
        public Tensor sub(Tensor target) => Made(Native.st_sub(this, target, out var made), made);
        public Tensor sub(Scalar target) => Made(Native.st_sub_number(this, target.Number, out var made), made);
        public Tensor mul(Tensor target) => Made(Native.st_mul(this, target, out var made), made);
        public Tensor mul(Scalar target) => Made(Native.st_mul_number(this, target.Number, out var made), made);
        public Tensor div(Tensor target) => Made(Native.st_div(this, target, out var made), made);
        public Tensor div(Scalar target) => Made(Native.st_div_number(this, target.Number, out var made), made);
        public Tensor pow(Tensor exponent) => Made(Native.st_pow(this, exponent, out var made), made);
        public Tensor pow(Scalar exponent) => Made(Native.st_pow_number(this, exponent.Number, out var made), made);
        public Tensor eq(Tensor target) => Made(Native.st_eq(this, target, out var made), made);
        public Tensor eq(Scalar target) => Made(Native.st_eq_number(this, target.Number, out var made), made);
        public Tensor ne(Tensor target) => Made(Native.st_ne(this, target, out var made), made);
        public Tensor ne(Scalar target) => Made(Native.st_ne_number(this, target.Number, out var made), made);
        public Tensor gt(Tensor target) => Made(Native.st_gt(this, target, out var made), made);
        public Tensor gt(Scalar target) => Made(Native.st_gt_number(this, target.Number, out var made), made);
        public Tensor ge(Tensor target) => Made(Native.st_ge(this, target, out var made), made);
        public Tensor ge(Scalar target) => Made(Native.st_ge_number(this, target.Number, out var made), made);
        public Tensor lt(Tensor target) => Made(Native.st_lt(this, target, out var made), made);
        public Tensor lt(Scalar target) => Made(Native.st_lt_number(this, target.Number, out var made), made);
        public Tensor le(Tensor target) => Made(Native.st_le(this, target, out var made), made);
        public Tensor le(Scalar target) => Made(Native.st_le_number(this, target.Number, out var made), made);
        public Tensor maximum(Tensor other) => Made(Native.st_maximum(this, other, out var made), made);
        public Tensor minimum(Tensor other) => Made(Native.st_minimum(this, other, out var made), made);
        public Tensor logical_and(Tensor other) => Made(Native.st_logical_and(this, other, out var made), made);
        public Tensor logical_or(Tensor other) => Made(Native.st_logical_or(this, other, out var made), made);
        public Tensor matmul(Tensor target) => Made(Native.st_matmul(this, target, out var made), made);
        public Tensor mm(Tensor target) => Made(Native.st_mm(this, target, out var made), made);
        public Tensor bmm(Tensor batch2) => Made(Native.st_bmm(this, batch2, out var made), made);
        public Tensor dot(Tensor target) => Made(Native.st_dot(this, target, out var made), made);
        public Tensor outer(Tensor vec2) => Made(Native.st_outer(this, vec2, out var made), made);
        public Tensor prelu(Tensor target) => Made(Native.st_prelu(this, target, out var made), made);
        public Tensor view_as(Tensor other) => Made(Native.st_view_as(this, other, out var made), made);
        public Tensor expand_as(Tensor other) => Made(Native.st_expand_as(this, other, out var made), made);
        public Tensor leaky_relu(Scalar negative_slope) => Made(Native.st_leaky_relu_number(this, negative_slope.Number, out var made), made);
        public Tensor clamp_min(Scalar min) => Made(Native.st_clamp_min_number(this, min.Number, out var made), made);
        public Tensor clamp_max(Scalar max) => Made(Native.st_clamp_max_number(this, max.Number, out var made), made);

        public Tensor elu(double alpha = 1) => Made(Native.st_elu_number(this, ((Scalar)alpha).Number, out var made), made);
        public Tensor softplus(double beta = 1, double threshold = 20) => Made(Native.st_softplus(this, beta, threshold, out var made), made);

        /// <summary>Into [min, max]; a bound that is not given does not bind.</summary>
        public Tensor clamp(Scalar? min = null, Scalar? max = null)
        {
            if (min is null) return clamp_max(max ?? throw new ArgumentException("clamp() needs a bound"));
            if (max is null) return clamp_min(min.Value);
            return Made(Native.st_clamp(this, min.Value.Number, max.Value.Number, out var made), made);
        }

        /// <summary>This where the condition holds, <paramref name="y"/> elsewhere.</summary>
        public Tensor where(Tensor condition, Tensor y) => Made(Native.st_where(condition, this, y, out var made), made);

        public Tensor masked_fill(Tensor mask, Scalar value) => Made(Native.st_masked_fill(this, mask, value.Number, out var made), made);

        public Tensor lerp(Tensor end, Tensor weight) => Made(Native.st_lerp(this, end, weight, out var made), made);

        /// <summary>beta * this + alpha * mat1 mat2.</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Made(Native.st_addmm(this, mat1, mat2, beta, alpha, out var made), made);

        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Made(Native.st_baddbmm(this, batch1, batch2, beta, alpha, out var made), made);

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
    }

    public static Tensor exp(Tensor input) => input.exp();
    public static Tensor log(Tensor input) => input.log();
    public static Tensor sqrt(Tensor input) => input.sqrt();
    public static Tensor sigmoid(Tensor input) => input.sigmoid();
    public static Tensor tanh(Tensor input) => input.tanh();
    public static Tensor sum(Tensor input) => input.sum();
    public static Tensor mean(Tensor input) => input.mean();
    public static Tensor max(Tensor input) => input.max();
    public static Tensor min(Tensor input) => input.min();
    public static Tensor abs(Tensor input) => input.abs();
    public static Tensor square(Tensor input) => input.square();
    public static Tensor log1p(Tensor input) => input.log1p();
    public static Tensor relu(Tensor input) => input.relu();
    public static Tensor isnan(Tensor input) => input.isnan();
    public static Tensor isfinite(Tensor tensor) => tensor.isfinite();
    public static Tensor logical_not(Tensor input) => input.logical_not();
    public static Tensor sign(Tensor input) => input.sign();
    public static Tensor t(Tensor input) => input.t();
    public static Tensor clone(Tensor input) => input.clone();
    public static Tensor add(Tensor left, Tensor right) => left.add(right);
    public static Tensor sub(Tensor left, Tensor right) => left.sub(right);
    public static Tensor mul(Tensor left, Tensor right) => left.mul(right);
    public static Tensor ge(Tensor left, Tensor right) => left.ge(right);
    public static Tensor le(Tensor left, Tensor right) => left.le(right);
    public static Tensor ne(Tensor left, Tensor right) => left.ne(right);
    public static Tensor eq(Tensor left, Tensor right) => left.eq(right);
    public static Tensor gt(Tensor left, Tensor right) => left.gt(right);
    public static Tensor lt(Tensor left, Tensor right) => left.lt(right);
    public static Tensor logical_and(Tensor left, Tensor right) => left.logical_and(right);
    public static Tensor logical_or(Tensor left, Tensor right) => left.logical_or(right);
    public static Tensor maximum(Tensor input, Tensor other) => input.maximum(other);
    public static Tensor minimum(Tensor input, Tensor other) => input.minimum(other);
    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);
    public static Tensor mm(Tensor input, Tensor target) => input.mm(target);
    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);
    public static Tensor dot(Tensor input, Tensor other) => input.dot(other);
    public static Tensor div(Tensor left, Tensor right) => left.div(right);
    public static Tensor pow(Tensor left, Scalar exponent) => left.pow(exponent);
    public static Tensor clamp(Tensor input, Scalar? min = null, Scalar? max = null) => input.clamp(min, max);
    public static Tensor where(Tensor condition, Tensor x, Tensor y) => x.where(condition, y);
    public static Tensor lerp(Tensor input, Tensor end, Tensor weight) => input.lerp(end, weight);
    public static Tensor addmm(Tensor input, Tensor mat1, Tensor mat2, float beta, float alpha) => input.addmm(mat1, mat2, beta, alpha);
    public static Tensor baddbmm(Tensor input, Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => input.baddbmm(batch1, batch2, beta, alpha);

    /// <summary>Sums of products by Einstein's notation, as "bld,bd->bl".</summary>
    public static Tensor einsum(string equation, params Tensor[] tensors)
    {
        var handles = stackalloc nint[tensors.Length];
        Handles(tensors, handles);
        var status = Native.st_einsum(equation, handles, tensors.Length, out var made);
        GC.KeepAlive(tensors);
        return Made(status, made);
    }

    internal static void Handles(ReadOnlySpan<Tensor> tensors, nint* into)
    {
        for (var i = 0; i < tensors.Length; i++) into[i] = tensors[i].Handle;
    }
}
