using System.Diagnostics;

namespace Streaming.Storage.Tests;

/// <summary>This assembly as a process of its own (see <see cref="Program"/>), killed with SIGKILL in the middle of its work.</summary>
internal static class KilledProcess
{
    /// <summary>Starts it, kills it after so many lines, and returns all that it had printed, without the full stops that end its lines.</summary>
    public static async Task<List<string>> LinesAsync(string mode, string folder, int killAfterLines)
    {
        using var child = Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(Program).Assembly.Location, mode, folder]) { RedirectStandardOutput = true })!;
        var lines = new List<string>();
        while (await child.StandardOutput.ReadLineAsync() is { } line)
        {
            // The kill may cut the last line short: a whole one ends with a full stop.
            if (line.EndsWith('.')) lines.Add(line[..^1]);
            if (lines.Count == killAfterLines) child.Kill();
        }
        await child.WaitForExitAsync();
        lines.Count.ShouldBeGreaterThanOrEqualTo(killAfterLines);
        return lines;
    }
}
