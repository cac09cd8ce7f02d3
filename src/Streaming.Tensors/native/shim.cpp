// A C layer over libtorch, 1.13 or newer: what Streaming.Tensors calls. Compiled by deploy/setup.sh.
//
// Every function returns 0, or 1 after an error whose text st_error() then gives for this thread: no C++ exception may cross
// into .NET. A tensor is a pointer to a heap-allocated torch::Tensor, owned by the caller, freed with st_free.

#include <torch/torch.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

using torch::Tensor;

namespace {

thread_local std::string last_error;

Tensor& ref(void* tensor) { return *static_cast<Tensor*>(tensor); }

// Null stands for "none": an absent bias or weight.
Tensor maybe(void* tensor) { return tensor ? ref(tensor) : Tensor(); }

void* own(Tensor tensor) { return new Tensor(std::move(tensor)); }

c10::ScalarType type_of(int32_t dtype) { return static_cast<c10::ScalarType>(dtype); }

// An index of -1 is the current device of that type.
struct Place {
    int32_t type;
    int32_t index;
    c10::Device device() const { return c10::Device(static_cast<c10::DeviceType>(type), static_cast<c10::DeviceIndex>(index)); }
};

torch::TensorOptions options(int32_t dtype, Place place, int32_t requires_grad) {
    return torch::dtype(type_of(dtype)).device(place.device()).requires_grad(requires_grad != 0);
}

c10::IntArrayRef ints(const int64_t* values, int32_t count) { return c10::IntArrayRef(values, static_cast<size_t>(count)); }

// .NET's numbers: integers stay integers, so that an integer tensor plus 1 stays one.
struct Number {
    double real;
    int64_t integer;
    int32_t is_integer;
    c10::Scalar scalar() const { return is_integer ? c10::Scalar(integer) : c10::Scalar(real); }
};

template <typename Body>
int guarded(Body body) {
    try {
        body();
        return 0;
    } catch (const c10::Error& error) {
        last_error = error.what_without_backtrace();
    } catch (const std::exception& error) {
        last_error = error.what();
    } catch (...) {
        last_error = "an error of unknown type";
    }
    return 1;
}

std::vector<Tensor> list(void** tensors, int32_t count) {
    std::vector<Tensor> all;
    all.reserve(count);
    for (int32_t i = 0; i < count; i++) all.push_back(ref(tensors[i]));
    return all;
}

}  // namespace

API const char* st_error() { return last_error.c_str(); }
API const char* st_version() { return TORCH_VERSION; }
API void st_free(void* tensor) { delete static_cast<Tensor*>(tensor); }
// What a scope owned, newest first: a result lets go of the graph behind it before its inputs go.
API void st_free_all(void** tensors, int32_t count) {
    for (int32_t i = count - 1; i >= 0; i--) delete static_cast<Tensor*>(tensors[i]);
}
API int st_manual_seed(int64_t seed) { return guarded([=] { torch::manual_seed(static_cast<uint64_t>(seed)); }); }
API int st_set_num_threads(int32_t threads) { return guarded([=] { torch::set_num_threads(threads); }); }
API int st_is_grad_enabled(int32_t* enabled) { return guarded([=] { *enabled = c10::GradMode::is_enabled(); }); }
API int st_set_grad_enabled(int32_t enabled, int32_t* before) {
    return guarded([=] {
        *before = c10::GradMode::is_enabled();
        c10::GradMode::set_enabled(enabled != 0);
    });
}
// A guard has to be closed on its thread, the innermost first.
API int st_inference_mode(int32_t enabled, void** guard) { return guarded([=] { *guard = new c10::InferenceMode(enabled != 0); }); }
API void st_end_inference_mode(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
API int st_get_num_threads(int32_t* threads) { return guarded([=] { *threads = torch::get_num_threads(); }); }
API int st_cuda_is_available(int32_t* yes) { return guarded([=] { *yes = torch::cuda::is_available(); }); }
API int st_cuda_device_count(int32_t* count) { return guarded([=] { *count = static_cast<int32_t>(torch::cuda::device_count()); }); }
API int st_cuda_synchronize(int64_t index) { return guarded([=] { torch::cuda::synchronize(index); }); }

// ---- factories ----------------------------------------------------------------------------------------------------

#define FACTORY(name)                                                                                                      \
    API int st_##name(const int64_t* sizes, int32_t dims, int32_t dtype, Place place, int32_t requires_grad, void** out) { \
        return guarded([=] { *out = own(torch::name(ints(sizes, dims), options(dtype, place, requires_grad))); });         \
    }
