namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// What changes a tensor where it lies and returns it: under <see cref="no_grad"/>, what optimizers are made of.
    /// </summary>
    public sealed partial class Tensor
    {
        public Tensor zero_() => Changed(Native.st_zero_(this));
        public Tensor sqrt_() => Changed(Native.st_sqrt_(this));
        public Tensor exp_() => Changed(Native.st_exp_(this));
        public Tensor neg_() => Changed(Native.st_neg_(this));
        public Tensor relu_() => Changed(Native.st_relu_(this));
        public Tensor sigmoid_() => Changed(Native.st_sigmoid_(this));
        public Tensor detach_() => Changed(Native.st_detach_(this));

        /// <summary>this += alpha * target.</summary>
        public Tensor add_(Tensor target, Scalar alpha) => Changed(Native.st_add_(this, target, alpha.Number));
        public Tensor add_(Tensor target) => add_(target, 1);
        public Tensor sub_(Tensor target) => Changed(Native.st_sub_(this, target));
        public Tensor mul_(Tensor target) => Changed(Native.st_mul_(this, target));
        public Tensor div_(Tensor target) => Changed(Native.st_div_(this, target));
        public Tensor add_(Scalar scalar) => Changed(Native.st_add__number(this, scalar.Number));
        public Tensor sub_(Scalar target) => Changed(Native.st_sub__number(this, target.Number));
        public Tensor mul_(Scalar target) => Changed(Native.st_mul__number(this, target.Number));
        public Tensor div_(Scalar target) => Changed(Native.st_div__number(this, target.Number));
        public Tensor pow_(Scalar exponent) => Changed(Native.st_pow__number(this, exponent.Number));
        public Tensor fill_(Scalar value) => Changed(Native.st_fill__number(this, value.Number));
        public Tensor clamp_min_(Scalar min) => Changed(Native.st_clamp_min__number(this, min.Number));
        public Tensor clamp_max_(Scalar max) => Changed(Native.st_clamp_max__number(this, max.Number));

        public Tensor clamp_(Scalar? min = null, Scalar? max = null)
        {
            if (min is null) return clamp_max_(max ?? throw new ArgumentException("clamp_() needs a bound"));
            if (max is null) return clamp_min_(min.Value);
            return Changed(Native.st_clamp_(this, min.Value.Number, max.Value.Number));
        }

        /// <summary>Also between devices and types.</summary>
        public Tensor copy_(Tensor source) => Changed(Native.st_copy_(this, source));

        /// <summary>this += weight * (end - this).</summary>
        public Tensor lerp_(Tensor end, Tensor weight) => Changed(Native.st_lerp_(this, end, weight));

        /// <summary>this += value * tensor1 * tensor2.</summary>
        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => Changed(Native.st_addcmul_(this, tensor1, tensor2, value.Number));

        /// <summary>this += value * tensor1 / tensor2.</summary>
        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => Changed(Native.st_addcdiv_(this, tensor1, tensor2, value.Number));

        public Tensor masked_fill_(Tensor mask, Scalar value) => Changed(Native.st_masked_fill_(this, mask, value.Number));

        public Tensor uniform_(double from, double to) => Changed(Native.st_uniform_(this, from, to));

        public Tensor normal_(double mean = 0, double std = 1) => Changed(Native.st_normal_(this, mean, std));

        /// <summary>Adds alpha times the slices of <paramref name="source"/> at their indexes along <paramref name="dim"/>; an index may come twice.</summary>
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Changed(Native.st_index_add_(this, dim, index, source, alpha.Number));

        public Tensor scatter_(long dim, Tensor index, Tensor src) => Changed(Native.st_scatter_(this, dim, index, src));

        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Changed(Native.st_scatter_add_(this, dim, index, src));

        private Tensor Changed(int status)
        {
            Native.Check(status);
            return this;
        }
    }
}
