using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Streaming.Models.Tests;

/// <summary>Cases that the scripts of tests/parity compute with PyTorch: checked in, and on the spot where python3-torch is installed.</summary>
internal static class Parity
{
    /// <summary>The checked-in case.</summary>
    public static JsonElement Golden(string name) => JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder(), $"{name}.json"))).RootElement;

    /// <summary>A case computed now.</summary>
    public static JsonElement Computed(string name, int seed) => JsonDocument.Parse(
        Run(Path.Combine(Folder(), $"{name}.py"), seed.ToString(CultureInfo.InvariantCulture)) ?? throw new InvalidOperationException($"{name}.py failed")).RootElement;

    public static bool HasTorch { get; } = Run("-c", "import torch") is not null;

    public static float[] Floats(this JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetSingle())];

    public static float[][] Rows(this JsonElement array) => [.. array.EnumerateArray().Select(Floats)];

    public static void ShouldBeClose(this ReadOnlySpan<float> found, float[] expected, float tolerance, string what)
    {
        found.Length.ShouldBe(expected.Length, what);
        for (var i = 0; i < expected.Length; i++) found[i].ShouldBe(expected[i], tolerance, $"{what}, number {i}");
    }

    private static string Folder()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Streaming.sln"))) at = at.Parent ?? throw new DirectoryNotFoundException("the tests do not lie in a checkout");
        return Path.Combine(at.FullName, "tests", "parity");
    }

    private static string? Run(params string[] arguments)
    {
        try
        {
            using var python = Process.Start(new ProcessStartInfo("/usr/bin/python3", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var complaint = python.StandardError.ReadToEndAsync();
            var answer = python.StandardOutput.ReadToEnd();
            python.WaitForExit();
            complaint.Wait();
            return python.ExitCode == 0 ? answer : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}

/// <summary>A fact that needs tensors and Debian's python3-torch; skipped, with the reason, where either is absent.</summary>
public sealed class PyTorchFactAttribute : FactAttribute
{
    public PyTorchFactAttribute()
    {
        if (!Streaming.Tensors.TorchRuntime.TryLoad(out var reason)) Skip = reason;
        else if (!Parity.HasTorch) Skip = "python3-torch is not installed here (apt-get install python3-torch)";
    }
}