FACTORY(empty)
FACTORY(zeros)
FACTORY(ones)
FACTORY(rand)
FACTORY(randn)

API int st_full(const int64_t* sizes, int32_t dims, Number value, int32_t dtype, Place place, int32_t requires_grad, void** out) {
    return guarded([=] { *out = own(torch::full(ints(sizes, dims), value.scalar(), options(dtype, place, requires_grad))); });
}

API int st_arange(Number start, Number stop, Number step, int32_t dtype, Place place, int32_t requires_grad, void** out) {
    return guarded([=] {
        *out = own(torch::arange(start.scalar(), stop.scalar(), step.scalar(), options(dtype, place, requires_grad)));
    });
}

API int st_eye(int64_t rows, int64_t columns, int32_t dtype, Place place, int32_t requires_grad, void** out) {
    return guarded([=] { *out = own(torch::eye(rows, columns, options(dtype, place, requires_grad))); });
}

// A tensor of this one's shape, filled with one number.
API int st_full_like(void* t, Number value, int32_t dtype, Place place, int32_t requires_grad, void** out) {
    return guarded([=] { *out = own(torch::full(ref(t).sizes(), value.scalar(), options(dtype, place, requires_grad))); });
}

// Copies dense, row-major data of the given type.
API int st_from_data(const void* data, const int64_t* sizes, int32_t dims, int32_t dtype, Place place, int32_t requires_grad, void** out) {
    return guarded([=] {
        Tensor tensor = torch::empty(ints(sizes, dims), torch::dtype(type_of(dtype)));
        if (tensor.numel() > 0) std::memcpy(tensor.data_ptr(), data, tensor.nbytes());
        if (place.type != 0) tensor = tensor.to(place.device());
        tensor.set_requires_grad(requires_grad != 0);
        *out = own(tensor);
    });
}

// ---- properties ---------------------------------------------------------------------------------------------------

// All that reading the elements needs, in one call.
struct Description {
    void* data;
    int64_t elements;
    int64_t dims;
    int32_t dtype;
    int32_t device_type;
    int32_t device_index;
    int32_t contiguous;
};

API int st_describe(void* t, Description* out) {
    return guarded([=] {
        const Tensor& x = ref(t);
        *out = {x.data_ptr(), x.numel(), x.dim(), static_cast<int32_t>(x.scalar_type()), static_cast<int32_t>(x.device().type()),
                x.device().index(), x.is_contiguous()};
    });
}
API int st_numel(void* t, int64_t* count) { return guarded([=] { *count = ref(t).numel(); }); }
API int st_size(void* t, int64_t dim, int64_t* size) { return guarded([=] { *size = ref(t).size(dim); }); }
API int st_dim(void* t, int64_t* dims) { return guarded([=] { *dims = ref(t).dim(); }); }
API int st_sizes(void* t, int64_t* sizes, int64_t* strides) {
    return guarded([=] {
        for (int64_t i = 0; i < ref(t).dim(); i++) {
            sizes[i] = ref(t).size(i);
            strides[i] = ref(t).stride(i);
        }
    });
}
API int st_dtype(void* t, int32_t* dtype) { return guarded([=] { *dtype = static_cast<int32_t>(ref(t).scalar_type()); }); }
API int st_requires_grad(void* t, int32_t* yes) { return guarded([=] { *yes = ref(t).requires_grad(); }); }
API int st_set_requires_grad(void* t, int32_t yes) { return guarded([=] { ref(t).set_requires_grad(yes != 0); }); }
API int st_is_leaf(void* t, int32_t* yes) { return guarded([=] { *yes = ref(t).is_leaf(); }); }
API int st_grad(void* t, void** out) { return guarded([=] { *out = ref(t).grad().defined() ? own(ref(t).grad()) : nullptr; }); }
API int st_set_grad(void* t, void* gradient) {
    return guarded([=] { ref(t).mutable_grad() = gradient ? ref(gradient) : Tensor(); });
}
API int st_backward(void* t, void* gradient, int32_t retain_graph, int32_t create_graph) {
    return guarded([=] { ref(t).backward(gradient ? ref(gradient) : Tensor(), retain_graph != 0, create_graph != 0); });
}

