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

void* own(Tensor tensor) { return new Tensor(std::move(tensor)); }

c10::ScalarType type_of(int32_t dtype) { return static_cast<c10::ScalarType>(dtype); }

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
API int st_manual_seed(int64_t seed) { return guarded([=] { torch::manual_seed(static_cast<uint64_t>(seed)); }); }
API int st_set_num_threads(int32_t threads) { return guarded([=] { torch::set_num_threads(threads); }); }
API int st_is_grad_enabled(int32_t* enabled) { return guarded([=] { *enabled = c10::GradMode::is_enabled(); }); }
API int st_set_grad_enabled(int32_t enabled) { return guarded([=] { c10::GradMode::set_enabled(enabled != 0); }); }

// ---- factories ----------------------------------------------------------------------------------------------------

#define FACTORY(name)                                                                                                      \
    API int st_##name(const int64_t* sizes, int32_t dims, int32_t dtype, int32_t requires_grad, void** out) {              \
        return guarded([=] {                                                                                               \
            *out = own(torch::name(ints(sizes, dims), torch::dtype(type_of(dtype)).requires_grad(requires_grad != 0)));    \
        });                                                                                                                \
    }
FACTORY(zeros)
FACTORY(ones)
FACTORY(rand)
FACTORY(randn)

API int st_full(const int64_t* sizes, int32_t dims, Number value, int32_t dtype, int32_t requires_grad, void** out) {
    return guarded([=] {
        *out = own(torch::full(ints(sizes, dims), value.scalar(), torch::dtype(type_of(dtype)).requires_grad(requires_grad != 0)));
    });
}

API int st_arange(Number start, Number stop, Number step, int32_t dtype, int32_t requires_grad, void** out) {
    return guarded([=] {
        *out = own(torch::arange(start.scalar(), stop.scalar(), step.scalar(),
                                 torch::dtype(type_of(dtype)).requires_grad(requires_grad != 0)));
    });
}

// Copies dense, row-major data of the given type.
API int st_from_data(const void* data, const int64_t* sizes, int32_t dims, int32_t dtype, int32_t requires_grad, void** out) {
    return guarded([=] {
        Tensor tensor = torch::empty(ints(sizes, dims), torch::dtype(type_of(dtype)));
        if (tensor.numel() > 0) std::memcpy(tensor.data_ptr(), data, tensor.nbytes());
        tensor.set_requires_grad(requires_grad != 0);
        *out = own(tensor);
    });
}

// ---- properties ---------------------------------------------------------------------------------------------------

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
API int st_device(void* t, int32_t* type, int32_t* index) {
    return guarded([=] {
        *type = static_cast<int32_t>(ref(t).device().type());
        *index = ref(t).device().index();
    });
}
API int st_data_ptr(void* t, void** data) { return guarded([=] { *data = ref(t).data_ptr(); }); }
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

// In place, outside autograd's sight only under no_grad: what an optimizer does.
API int st_add_in_place(void* left, void* right, Number alpha) { return guarded([=] { ref(left).add_(ref(right), alpha.scalar()); }); }
API int st_copy_in_place(void* into, void* from) { return guarded([=] { ref(into).copy_(ref(from)); }); }

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
API int st_to_type(void* t, int32_t dtype, int32_t copy, void** out) {
    return guarded([=] { *out = own(ref(t).to(type_of(dtype), false, copy != 0)); });
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
API int st_max_dim(void* t, int64_t dim, int32_t keep, void** values, void** indexes) {
    return guarded([=] {
        auto both = ref(t).max(dim, keep != 0);
        *values = own(std::get<0>(both));
        *indexes = own(std::get<1>(both));
    });
}
API int st_argmax_dim(void* t, int64_t dim, int32_t keep, void** out) { return guarded([=] { *out = own(ref(t).argmax(dim, keep != 0)); }); }
API int st_softmax(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).softmax(dim)); }); }
API int st_log_softmax(void* t, int64_t dim, void** out) { return guarded([=] { *out = own(ref(t).log_softmax(dim)); }); }
