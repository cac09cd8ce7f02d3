using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Tensors.Tests;

/// <summary>
/// What the models may count on, with values worked by hand. Only calls that TorchSharp has too: the same file runs against the
/// package where the registry serves it.
/// </summary>
public sealed class TensorTests
{
    private static readonly float[] OneToSix = [1, 2, 3, 4, 5, 6];

    [TorchFact]
    public void Factories_fill_and_infer_types()
    {
        using var scope = NewDisposeScope();

        zeros(2, 3).data<float>().ToArray().ShouldBe(new float[6]);
        ones(3).data<float>().ToArray().ShouldBe([1, 1, 1]);
        full([2], 7).dtype.ShouldBe(ScalarType.Int64);
        full([2], 7.5).data<float>().ToArray().ShouldBe([7.5f, 7.5f]);
        arange(3).data<long>().ToArray().ShouldBe([0, 1, 2]);
        arange(1.0, 2.0, 0.5).data<float>().ToArray().ShouldBe([1, 1.5f]);
        tensor(new long[] { 5, 6 }).dtype.ShouldBe(ScalarType.Int64);
        tensor(new[] { 1.5f, -2f }, dtype: ScalarType.Float64).data<double>().ToArray().ShouldBe([1.5, -2]);
        tensor(new[] { true, false }).data<bool>().ToArray().ShouldBe([true, false]);
        tensor(3.5f).item<float>().ShouldBe(3.5f);

        var matrix = tensor(new[,] { { 1f, 2f, 3f }, { 4f, 5f, 6f } });
        matrix.shape.ShouldBe([2, 3]);
        matrix.device.type.ShouldBe(DeviceType.CPU);
        matrix.data<float>()[1, 2].ShouldBe(6);
    }

    [TorchFact]
    public void A_seed_fixes_every_draw()
    {
        using var scope = NewDisposeScope();

        manual_seed(42);
        var (uniform, normal) = (rand(1000).data<float>().ToArray(), randn(1000).data<float>().ToArray());
        manual_seed(42);

        rand(1000).data<float>().ToArray().ShouldBe(uniform);
        randn(1000).data<float>().ToArray().ShouldBe(normal);
        uniform.ShouldAllBe(x => x >= 0 && x < 1);
        uniform.Average().ShouldBe(0.5f, 0.05f);
        normal.Average().ShouldBe(0f, 0.15f);
    }