// The gradients of outputs with respect to inputs, added to no leaf. An unused input gives null when that is allowed.
API int st_gradients(void** outputs, int32_t output_count, void** inputs, int32_t input_count, void** seeds, int32_t seed_count,
                     int32_t retain_graph, int32_t create_graph, int32_t allow_unused, void** out) {
    return guarded([=] {
        auto gradients = torch::autograd::grad(list(outputs, output_count), list(inputs, input_count), list(seeds, seed_count),
                                               retain_graph != 0, create_graph != 0, allow_unused != 0);
        for (size_t i = 0; i < gradients.size(); i++) out[i] = gradients[i].defined() ? own(gradients[i]) : nullptr;
    });
}

// ---- element by element, and whole reductions ---------------------------------------------------------------------

#define UNARY(name, expression)                                                    \
    API int st_##name(void* t, void** out) {                                       \
        return guarded([=] { const Tensor& x = ref(t); *out = own(expression); });  \
    }
UNARY(neg, x.neg())
UNARY(abs, x.abs())
UNARY(exp, x.exp())
UNARY(log, x.log())
UNARY(sqrt, x.sqrt())
UNARY(reciprocal, x.reciprocal())
UNARY(sigmoid, x.sigmoid())
UNARY(tanh, x.tanh())
UNARY(relu, x.relu())
UNARY(sum, x.sum())
UNARY(mean, x.mean())
UNARY(max, x.max())
UNARY(min, x.min())
UNARY(argmax, x.argmax())
UNARY(argmin, x.argmin())
UNARY(any, x.any())
UNARY(all, x.all())
UNARY(log1p, x.log1p())
UNARY(expm1, x.expm1())
UNARY(rsqrt, x.rsqrt())
UNARY(square, x.square())
UNARY(sign, x.sign())
UNARY(floor, x.floor())
UNARY(ceil, x.ceil())
UNARY(erf, x.erf())
UNARY(sin, x.sin())
UNARY(cos, x.cos())
UNARY(silu, torch::silu(x))
UNARY(gelu, torch::gelu(x))
UNARY(log_sigmoid, torch::log_sigmoid(x))
UNARY(logical_not, x.logical_not())
UNARY(isnan, x.isnan())
UNARY(isfinite, torch::isfinite(x))
UNARY(nonzero, x.nonzero())
UNARY(t, x.t())
UNARY(detach, x.detach())
UNARY(clone, x.clone())
UNARY(contiguous, x.contiguous())

#define BINARY(name, expression)                                                                              \
    API int st_##name(void* left, void* right, void** out) {                                                  \
        return guarded([=] { const Tensor &a = ref(left), &b = ref(right); *out = own(expression); });          \
    }
BINARY(add, a.add(b))
BINARY(sub, a.sub(b))
BINARY(mul, a.mul(b))
BINARY(div, a.div(b))
BINARY(pow, a.pow(b))
BINARY(maximum, torch::maximum(a, b))
BINARY(minimum, torch::minimum(a, b))
BINARY(matmul, a.matmul(b))
BINARY(mm, a.mm(b))
BINARY(bmm, a.bmm(b))
BINARY(eq, a.eq(b))
BINARY(gt, a.gt(b))
BINARY(lt, a.lt(b))
BINARY(ge, a.ge(b))
BINARY(le, a.le(b))
BINARY(ne, a.ne(b))
BINARY(logical_and, a.logical_and(b))
BINARY(logical_or, a.logical_or(b))
BINARY(dot, a.dot(b))
BINARY(outer, a.outer(b))
BINARY(prelu, torch::prelu(a, b))
BINARY(view_as, a.view_as(b))
BINARY(expand_as, a.expand_as(b))

