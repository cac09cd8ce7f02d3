using Streaming.Models.Embeddings;

namespace Streaming.Models.Tests;

public sealed class VectorMathTests
{
    [Fact]
    public void Added_and_crossed_with_lanes_and_without()
    {
        // Five elements: four in the lanes and one after them.
        float[] a = [1, 2, 3, 4, 5], b = [10, 20, 30, 40, 50];
        VectorMath.AddScaled(a, 0.5f, b);
        a.ShouldBe([6f, 12f, 18f, 24f, 30f]);
        VectorMath.CrossStep(a, b, keep: 0.5f, step: 2f);
        a.ShouldBe([23f, 46f, 69f, 92f, 115f]);
        b.ShouldBe([17f, 34f, 51f, 68f, 85f], "from the old a");
        Should.Throw<ArgumentException>(() => VectorMath.AddScaled(new float[2], 1, new float[3]));
        Should.Throw<ArgumentException>(() => VectorMath.CrossStep(new float[2], new float[3], 1, 1));
    }
}
