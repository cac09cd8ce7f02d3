using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Streaming.Host.Cli;

/// <summary>What a figure was measured on.</summary>
internal static class Machine
{
    /// <summary>For example "2 cores, X64, Linux, .NET 10.0.1".</summary>
    public static string Hardware { get; } =
        $"{Environment.ProcessorCount} cores, {CpuModel() ?? RuntimeInformation.ProcessArchitecture.ToString()}, {RuntimeInformation.OSDescription.Split(' ')[0]}, {RuntimeInformation.FrameworkDescription}";

    /// <summary>Largest resident size of this process so far, MB.</summary>
    public static long PeakRssMb()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 >> 20;
    }

    private static string? CpuModel()
    {
        const string path = "/proc/cpuinfo";
        return File.Exists(path)
            ? File.ReadLines(path).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            : null;
    }
}