#define WITH_NUMBER(name, expression)                                                                                \
    API int st_##name##_number(void* left, Number right, void** out) {                                               \
        return guarded([=] { const Tensor& a = ref(left); const auto b = right.scalar(); *out = own(expression); });  \
    }
WITH_NUMBER(add, a.add(b))
WITH_NUMBER(sub, a.sub(b))
WITH_NUMBER(mul, a.mul(b))
WITH_NUMBER(div, a.div(b))
WITH_NUMBER(pow, a.pow(b))
WITH_NUMBER(eq, a.eq(b))
WITH_NUMBER(gt, a.gt(b))
WITH_NUMBER(lt, a.lt(b))
WITH_NUMBER(ge, a.ge(b))
WITH_NUMBER(le, a.le(b))
WITH_NUMBER(ne, a.ne(b))
WITH_NUMBER(leaky_relu, torch::leaky_relu(a, b))
WITH_NUMBER(elu, torch::elu(a, b))
WITH_NUMBER(clamp_min, a.clamp_min(b))
WITH_NUMBER(clamp_max, a.clamp_max(b))

API int st_softplus(void* t, double beta, double threshold, void** out) {
    return guarded([=] { *out = own(torch::softplus(ref(t), beta, threshold)); });
}
API int st_clamp(void* t, Number low, Number high, void** out) { return guarded([=] { *out = own(ref(t).clamp(low.scalar(), high.scalar())); }); }
API int st_where(void* condition, void* x, void* y, void** out) {
    return guarded([=] { *out = own(torch::where(ref(condition), ref(x), ref(y))); });
}
API int st_masked_fill(void* t, void* mask, Number value, void** out) {
    return guarded([=] { *out = own(ref(t).masked_fill(ref(mask), value.scalar())); });
}
API int st_lerp(void* t, void* end, void* weight, void** out) { return guarded([=] { *out = own(ref(t).lerp(ref(end), ref(weight))); }); }
API int st_dropout(void* t, double p, int32_t training, void** out) {
    return guarded([=] { *out = own(torch::dropout(ref(t), p, training != 0)); });
}
API int st_addmm(void* t, void* a, void* b, double beta, double alpha, void** out) {
    return guarded([=] { *out = own(ref(t).addmm(ref(a), ref(b), beta, alpha)); });
}
API int st_baddbmm(void* t, void* a, void* b, double beta, double alpha, void** out) {
    return guarded([=] { *out = own(ref(t).baddbmm(ref(a), ref(b), beta, alpha)); });
}
API int st_einsum(const char* equation, void** tensors, int32_t count, void** out) {
    return guarded([=] { *out = own(torch::einsum(equation, list(tensors, count))); });
}

// ---- in place: under no_grad what an optimizer does -----------------------------------------------------------------

#define IN_PLACE(name, expression) \
    API int st_##name(void* left) { return guarded([=] { Tensor& a = ref(left); expression; }); }
IN_PLACE(zero_, a.zero_())
IN_PLACE(sqrt_, a.sqrt_())
IN_PLACE(exp_, a.exp_())
IN_PLACE(neg_, a.neg_())
IN_PLACE(relu_, a.relu_())
IN_PLACE(sigmoid_, a.sigmoid_())
IN_PLACE(detach_, a.detach_())

#define BINARY_IN_PLACE(name, expression)                                                                             \
    API int st_##name(void* left, void* right) {                                                                      \
        return guarded([=] { Tensor& a = ref(left); const Tensor& b = ref(right); expression; });                     \
    }
BINARY_IN_PLACE(sub_, a.sub_(b))
BINARY_IN_PLACE(mul_, a.mul_(b))
BINARY_IN_PLACE(div_, a.div_(b))
BINARY_IN_PLACE(copy_, a.copy_(b))

