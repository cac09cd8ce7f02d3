using Streaming.Models.Embeddings;

namespace Streaming.Models.Tests;

public sealed class RowWiseAdagradTests
{
    [Fact]
    public void A_step_equals_the_hand_worked_case()
    {
        float[] row = [1f, 2f];
        var g2 = 0.5f;
        // g = 2 (3, 4) + 0.1 row = (6.1, 8.2); mean square = (37.21 + 67.24) / 2 = 52.225; G = 52.725; step = 0.1 / sqrt(53.725).
        new RowWiseAdagrad(0.1f, 1f).Step(row, [3f, 4f], 2f, 0.1f, ref g2);
        g2.ShouldBe(52.725f, 1e-3f);
        row[0].ShouldBe(1f - 6.1f * 0.0136430f, 1e-5f);
        row[1].ShouldBe(2f - 8.2f * 0.0136430f, 1e-5f);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(15)]
    [InlineData(16)]
    public void Dot_and_cosine_agree_with_the_plain_loop(int length)
    {
        var random = new Random(length);
        var a = Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f).ToArray();
        var b = Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f).ToArray();
        var expected = a.Zip(b, (x, y) => (double)x * y).Sum();
        ((double)VectorMath.Dot(a, b)).ShouldBe(expected, 1e-5);
        VectorMath.Cosine(a, VectorMath.Norm(a), a, VectorMath.Norm(a)).ShouldBe(1f, 1e-4f);
        VectorMath.Cosine(a, 0f, b, VectorMath.Norm(b)).ShouldBe(0f);
    }
}
