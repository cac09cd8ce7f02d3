namespace TorchSharp;

public static unsafe partial class torch
{
    public static partial class nn
    {
        /// <summary>What a loss makes of its elements; the numbers are libtorch's.</summary>
        public enum Reduction : long
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        /// <summary>Layers and losses as functions of their weights.</summary>
        public static class functional
        {
            /// <summary>x W' + b.</summary>
            /// <param name="weights">Shape [out, in].</param>
            /// <param name="bias">Shape [out], or none.</param>
            public static Tensor linear(Tensor input, Tensor weights, Tensor? bias = null) => Made(Native.st_linear(input, weights, bias, out var made), made);

            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? x.relu_() : x.relu();

            public static Tensor leaky_relu(Tensor input, double negative_slope = 0.01) => input.leaky_relu(negative_slope);

            /// <param name="weight">The negative side's slope: one, or one for each channel (dimension 1).</param>
            public static Tensor prelu(Tensor input, Tensor weight) => input.prelu(weight);

            public static Tensor elu(Tensor x, double alpha) => x.elu(alpha);

            public static Tensor silu(Tensor x) => x.silu();

            public static Tensor gelu(Tensor x) => x.gelu();

            public static Tensor softmax(Tensor input, long dim) => input.softmax(dim);

            public static Tensor log_softmax(Tensor x, long dim) => x.log_softmax(dim);

            public static Tensor softplus(Tensor x, double beta = 1, double threshold = 20) => x.softplus(beta, threshold);

            public static Tensor logsigmoid(Tensor x) => Made(Native.st_log_sigmoid(x, out var made), made);

            /// <summary>Draws from libtorch's own generator, which <see cref="manual_seed"/> sets.</summary>
            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true) =>
                Made(Native.st_dropout(input, p, training ? 1 : 0, out var made), made);

            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5)
            {
                fixed (long* shape = normalized_shape)
                    return Made(Native.st_layer_norm(input, shape, normalized_shape.Length, weight, bias, eps, out var made), made);
            }

            /// <summary>In training by the batch's own mean and variance, which also move the running ones; else by the running ones.</summary>
            public static Tensor batch_norm(
                Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight = null, Tensor? bias = null, bool training = false,
                double momentum = 0.1, double eps = 1e-5) =>
                Made(Native.st_batch_norm(input, running_mean, running_var, weight, bias, training ? 1 : 0, momentum, eps, out var made), made);

            /// <summary>Divided by the p-norm along a dimension, or by <paramref name="eps"/> where that is larger.</summary>
            public static Tensor normalize(Tensor input, double p = 2, long dim = 1, double eps = 1e-12) =>
                Made(Native.st_normalize(input, p, dim, eps, out var made), made);

            public static Tensor cosine_similarity(Tensor x1, Tensor x2, long dim = 1, double eps = 1e-8) =>
                Made(Native.st_cosine_similarity(x1, x2, dim, eps, out var made), made);

            /// <summary>Log-loss of logits.</summary>
            /// <param name="weight">Of each element, broadcast, or none.</param>
            public static Tensor binary_cross_entropy_with_logits(
                Tensor input, Tensor target, Tensor? weight = null, Reduction reduction = Reduction.Mean, Tensor? pos_weights = null) =>
                Made(Native.st_bce_with_logits(input, target, weight, pos_weights, (long)reduction, out var made), made);

            /// <param name="input">Logits, shape [B, classes].</param>
            /// <param name="target">Shape [B] of int64, or probabilities of shape [B, classes].</param>
            /// <param name="weight">Of each class, or none.</param>
            public static Tensor cross_entropy(
                Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0) =>
                Made(Native.st_cross_entropy(input, target, weight, (long)reduction, ignore_index, label_smoothing, out var made), made);

            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) =>
                Made(Native.st_mse_loss(input, target, (long)reduction, out var made), made);

            public static Tensor smooth_l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean, double beta = 1) =>
                Made(Native.st_smooth_l1_loss(input, target, (long)reduction, beta, out var made), made);

            public static Tensor huber_loss(Tensor input, Tensor target, double delta = 1, Reduction reduction = Reduction.Mean) =>
                Made(Native.st_huber_loss(input, target, (long)reduction, delta, out var made), made);
        }
    }

    public static class autograd
    {
        /// <summary>The gradients of the outputs' sum with respect to the inputs, which keep their own .grad as it was.</summary>
        /// <param name="grad_outputs">The gradients with respect to the outputs; needed where one is not a scalar.</param>
        public static IList<Tensor> grad(
            IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false,
            bool allow_unused = false)
        {
            var results = new nint[inputs.Count];
            Tensor[] from = [.. outputs], to = [.. inputs], seeds = grad_outputs is null ? [] : [.. grad_outputs];
            nint* of = stackalloc nint[Few(from.Length)], with = stackalloc nint[Few(to.Length)], given = stackalloc nint[Few(seeds.Length)];
            Handles(from, of);
            Handles(to, with);
            Handles(seeds, given);
            fixed (nint* result = results)
                Native.Check(Native.st_gradients(
                    of, from.Length, with, to.Length, given, seeds.Length, retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, result));
            GC.KeepAlive(from);
            GC.KeepAlive(to);
            GC.KeepAlive(seeds);
            return Array.ConvertAll(results, handle => handle == 0 ? null! : new Tensor(handle));
        }
    }
}