#define NUMBER_IN_PLACE(name, expression)                                                                             \
    API int st_##name##_number(void* left, Number right) {                                                            \
        return guarded([=] { Tensor& a = ref(left); const auto b = right.scalar(); expression; });                    \
    }
NUMBER_IN_PLACE(add_, a.add_(b))
NUMBER_IN_PLACE(sub_, a.sub_(b))
NUMBER_IN_PLACE(mul_, a.mul_(b))
NUMBER_IN_PLACE(div_, a.div_(b))
NUMBER_IN_PLACE(pow_, a.pow_(b))
NUMBER_IN_PLACE(fill_, a.fill_(b))
NUMBER_IN_PLACE(clamp_min_, a.clamp_min_(b))
NUMBER_IN_PLACE(clamp_max_, a.clamp_max_(b))

API int st_add_(void* left, void* right, Number alpha) { return guarded([=] { ref(left).add_(ref(right), alpha.scalar()); }); }
API int st_clamp_(void* t, Number low, Number high) { return guarded([=] { ref(t).clamp_(low.scalar(), high.scalar()); }); }
API int st_lerp_(void* t, void* end, void* weight) { return guarded([=] { ref(t).lerp_(ref(end), ref(weight)); }); }
API int st_addcmul_(void* t, void* a, void* b, Number value) { return guarded([=] { ref(t).addcmul_(ref(a), ref(b), value.scalar()); }); }
API int st_addcdiv_(void* t, void* a, void* b, Number value) { return guarded([=] { ref(t).addcdiv_(ref(a), ref(b), value.scalar()); }); }
API int st_masked_fill_(void* t, void* mask, Number value) { return guarded([=] { ref(t).masked_fill_(ref(mask), value.scalar()); }); }
API int st_uniform_(void* t, double from, double to) { return guarded([=] { ref(t).uniform_(from, to); }); }
API int st_normal_(void* t, double mean, double deviation) { return guarded([=] { ref(t).normal_(mean, deviation); }); }
API int st_index_add_(void* t, int64_t dim, void* index, void* source, Number alpha) {
    return guarded([=] { ref(t).index_add_(dim, ref(index), ref(source), alpha.scalar()); });
}
API int st_scatter_(void* t, int64_t dim, void* index, void* source) { return guarded([=] { ref(t).scatter_(dim, ref(index), ref(source)); }); }
API int st_scatter_add_(void* t, int64_t dim, void* index, void* source) {
    return guarded([=] { ref(t).scatter_add_(dim, ref(index), ref(source)); });
}

// ---- shapes -------------------------------------------------------------------------------------------------------