    [TorchFact]
    public void Arithmetic_broadcasts_and_mixes_with_numbers()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);
        var row = tensor(new float[] { 10, 20, 30 });

        (a + row).data<float>().ToArray().ShouldBe([11, 22, 33, 14, 25, 36]);
        (row - a).data<float>().ToArray().ShouldBe([9, 18, 27, 6, 15, 24]);
        (a * 2).data<float>().ToArray().ShouldBe([2, 4, 6, 8, 10, 12]);
        (1 - a).data<float>().ToArray().ShouldBe([0, -1, -2, -3, -4, -5]);
        (6 / a).data<float>().ToArray()[..3].ShouldBe([6, 3, 2]);
        (a / row).data<float>().ToArray()[0].ShouldBe(0.1f);
        (-a).data<float>().ToArray()[5].ShouldBe(-6);
        a.pow(2).sum().item<float>().ShouldBe(91);
        (arange(3) + 1).dtype.ShouldBe(ScalarType.Int64);
        (arange(3) + 0.5).dtype.ShouldBe(ScalarType.Float32);
        a.gt(3).sum().item<long>().ShouldBe(3);
        a.maximum(row.sub(8)).data<float>().ToArray().ShouldBe([2, 12, 22, 4, 12, 22]);
    }

    [TorchFact]
    public void Products_of_matrices()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);
        var b = tensor(OneToSix, [3, 2]);

        mm(a, b).data<float>().ToArray().ShouldBe([22, 28, 49, 64]);
        a.matmul(tensor(new float[] { 1, 0, -1 })).data<float>().ToArray().ShouldBe([-2, -2]);
        var batches = bmm(stack([a, a * 2]), stack([b, b]));
        batches.shape.ShouldBe([2, 2, 2]);
        batches.data<float>().ToArray().ShouldBe([22, 28, 49, 64, 44, 56, 98, 128]);
    }

    [TorchFact]
    public void Shapes_change_without_changing_elements()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);

        a.view(3, 2).shape.ShouldBe([3, 2]);
        a.reshape(-1).shape.ShouldBe([6]);
        a.transpose(0, 1).data<float>().ToArray().ShouldBe([1, 4, 2, 5, 3, 6]);
        a.t().reshape(6).data<float>().ToArray().ShouldBe([1, 4, 2, 5, 3, 6]);
        a.unsqueeze(1).shape.ShouldBe([2, 1, 3]);
        a.unsqueeze(1).squeeze(1).shape.ShouldBe([2, 3]);
        a[1].data<float>().ToArray().ShouldBe([4, 5, 6]);
        a.narrow(1, 1, 2).data<float>().ToArray().ShouldBe([2, 3, 5, 6]);
        cat([a, a], 1).shape.ShouldBe([2, 6]);
        cat([a, a]).shape.ShouldBe([4, 3]);
        a.to(ScalarType.Int64).data<long>().ToArray().ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [TorchFact]
    public void Rows_and_elements_are_picked_by_index()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);

        a.index_select(0, tensor(new long[] { 1, 0, 1 })).data<float>().ToArray().ShouldBe([4, 5, 6, 1, 2, 3, 4, 5, 6]);
        a.gather(1, tensor(new long[] { 2, 0 }, [2, 1])).data<float>().ToArray().ShouldBe([3, 4]);
    }

    [TorchFact]
    public void Reductions()
    {
        using var scope = NewDisposeScope();
        var a = tensor(OneToSix, [2, 3]);

        a.sum().item<float>().ShouldBe(21);
        a.mean().item<float>().ShouldBe(3.5f);
        a.max().item<float>().ShouldBe(6);
        a.sum(0).data<float>().ToArray().ShouldBe([5, 7, 9]);
        a.sum(1, keepdim: true).shape.ShouldBe([2, 1]);
        a.mean([1]).data<float>().ToArray().ShouldBe([2, 5]);
        a.argmax(1).data<long>().ToArray().ShouldBe([2, 2]);
        var (values, indexes) = tensor(new float[] { 3, 9, 4, 8, 7, 1 }, [2, 3]).max(1);
        values.data<float>().ToArray().ShouldBe([9, 8]);
        indexes.data<long>().ToArray().ShouldBe([1, 0]);
    }

    [TorchFact]
    public void Functions_equal_the_mathematics()
    {
        using var scope = NewDisposeScope();
        float[] x = [-1.5f, 0, 0.25f, 2];
        var t = tensor(x);

        Near(t.exp(), x.Select(v => Math.Exp(v)));
        Near(t.sigmoid(), x.Select(v => 1 / (1 + Math.Exp(-v))));
        Near(t.tanh(), x.Select(v => Math.Tanh(v)));
        Near(t.relu(), x.Select(v => Math.Max(0.0, v)));
        Near(t.exp().log(), x.Select(v => (double)v));
        Near(t.abs().sqrt(), x.Select(v => Math.Sqrt(Math.Abs(v))));
        var total = x.Sum(v => Math.Exp(v));
        Near(t.softmax(0), x.Select(v => Math.Exp(v) / total));
    }

    [TorchFact]
    public void Backward_gives_the_gradient_worked_by_hand()
    {
        using var scope = NewDisposeScope();
        // Logistic loss of one example: d/dw = (sigmoid(w.x) - y) x.
        var x = tensor(new float[] { 1, 2, -1 });
        var w = tensor(new[] { 0.5f, -0.25f, 1f }, requires_grad: true);
        var p = (w * x).sum().sigmoid();
        var loss = -p.log();

        loss.backward();

        var error = 1 / (1 + Math.Exp(1)) - 1;
        Near(w.grad!, new[] { error, 2 * error, -error });
        w.is_leaf.ShouldBeTrue();
        p.requires_grad.ShouldBeTrue();
        x.grad.ShouldBeNull();
    }

    [TorchFact]
    public void Gradients_add_up_until_they_are_taken_away()
    {
        using var scope = NewDisposeScope();
        var w = tensor(new float[] { 3 }, requires_grad: true);

        w.pow(2).sum().backward();
        w.pow(2).sum().backward();
        w.grad!.item<float>().ShouldBe(12);
        w.grad = null;
        w.grad.ShouldBeNull();
        w.pow(2).sum().backward();
        w.grad!.item<float>().ShouldBe(6);
    }

    [TorchFact]
    public void Descent_reaches_the_least_squares_solution()
    {
        using var outer = NewDisposeScope();
        // y = 2 a - 3 b, exactly.
        var x = tensor(new float[] { 1, 0, 0, 1, 1, 1, 2, -1 }, [4, 2]);
        var y = tensor(new float[] { 2, -3, -1, 7 });
        var w = zeros([2], requires_grad: true);
        for (var step = 0; step < 200; step++)
        {
            using var scope = NewDisposeScope();
            (x.matmul(w) - y).pow(2).mean().backward();
            using (no_grad()) w.add_(w.grad!, -0.2);
            w.grad = null;
        }

        Near(w.detach(), new double[] { 2, -3 });
    }

    [TorchFact]
    public void Nothing_is_recorded_under_no_grad()
    {
        using var scope = NewDisposeScope();
        var w = ones([2], requires_grad: true);

        using (no_grad())
        {
            is_grad_enabled().ShouldBeFalse();
            (w * 2).requires_grad.ShouldBeFalse();
        }
        is_grad_enabled().ShouldBeTrue();
        (w * 2).requires_grad.ShouldBeTrue();
        (w * 2).detach().requires_grad.ShouldBeFalse();
    }

    [TorchFact]
    public void A_scope_disposes_what_was_made_in_it_and_nothing_else()
    {
        Tensor kept, moved, lost;
        using var free = ones(1).DetachFromDisposeScope();
        using (var outer = NewDisposeScope())
        {
            using (var inner = NewDisposeScope())
            {
                lost = ones(2);
                moved = ones(2).MoveToOuterDisposeScope();
                kept = inner.Detach(ones(2));
                inner.DisposablesCount.ShouldBe(1);
            }
            lost.IsInvalid.ShouldBeTrue();
            moved.IsInvalid.ShouldBeFalse();
            outer.DisposablesCount.ShouldBe(1);
        }
        moved.IsInvalid.ShouldBeTrue();
        kept.IsInvalid.ShouldBeFalse();
        kept.sum().item<float>().ShouldBe(2);
        kept.Dispose();
        kept.IsInvalid.ShouldBeTrue();
        free.IsInvalid.ShouldBeFalse();
    }

    [TorchFact]
    public void An_error_of_libtorch_arrives_with_its_message()
    {
        using var scope = NewDisposeScope();
        var problem = Should.Throw<ExternalException>(() => ones(2, 3).mm(ones(2, 3)));

        problem.Message.ShouldContain("2x3");
        // And the library goes on working.
        ones(2, 3).sum().item<float>().ShouldBe(6);
    }

    private static void Near(Tensor actual, IEnumerable<double> expected)
    {
        var wanted = expected.ToArray();
        var values = actual.data<float>().ToArray();
        values.Length.ShouldBe(wanted.Length);
        for (var i = 0; i < wanted.Length; i++) ((double)values[i]).ShouldBe(wanted[i], 1e-5);
    }
}
