using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>One line for each function of native/shim.cpp, in its order.</summary>
internal static unsafe partial class Native
{
    [LibraryImport(Library)] public static partial nint st_error();
    [LibraryImport(Library)] public static partial nint st_version();
    [LibraryImport(Library)] public static partial void st_free(nint tensor);
    [LibraryImport(Library)] public static partial void st_free_all(nint* tensors, int count);
    [LibraryImport(Library)] public static partial int st_manual_seed(long seed);
    [LibraryImport(Library)] public static partial int st_set_num_threads(int threads);
    [LibraryImport(Library)] public static partial int st_is_grad_enabled(out int enabled);
    [LibraryImport(Library)] public static partial int st_set_grad_enabled(int enabled, out int before);
    [LibraryImport(Library)] public static partial int st_inference_mode(int enabled, out nint guard);
    [LibraryImport(Library)] public static partial void st_end_inference_mode(nint guard);
    [LibraryImport(Library)] public static partial int st_get_num_threads(out int threads);
    [LibraryImport(Library)] public static partial int st_cuda_is_available(out int yes);
    [LibraryImport(Library)] public static partial int st_cuda_device_count(out int count);
    [LibraryImport(Library)] public static partial int st_cuda_synchronize(long index);

    // factories

    [LibraryImport(Library)] public static partial int st_empty(long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_zeros(long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_ones(long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_rand(long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_randn(long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_full(long* sizes, int dims, Number value, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_arange(Number start, Number stop, Number step, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_eye(long rows, long columns, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_full_like(Tensor t, Number value, int dtype, Place place, int requiresGrad, out nint result);
    [LibraryImport(Library)] public static partial int st_from_data(void* data, long* sizes, int dims, int dtype, Place place, int requiresGrad, out nint result);

    // properties

    [LibraryImport(Library)] public static partial int st_describe(Tensor t, Description* result);
    [LibraryImport(Library)] public static partial int st_numel(Tensor t, out long count);
    [LibraryImport(Library)] public static partial int st_size(Tensor t, long dim, out long size);
    [LibraryImport(Library)] public static partial int st_dim(Tensor t, out long dims);
    [LibraryImport(Library)] public static partial int st_sizes(Tensor t, long* sizes, long* strides);
    [LibraryImport(Library)] public static partial int st_dtype(Tensor t, out int dtype);
    [LibraryImport(Library)] public static partial int st_requires_grad(Tensor t, out int yes);
    [LibraryImport(Library)] public static partial int st_set_requires_grad(Tensor t, int yes);
    [LibraryImport(Library)] public static partial int st_is_leaf(Tensor t, out int yes);
    [LibraryImport(Library)] public static partial int st_grad(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_set_grad(Tensor t, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? gradient);
    [LibraryImport(Library)] public static partial int st_backward(Tensor t, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? gradient, int retainGraph, int createGraph);
    [LibraryImport(Library)] public static partial int st_gradients(nint* outputs, int outputCount, nint* inputs, int inputCount, nint* seeds, int seedCount, int retainGraph, int createGraph, int allowUnused, nint* result);

    // element by element, and whole reductions

    [LibraryImport(Library)] public static partial int st_neg(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_abs(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_exp(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_log(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_sqrt(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_reciprocal(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_sigmoid(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_tanh(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_relu(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_sum(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_mean(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_max(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_min(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_argmax(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_argmin(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_any(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_all(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_log1p(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_expm1(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_rsqrt(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_square(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_sign(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_floor(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_ceil(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_erf(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_sin(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_cos(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_silu(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_gelu(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_log_sigmoid(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_logical_not(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_isnan(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_isfinite(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_nonzero(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_t(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_detach(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_clone(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_contiguous(Tensor t, out nint result);
    [LibraryImport(Library)] public static partial int st_add(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_sub(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_mul(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_div(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_pow(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_maximum(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_minimum(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_matmul(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_mm(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_bmm(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_eq(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_gt(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_lt(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_ge(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_le(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_ne(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_logical_and(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_logical_or(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_dot(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_outer(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_prelu(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_view_as(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_expand_as(Tensor a, Tensor b, out nint result);
    [LibraryImport(Library)] public static partial int st_add_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_sub_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_mul_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_div_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_pow_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_eq_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_gt_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_lt_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_ge_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_le_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_ne_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_leaky_relu_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_elu_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_clamp_min_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_clamp_max_number(Tensor a, Number b, out nint result);
    [LibraryImport(Library)] public static partial int st_softplus(Tensor t, double beta, double threshold, out nint result);
    [LibraryImport(Library)] public static partial int st_clamp(Tensor t, Number low, Number high, out nint result);
    [LibraryImport(Library)] public static partial int st_where(Tensor condition, Tensor x, Tensor y, out nint result);
    [LibraryImport(Library)] public static partial int st_masked_fill(Tensor t, Tensor mask, Number value, out nint result);
    [LibraryImport(Library)] public static partial int st_lerp(Tensor t, Tensor end, Tensor weight, out nint result);
    [LibraryImport(Library)] public static partial int st_dropout(Tensor t, double p, int training, out nint result);
    [LibraryImport(Library)] public static partial int st_addmm(Tensor t, Tensor a, Tensor b, double beta, double alpha, out nint result);
    [LibraryImport(Library)] public static partial int st_baddbmm(Tensor t, Tensor a, Tensor b, double beta, double alpha, out nint result);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int st_einsum(string equation, nint* tensors, int count, out nint result);

    // in place: under no_grad what an optimizer does

    [LibraryImport(Library)] public static partial int st_zero_(Tensor a);
    [LibraryImport(Library)] public static partial int st_sqrt_(Tensor a);
    [LibraryImport(Library)] public static partial int st_exp_(Tensor a);
    [LibraryImport(Library)] public static partial int st_neg_(Tensor a);
    [LibraryImport(Library)] public static partial int st_relu_(Tensor a);
    [LibraryImport(Library)] public static partial int st_sigmoid_(Tensor a);
    [LibraryImport(Library)] public static partial int st_detach_(Tensor a);
    [LibraryImport(Library)] public static partial int st_sub_(Tensor a, Tensor b);
    [LibraryImport(Library)] public static partial int st_mul_(Tensor a, Tensor b);
    [LibraryImport(Library)] public static partial int st_div_(Tensor a, Tensor b);
    [LibraryImport(Library)] public static partial int st_copy_(Tensor a, Tensor b);
    [LibraryImport(Library)] public static partial int st_add__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_sub__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_mul__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_div__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_pow__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_fill__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_clamp_min__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_clamp_max__number(Tensor a, Number b);
    [LibraryImport(Library)] public static partial int st_add_(Tensor left, Tensor right, Number alpha);
    [LibraryImport(Library)] public static partial int st_clamp_(Tensor t, Number low, Number high);
    [LibraryImport(Library)] public static partial int st_lerp_(Tensor t, Tensor end, Tensor weight);
    [LibraryImport(Library)] public static partial int st_addcmul_(Tensor t, Tensor a, Tensor b, Number value);
    [LibraryImport(Library)] public static partial int st_addcdiv_(Tensor t, Tensor a, Tensor b, Number value);
    [LibraryImport(Library)] public static partial int st_masked_fill_(Tensor t, Tensor mask, Number value);
    [LibraryImport(Library)] public static partial int st_uniform_(Tensor t, double from, double to);
    [LibraryImport(Library)] public static partial int st_normal_(Tensor t, double mean, double deviation);
    [LibraryImport(Library)] public static partial int st_index_add_(Tensor t, long dim, Tensor index, Tensor source, Number alpha);
    [LibraryImport(Library)] public static partial int st_scatter_(Tensor t, long dim, Tensor index, Tensor source);
    [LibraryImport(Library)] public static partial int st_scatter_add_(Tensor t, long dim, Tensor index, Tensor source);

    // shapes

    [LibraryImport(Library)] public static partial int st_view(Tensor t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_reshape(Tensor t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_transpose(Tensor t, long dim0, long dim1, out nint result);
    [LibraryImport(Library)] public static partial int st_unsqueeze(Tensor t, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_squeeze(Tensor t, int hasDim, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_select(Tensor t, long dim, long index, out nint result);
    [LibraryImport(Library)] public static partial int st_narrow(Tensor t, long dim, long start, long length, out nint result);
    [LibraryImport(Library)] public static partial int st_expand(Tensor t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_repeat(Tensor t, long* sizes, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_permute(Tensor t, long* order, int dims, out nint result);
    [LibraryImport(Library)] public static partial int st_flatten(Tensor t, long start, long end, out nint result);
    [LibraryImport(Library)] public static partial int st_diagonal(Tensor t, long offset, long dim1, long dim2, out nint result);
    [LibraryImport(Library)] public static partial int st_tril(Tensor t, long diagonal, out nint result);
    [LibraryImport(Library)] public static partial int st_triu(Tensor t, long diagonal, out nint result);
    [LibraryImport(Library)] public static partial int st_to(Tensor t, int dtype, Place place, int copy, int nonBlocking, out nint result);
    [LibraryImport(Library)] public static partial int st_index_add(Tensor t, long dim, Tensor index, Tensor source, Number alpha, out nint result);
    [LibraryImport(Library)] public static partial int st_scatter_add(Tensor t, long dim, Tensor index, Tensor source, out nint result);
    [LibraryImport(Library)] public static partial int st_cat(nint* tensors, int count, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_stack(nint* tensors, int count, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_gather(Tensor t, long dim, Tensor index, out nint result);
    [LibraryImport(Library)] public static partial int st_index_select(Tensor t, long dim, Tensor index, out nint result);

    // reductions along dimensions

    [LibraryImport(Library)] public static partial int st_sum_dims(Tensor t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_mean_dims(Tensor t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_amax(Tensor t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_amin(Tensor t, long* dims, int count, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_var_dims(Tensor t, long* dims, int count, int unbiased, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_std_dims(Tensor t, long* dims, int count, int unbiased, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_var(Tensor t, int unbiased, out nint result);
    [LibraryImport(Library)] public static partial int st_std(Tensor t, int unbiased, out nint result);
    [LibraryImport(Library)] public static partial int st_norm(Tensor t, double p, out nint result);
    [LibraryImport(Library)] public static partial int st_norm_dim(Tensor t, long dim, int keep, double p, out nint result);
    [LibraryImport(Library)] public static partial int st_max_dim(Tensor t, long dim, int keep, out nint values, out nint indexes);
    [LibraryImport(Library)] public static partial int st_min_dim(Tensor t, long dim, int keep, out nint values, out nint indexes);
    [LibraryImport(Library)] public static partial int st_sort(Tensor t, long dim, int descending, int stable, out nint values, out nint indexes);
    [LibraryImport(Library)] public static partial int st_topk(Tensor t, long k, long dim, int largest, int sorted, out nint values, out nint indexes);
    [LibraryImport(Library)] public static partial int st_argmax_dim(Tensor t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_argmin_dim(Tensor t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_any_dim(Tensor t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_all_dim(Tensor t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_logsumexp(Tensor t, long dim, int keep, out nint result);
    [LibraryImport(Library)] public static partial int st_cumsum(Tensor t, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_softmax(Tensor t, long dim, out nint result);
    [LibraryImport(Library)] public static partial int st_log_softmax(Tensor t, long dim, out nint result);

    // layers and losses; a null weight or bias is none; reduction 0 none, 1 mean, 2 sum, as in libtorch

    [LibraryImport(Library)] public static partial int st_linear(Tensor x, Tensor weight, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? bias, out nint result);
    [LibraryImport(Library)] public static partial int st_layer_norm(Tensor x, long* shape, int dims, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? weight, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? bias, double epsilon, out nint result);
    [LibraryImport(Library)] public static partial int st_batch_norm(Tensor x, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? mean, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? variance, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? weight, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? bias, int training, double momentum, double epsilon, out nint result);
    [LibraryImport(Library)] public static partial int st_normalize(Tensor x, double p, long dim, double epsilon, out nint result);
    [LibraryImport(Library)] public static partial int st_cosine_similarity(Tensor a, Tensor b, long dim, double epsilon, out nint result);
    [LibraryImport(Library)] public static partial int st_bce_with_logits(Tensor x, Tensor target, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? weight, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? positiveWeight, long reduction, out nint result);
    [LibraryImport(Library)] public static partial int st_cross_entropy(Tensor x, Tensor target, [MarshalUsing(typeof(OptionalTensorIn))] Tensor? weight, long reduction, long ignored, double smoothing, out nint result);
    [LibraryImport(Library)] public static partial int st_mse_loss(Tensor x, Tensor target, long reduction, out nint result);
    [LibraryImport(Library)] public static partial int st_smooth_l1_loss(Tensor x, Tensor target, long reduction, double beta, out nint result);
    [LibraryImport(Library)] public static partial int st_huber_loss(Tensor x, Tensor target, long reduction, double delta, out nint result);
}