API int st_view(void* t, const int64_t* sizes, int32_t dims, void** out) { return guarded([=] { *out = own(ref(t).view(ints(sizes, dims))); }); }
API int st_reshape(void* t, const int64_t* sizes, int32_t dims, void** out) { return guarded([=] { *out = own(ref(t).reshape(ints(sizes, dims))); }); }
API int st_transpose(void* t, int64_t dim0, int64_t dim1, void** out) { return guarded([=] { *out = own(ref(t).transpose(dim0, dim1)); }); }
API int st_unsqueeze(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).unsqueeze(dim)); }); }
API int st_squeeze(void* t, int32_t has_dim, int64_t dim, void** out) {
    return guarded([=] { *out = own(has_dim ? ref(t).squeeze(dim) : ref(t).squeeze()); });
}
API int st_select(void* t, int64_t dim, int64_t index, void** out) { return guarded([=] { *out = own(ref(t).select(dim, index)); }); }
API int st_narrow(void* t, int64_t dim, int64_t start, int64_t length, void** out) {
    return guarded([=] { *out = own(ref(t).narrow(dim, start, length)); });
}
API int st_expand(void* t, const int64_t* sizes, int32_t dims, void** out) { return guarded([=] { *out = own(ref(t).expand(ints(sizes, dims))); }); }
API int st_repeat(void* t, const int64_t* sizes, int32_t dims, void** out) { return guarded([=] { *out = own(ref(t).repeat(ints(sizes, dims))); }); }
API int st_permute(void* t, const int64_t* order, int32_t dims, void** out) { return guarded([=] { *out = own(ref(t).permute(ints(order, dims))); }); }
API int st_flatten(void* t, int64_t start, int64_t end, void** out) { return guarded([=] { *out = own(ref(t).flatten(start, end)); }); }
API int st_diagonal(void* t, int64_t offset, int64_t dim1, int64_t dim2, void** out) {
    return guarded([=] { *out = own(ref(t).diagonal(offset, dim1, dim2)); });
}
API int st_tril(void* t, int64_t diagonal, void** out) { return guarded([=] { *out = own(ref(t).tril(diagonal)); }); }
API int st_triu(void* t, int64_t diagonal, void** out) { return guarded([=] { *out = own(ref(t).triu(diagonal)); }); }
API int st_to(void* t, int32_t dtype, Place place, int32_t copy, int32_t non_blocking, void** out) {
    return guarded([=] { *out = own(ref(t).to(place.device(), type_of(dtype), non_blocking != 0, copy != 0)); });
}
API int st_index_add(void* t, int64_t dim, void* index, void* source, Number alpha, void** out) {
    return guarded([=] { *out = own(ref(t).index_add(dim, ref(index), ref(source), alpha.scalar())); });
}
API int st_scatter_add(void* t, int64_t dim, void* index, void* source, void** out) {
    return guarded([=] { *out = own(ref(t).scatter_add(dim, ref(index), ref(source))); });
}
API int st_cat(void** tensors, int32_t count, int64_t dim, void** out) { return guarded([=] { *out = own(torch::cat(list(tensors, count), dim)); }); }
API int st_stack(void** tensors, int32_t count, int64_t dim, void** out) { return guarded([=] { *out = own(torch::stack(list(tensors, count), dim)); }); }
API int st_gather(void* t, int64_t dim, void* index, void** out) { return guarded([=] { *out = own(ref(t).gather(dim, ref(index))); }); }
API int st_index_select(void* t, int64_t dim, void* index, void** out) { return guarded([=] { *out = own(ref(t).index_select(dim, ref(index))); }); }

// ---- reductions along dimensions ----------------------------------------------------------------------------------

API int st_sum_dims(void* t, const int64_t* dims, int32_t count, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).sum(ints(dims, count), keep != 0)); });
}
API int st_mean_dims(void* t, const int64_t* dims, int32_t count, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).mean(ints(dims, count), keep != 0)); });
}
API int st_amax(void* t, const int64_t* dims, int32_t count, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).amax(ints(dims, count), keep != 0)); });
}
API int st_amin(void* t, const int64_t* dims, int32_t count, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).amin(ints(dims, count), keep != 0)); });
}
API int st_var_dims(void* t, const int64_t* dims, int32_t count, int32_t unbiased, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).var(ints(dims, count), unbiased != 0, keep != 0)); });
}
API int st_std_dims(void* t, const int64_t* dims, int32_t count, int32_t unbiased, int32_t keep, void** out) {
    return guarded([=] { *out = own(ref(t).std(ints(dims, count), unbiased != 0, keep != 0)); });
}
API int st_var(void* t, int32_t unbiased, void** out) { return guarded([=] { *out = own(ref(t).var(unbiased != 0)); }); }
API int st_std(void* t, int32_t unbiased, void** out) { return guarded([=] { *out = own(ref(t).std(unbiased != 0)); }); }
API int st_norm(void* t, double p, void** out) { return guarded([=] { *out = own(ref(t).norm(p)); }); }
API int st_norm_dim(void* t, int64_t dim, int32_t keep, double p, void** out) {
    return guarded([=] { *out = own(ref(t).norm(p, dim, keep != 0)); });
}

// Two results: the values and where they were.
#define PAIR(expression)                        \
    guarded([=] {                               \
        auto both = expression;                 \
        *values = own(std::get<0>(both));       \
        *indexes = own(std::get<1>(both));      \
    })
