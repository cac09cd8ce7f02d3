using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace Streaming.Tensors.Tests;

/// <summary>Every operation of the subset once, against values worked by hand, and gradients against differences.</summary>
public sealed class OperationTests
{
    private static readonly float[] OneToSix = [1, 2, 3, 4, 5, 6];

    [TorchFact]
    public void Element_by_element()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { -2, 0, 0.5f, 3 });

        Same(x.square(), 4, 0, 0.25, 9);
        Same(x.sign(), -1, 0, 1, 1);
        Same(x.floor(), -2, 0, 0, 3);
        Same(x.ceil(), -2, 0, 1, 3);
        Same(x.abs().log1p(), Math.Log(3), 0, Math.Log(1.5), Math.Log(4));
        Same(x.expm1(), Math.Exp(-2) - 1, 0, Math.Exp(0.5) - 1, Math.Exp(3) - 1);
        Same(x.sin(), Math.Sin(-2), 0, Math.Sin(0.5), Math.Sin(3));
        Same(x.cos(), Math.Cos(-2), 1, Math.Cos(0.5), Math.Cos(3));
        Same(x[3].rsqrt(), 1 / Math.Sqrt(3));
        Same(x[2].erf(), 0.5204998778);
        Same(x.leaky_relu(0.1), -0.2, 0, 0.5, 3);
        Same(x.elu(), Math.Exp(-2) - 1, 0, 0.5, 3);
        Same(x.prelu(tensor(new[] { 0.25f })), -0.5, 0, 0.5, 3);
        Same(x.softplus(), x.data<float>().Select(v => Math.Log(1 + Math.Exp(v))).ToArray());
        Same(x.silu(), x.data<float>().Select(v => v / (1 + Math.Exp(-v))).ToArray());
        Same(F.logsigmoid(x), x.data<float>().Select(v => -Math.Log(1 + Math.Exp(-v))).ToArray());
        Same(F.gelu(x)[2], 0.5 * 0.5 * (1 + 0.3829249225));
        Same(x.clamp(-1, 1), -1, 0, 0.5, 1);
        Same(x.clamp(min: 0.25), 0.25, 0.25, 0.5, 3);
        Same(x.clamp_max(0), -2, 0, 0, 0);
        Same(where(x.gt(0), x, zeros_like(x)), 0, 0, 0.5, 3);
        Same(x.masked_fill(x.le(0), 9), 9, 9, 0.5, 3);
        Same(x.lerp(zeros_like(x), full_like(x, 0.5)), -1, 0, 0.25, 1.5);
        Same(F.relu(x), 0, 0, 0.5, 3);
        Same(F.dropout(x, 0.5, training: false), -2, 0, 0.5, 3);
    }

    [TorchFact]
    public void Comparisons_and_logic()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2, 3 });
        var y = tensor(new float[] { 3, 2, 1 });

        x.ge(y).data<bool>().ToArray().ShouldBe([false, true, true]);
        x.le(2).data<bool>().ToArray().ShouldBe([true, true, false]);
        x.ne(y).data<bool>().ToArray().ShouldBe([true, false, true]);
        x.lt(y).logical_not().data<bool>().ToArray().ShouldBe([false, true, true]);
        x.ge(2).logical_and(y.ge(2)).data<bool>().ToArray().ShouldBe([false, true, false]);
        x.gt(2).logical_or(y.gt(2)).data<bool>().ToArray().ShouldBe([true, false, true]);
        x.gt(2).any().item<bool>().ShouldBeTrue();
        x.gt(2).all().item<bool>().ShouldBeFalse();
        x.div(0).sub(x.div(0)).isnan().all().item<bool>().ShouldBeTrue();
        x.isfinite().all().item<bool>().ShouldBeTrue();
        x.ge(2).nonzero().data<long>().ToArray().ShouldBe([1, 2]);
    }

    [TorchFact]
    public void In_place()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 4, 9 });
        var ones = ones_like(x);

        Same(x.sqrt_(), 2, 3);
        Same(x.mul_(2), 4, 6);
        Same(x.add_(1), 5, 7);
        Same(x.sub_(ones), 4, 6);
        Same(x.div_(2), 2, 3);
        Same(x.mul_(x), 4, 9);
        Same(x.add_(ones, 0.5), 4.5, 9.5);
        Same(x.addcmul_(ones, ones, 2), 6.5, 11.5);
        Same(x.addcdiv_(ones, full_like(x, 2), 1), 7, 12);
        Same(x.lerp_(zeros_like(x), full_like(x, 0.5)), 3.5, 6);
        Same(x.clamp_(0, 5), 3.5, 5);
        Same(x.masked_fill_(x.gt(4), -1), 3.5, -1);
        Same(x.fill_(2), 2, 2);
        Same(x.copy_(tensor(new double[] { 7, 8 })), 7, 8);
        Same(x.zero_(), 0, 0);
        Same(zeros(3).index_add_(0, tensor(new long[] { 0, 2, 0 }), tensor(new float[] { 1, 2, 3 }), 2), 8, 0, 4);
        Same(zeros(3).scatter_add_(0, tensor(new long[] { 0, 2, 0 }), tensor(new float[] { 1, 2, 3 })), 4, 0, 2);
        Same(zeros(3).scatter_(0, tensor(new long[] { 2, 0 }), tensor(new float[] { 5, 6 })), 6, 0, 5);
    }

    [TorchFact]
    public void Shapes()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);

        Same(a.T, 1, 4, 2, 5, 3, 6);
        a.unsqueeze(0).mT.shape.ShouldBe([1, 3, 2]);
        a.permute(1, 0).shape.ShouldBe([3, 2]);
        a.flatten().shape.ShouldBe([6]);
        a.unsqueeze(1).expand(2, 4, 3).shape.ShouldBe([2, 4, 3]);
        a.repeat(1, 2).shape.ShouldBe([2, 6]);
        Same(eye(2), 1, 0, 0, 1);
        Same(eye(2, 3).diagonal(), 1, 1);
        Same(a.tril(), 1, 0, 0, 4, 5, 0);
        Same(a.triu(1), 0, 2, 3, 0, 0, 6);
        Same(cat([a, a], 1)[0], 1, 2, 3, 1, 2, 3);
        a.index_add(0, tensor(new long[] { 1 }), ones(1, 3), 1).data<float>().ToArray().ShouldBe([1, 2, 3, 5, 6, 7]);
        a.size(-1).ShouldBe(3);
        a.numel().ShouldBe(6);
        a.T.is_contiguous().ShouldBeFalse();
        empty(2, 0).numel().ShouldBe(0);
        empty(2, 0).data<float>().ToArray().ShouldBeEmpty();
    }

    [TorchFact]
    public void Reductions()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);

        Same(a.mean([1]), 2, 5);
        Same(a.var(1), 1, 1);
        Same(a.var(1, unbiased: false), 2.0 / 3, 2.0 / 3);
        Same(a.std(false), Math.Sqrt(35.0 / 12));
        Same(a.norm(), Math.Sqrt(91));
        Same(a.norm(1, keepdim: true), Math.Sqrt(14), Math.Sqrt(77));
        Same(a.amax([0]), 4, 5, 6);
        Same(a.amin([1]), 1, 4);
        Same(a.cumsum(1), 1, 3, 6, 4, 9, 15);
        Same(a.logsumexp(1), 3 + Math.Log(1 + Math.Exp(-1) + Math.Exp(-2)), 6 + Math.Log(1 + Math.Exp(-1) + Math.Exp(-2)));
        var (top, where) = a.topk(2);
        Same(top, 3, 2, 6, 5);
        where.data<long>().ToArray().ShouldBe([2, 1, 2, 1]);
        a.argsort(1, descending: true).data<long>().ToArray().ShouldBe([2, 1, 0, 2, 1, 0]);
        a.min(1).indexes.data<long>().ToArray().ShouldBe([0, 0]);
        a.argmin(1).data<long>().ToArray().ShouldBe([0, 0]);
    }

    [TorchFact]
    public void Products()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);
        var w = tensor(new float[] { 1, 0, 1, 0, 1, 0 }, [2, 3]);

        Same(F.linear(a, w), 4, 2, 10, 5);
        Same(F.linear(a, w, tensor(new float[] { 1, -1 })), 5, 1, 11, 4);
        Same(ones(2, 2).addmm(a, w.t(), beta: 2, alpha: 0.5f), 4, 3, 7, 4.5);
        Same(einsum("bi,bi->b", a, w), 4, 5);
        Same(a[0].dot(a[1]), 32);
        Same(a[0].outer(tensor(new float[] { 1, 2 })), 1, 2, 2, 4, 3, 6);
        Same(zeros(1, 2, 2).baddbmm(a.unsqueeze(0), w.t().unsqueeze(0)), 4, 2, 10, 5);
    }

    [TorchFact]
    public void Normalisations()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);
        var unit = 1 / Math.Sqrt(2.0 / 3);

        Same(F.layer_norm(a, [3], eps: 0), -unit, 0, unit, -unit, 0, unit);
        Same(F.normalize(tensor(new float[] { 3, 4 }, [1, 2])), 0.6, 0.8);
        Same(F.cosine_similarity(a, a), 1, 1);
        Same(F.softmax(zeros(1, 4), 1), 0.25, 0.25, 0.25, 0.25);
        var (mean, variance) = (zeros(3), ones(3));
        Same(F.batch_norm(a, mean, variance, training: true, eps: 0), -1, -1, -1, 1, 1, 1);
        Same(mean, 0.25, 0.35, 0.45);
        Same(variance, 1.35, 1.35, 1.35);
        Same(F.batch_norm(a, zeros(3), ones(3), training: false, eps: 0), 1, 2, 3, 4, 5, 6);
    }

    [TorchFact]
    public void Losses()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (tensor(new float[] { 0, 2 }), tensor(new float[] { 1, 0 }));
        var (first, second) = (Math.Log(2), 2 + Math.Log(1 + Math.Exp(-2)));

        Same(F.binary_cross_entropy_with_logits(x, y), (first + second) / 2);
        Same(F.binary_cross_entropy_with_logits(x, y, tensor(new float[] { 1, 3 }), Reduction.Sum), first + 3 * second);
        Same(F.binary_cross_entropy_with_logits(x, y, reduction: Reduction.None), first, second);
        Same(F.mse_loss(x, y), 2.5);
        Same(F.smooth_l1_loss(x, y), (0.5 + 1.5) / 2);
        Same(F.huber_loss(x, y, delta: 0.5), (0.5 * 0.75 + 0.5 * 1.75) / 2);
        Same(F.cross_entropy(x.unsqueeze(0), tensor(new long[] { 0 })), second);
        Same(F.log_softmax(x, 0), -second, -Math.Log(1 + Math.Exp(-2)));
    }

    [TorchFact]
    public void Data_goes_in_and_out_in_one_piece()
    {
        using var scope = NewDisposeScope();
        var t = empty(2, 3);

        t.data<float>().CopyFrom(OneToSix);
        t.bytes.Length.ShouldBe(24);
        var row = new float[3];
        t[1].data<float>().CopyTo(row);
        row.ShouldBe([4, 5, 6]);
        t.data<float>().CopyTo(row.AsSpan(), tensorIndex: 2);
        row.ShouldBe([3, 4, 5]);
        t.T.data<float>().ToArray().ShouldBe([1, 4, 2, 5, 3, 6]);
        t.T.data<float>()[2, 1].ShouldBe(6);
        t.bytes = new byte[24];
        Same(t, 0, 0, 0, 0, 0, 0);
        Should.Throw<ArgumentException>(() => t.bytes = new byte[23]);
        Should.Throw<InvalidOperationException>(() => _ = t.T.bytes.Length);
    }

    [TorchFact]
    public void Gradients_without_leaves()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2 }, requires_grad: true);
        var y = x.mul(x).sum();

        var gradient = autograd.grad([y], [x]);

        Same(gradient[0], 2, 4);
        x.grad.ShouldBeNull();
    }

    [TorchFact]
    public void Inference_mode_makes_no_graph()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2 }, requires_grad: true);

        using (inference_mode()) (x * 2).requires_grad.ShouldBeFalse();
        (x * 2).requires_grad.ShouldBeTrue();
    }

    [TorchFact]
    public void A_device_can_be_named_for_what_lies_there_already()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, device: CPU);

        Same(x.to(CPU), 1, 1);
        Same(x.cpu(), 1, 1);
        x.to(ScalarType.Float64, CPU).dtype.ShouldBe(ScalarType.Float64);
        x.is_cuda.ShouldBeFalse();
        if (!cuda.is_available()) return;
        var there = x.cuda();
        there.is_cuda.ShouldBeTrue();
        there.sum().item<float>().ShouldBe(x.sum().item<float>());
        Same((there * 2).cpu(), 2, 2);
        Should.Throw<InvalidOperationException>(() => there.data<float>());
    }

    private static void Same(Tensor t, params double[] expected)
    {
        var values = t.data<float>().ToArray();
        values.Length.ShouldBe(expected.Length);
        for (var i = 0; i < values.Length; i++) ((double)values[i]).ShouldBe(expected[i], 1e-5, $"element {i} of [{string.Join(", ", values)}]");
    }
}
