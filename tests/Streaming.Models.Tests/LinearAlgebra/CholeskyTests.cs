using Streaming.Models.LinearAlgebra;

namespace Streaming.Models.Tests.LinearAlgebra;

public sealed class CholeskyTests
{
    [Fact]
    public void The_factor_equals_the_textbook_case()
    {
        // Wikipedia, "Cholesky decomposition": rows (4 12 -16), (12 37 -43), (-16 -43 98) have L = (2), (6 1), (-8 5 3).
        double[] a = [4, 12, -16, 12, 37, -43, -16, -43, 98];
        Cholesky.Factor<double>(a, 3);
        new[] { a[0], a[3], a[4], a[6], a[7], a[8] }.ShouldBe([2, 6, 1, -8, 5, 3]);
        double[] b = [1, 2, 3];
        Cholesky.Solve<double>(a, 3, b);
        // A x = b by elimination: x = (28.58333, -7.66667, 1.33333).
        b[0].ShouldBe(343 / 12.0, 1e-10);
        b[1].ShouldBe(-23 / 3.0, 1e-10);
        b[2].ShouldBe(4 / 3.0, 1e-10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(129)]
    [InlineData(200)]
    [InlineData(577)]
    public void A_matrix_times_its_inverse_is_one(int n)
    {
        var a = PositiveDefinite(n);
        var inverse = Cholesky.Inverse<double>(a.ToArray(), n);
        for (var i = 0; i < n; i++)
        for (var j = 0; j < n; j++)
        {
            double sum = 0;
            for (var k = 0; k < n; k++) sum += a[i * n + k] * inverse[k * n + j];
            sum.ShouldBe(i == j ? 1 : 0, 1e-9);
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(101)]
    public void A_system_in_single_precision_is_solved(int n)
    {
        var a = Array.ConvertAll(PositiveDefinite(n), x => (float)x);
        var x = Enumerable.Range(0, n).Select(i => i % 5 - 2f).ToArray();
        var b = new float[n];
        for (var i = 0; i < n; i++)
        for (var j = 0; j < n; j++)
            b[i] += a[i * n + j] * x[j];
        Cholesky.Factor<float>(a, n);
        Cholesky.Solve<float>(a, n, b);
        for (var i = 0; i < n; i++) b[i].ShouldBe(x[i], 1e-3f);
    }

    [Fact]
    public void Threads_change_no_bit()
    {
        var a = PositiveDefinite(577);
        Cholesky.Inverse<double>(a.ToArray(), 577).ShouldBe(Cholesky.Inverse<double>(a.ToArray(), 577));
    }

    [Fact]
    public void What_is_not_positive_definite_or_not_square_is_refused()
    {
        Should.Throw<ArgumentException>(() => Cholesky.Factor<double>(new double[] { 1, 2, 2, 1 }, 2)).Message.ShouldContain("pivot 1");
        Should.Throw<ArgumentException>(() => Cholesky.Factor<double>(new double[5], 2));
    }

    [Fact]
    public void Eigenvectors_put_the_matrix_together_again()
    {
        const int n = 20;
        var a = PositiveDefinite(n);
        var (values, vectors) = SymmetricEigen.Decompose(a, n);
        values.ShouldBe(values.OrderDescending());
        for (var i = 0; i < n; i++)
        for (var j = 0; j < n; j++)
            Enumerable.Range(0, n).Sum(k => vectors[i * n + k] * values[k] * vectors[j * n + k]).ShouldBe(a[i * n + j], 1e-9);
        // (2 1), (1 2) has 3 and 1.
        var (two, _) = SymmetricEigen.Decompose([2, 1, 1, 2], 2);
        two[0].ShouldBe(3, 1e-12);
        two[1].ShouldBe(1, 1e-12);
    }

    /// <summary>R R' / n + I with uniform R.</summary>
    private static double[] PositiveDefinite(int n)
    {
        var random = new Random(n);
        var r = Enumerable.Range(0, n * n).Select(_ => random.NextDouble() - 0.5).ToArray();
        var a = new double[n * n];
        for (var i = 0; i < n; i++)
        for (var j = 0; j <= i; j++)
        {
            var sum = i == j ? 1.0 : 0;
            for (var k = 0; k < n; k++) sum += r[i * n + k] * r[j * n + k] / n;
            a[i * n + j] = a[j * n + i] = sum;
        }
        return a;
    }
}