API int st_max_dim(void* t, int64_t dim, int32_t keep, void** values, void** indexes) { return PAIR(ref(t).max(dim, keep != 0)); }
API int st_min_dim(void* t, int64_t dim, int32_t keep, void** values, void** indexes) { return PAIR(ref(t).min(dim, keep != 0)); }
API int st_sort(void* t, int64_t dim, int32_t descending, int32_t stable, void** values, void** indexes) {
    return PAIR(ref(t).sort(c10::optional<bool>(stable != 0), dim, descending != 0));
}
API int st_topk(void* t, int64_t k, int64_t dim, int32_t largest, int32_t sorted, void** values, void** indexes) {
    return PAIR(ref(t).topk(k, dim, largest != 0, sorted != 0));
}

#define ALONG(name, expression) \
    API int st_##name(void* t, int64_t dim, int32_t keep, void** out) { return guarded([=] { *out = own(expression); }); }
ALONG(argmax_dim, ref(t).argmax(dim, keep != 0))
ALONG(argmin_dim, ref(t).argmin(dim, keep != 0))
ALONG(any_dim, ref(t).any(dim, keep != 0))
ALONG(all_dim, ref(t).all(dim, keep != 0))
ALONG(logsumexp, ref(t).logsumexp(dim, keep != 0))

API int st_cumsum(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).cumsum(dim)); }); }
API int st_softmax(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).softmax(dim)); }); }
API int st_log_softmax(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).log_softmax(dim)); }); }

// ---- layers and losses; a null weight or bias is none; reduction 0 none, 1 mean, 2 sum, as in libtorch -----------------

API int st_linear(void* x, void* weight, void* bias, void** out) {
    return guarded([=] { *out = own(torch::linear(ref(x), ref(weight), maybe(bias))); });
}
API int st_layer_norm(void* x, const int64_t* shape, int32_t dims, void* weight, void* bias, double epsilon, void** out) {
    return guarded([=] { *out = own(torch::layer_norm(ref(x), ints(shape, dims), maybe(weight), maybe(bias), epsilon)); });
}
API int st_batch_norm(void* x, void* mean, void* variance, void* weight, void* bias, int32_t training, double momentum, double epsilon, void** out) {
    return guarded([=] {
        *out = own(torch::batch_norm(ref(x), maybe(weight), maybe(bias), maybe(mean), maybe(variance), training != 0, momentum, epsilon, false));
    });
}
API int st_normalize(void* x, double p, int64_t dim, double epsilon, void** out) {
    return guarded([=] { *out = own(torch::nn::functional::normalize(ref(x), torch::nn::functional::NormalizeFuncOptions().p(p).dim(dim).eps(epsilon))); });
}
API int st_cosine_similarity(void* a, void* b, int64_t dim, double epsilon, void** out) {
    return guarded([=] { *out = own(torch::cosine_similarity(ref(a), ref(b), dim, epsilon)); });
}
API int st_bce_with_logits(void* x, void* target, void* weight, void* positive_weight, int64_t reduction, void** out) {
    return guarded([=] {
        *out = own(torch::binary_cross_entropy_with_logits(ref(x), ref(target), maybe(weight), maybe(positive_weight), reduction));
    });
}
API int st_cross_entropy(void* x, void* target, void* weight, int64_t reduction, int64_t ignored, double smoothing, void** out) {
    return guarded([=] { *out = own(torch::cross_entropy_loss(ref(x), ref(target), maybe(weight), reduction, ignored, smoothing)); });
}
API int st_mse_loss(void* x, void* target, int64_t reduction, void** out) {
    return guarded([=] { *out = own(torch::mse_loss(ref(x), ref(target), reduction)); });
}
API int st_smooth_l1_loss(void* x, void* target, int64_t reduction, double beta, void** out) {
    return guarded([=] { *out = own(torch::smooth_l1_loss(ref(x), ref(target), reduction, beta)); });
}
API int st_huber_loss(void* x, void* target, int64_t reduction, double delta, void** out) {
    return guarded([=] { *out = own(torch::huber_loss(ref(x), ref(target), reduction, delta)); });
}
