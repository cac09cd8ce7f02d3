using System.Globalization;
using System.Text.Json;
using Streaming.Suites;

namespace Streaming.Models.Tests;

/// <summary>Cases that the scripts of tests/parity compute with PyTorch: checked in, and on the spot where python3-torch is installed.</summary>
internal static class Parity
{
    /// <summary>The checked-in case.</summary>
    public static JsonElement Golden(string name) => JsonDocument.Parse(File.ReadAllText(PythonTorch.PathOf($"tests/parity/{name}.json"))).RootElement;

    /// <summary>A case computed now.</summary>
    public static JsonElement Computed(string name, int seed) =>
        JsonDocument.Parse(PythonTorch.Run($"tests/parity/{name}.py", seed.ToString(CultureInfo.InvariantCulture))).RootElement;

    public static float[] Floats(this JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetSingle())];

    public static float[][] Rows(this JsonElement array) => [.. array.EnumerateArray().Select(Floats)];

    public static void ShouldBeClose(this ReadOnlySpan<float> found, float[] expected, float tolerance, string what)
    {
        found.Length.ShouldBe(expected.Length, what);
        for (var i = 0; i < expected.Length; i++) found[i].ShouldBe(expected[i], tolerance, $"{what}, number {i}");
    }
}
