using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Streaming.Host.Cli.Peers;

/// <summary>Runs a named peer that lives in Python, on one thread, and reads the one JSON line that it prints.</summary>
internal static class PythonPeer
{
    /// <summary>Debian's interpreter: the one whose packages apt-get installs.</summary>
    private static readonly string[] Interpreters = ["/usr/bin/python3", "python3"];

    /// <summary>What the script printed; its only member is "absent", with the reason, where the peer cannot run here.</summary>
    /// <param name="script">Name of an embedded script of this folder.</param>
    /// <param name="arguments">Of the script.</param>
    /// <param name="cancel">Ends the script.</param>
    public static async Task<JsonElement> RunAsync(string script, IEnumerable<string> arguments, CancellationToken cancel)
    {
        await using var source = typeof(PythonPeer).Assembly.GetManifestResourceStream($"peers/{script}")
            ?? throw new InvalidOperationException($"there is no script {script} in this build");
        using var text = new StreamReader(source);
        var code = await text.ReadToEndAsync(cancel).ConfigureAwait(false);
        var absent = Absent("there is no python3");
        foreach (var interpreter in Interpreters)
        {
            var start = new ProcessStartInfo(interpreter, ["-c", code, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var name in (string[])["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]) start.Environment[name] = "1";
            try
            {
                var answer = await ReadAsync(start, cancel).ConfigureAwait(false);
                if (!answer.TryGetProperty("absent", out _)) return answer;
                absent = answer;
            }
            catch (Win32Exception)
            {
                // No such interpreter; the next may be there.
            }
        }
        return absent;
    }

    private static async Task<JsonElement> ReadAsync(ProcessStartInfo start, CancellationToken cancel)
    {
        using var process = Process.Start(start)!;
        try
        {
            var complaint = process.StandardError.ReadToEndAsync(cancel);
            var answer = await process.StandardOutput.ReadToEndAsync(cancel).ConfigureAwait(false);
            await process.WaitForExitAsync(cancel).ConfigureAwait(false);
            return process.ExitCode == 0 ? JsonDocument.Parse(answer).RootElement.Clone() : Absent((await complaint.ConfigureAwait(false)).Trim());
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    private static JsonElement Absent(string why) => JsonSerializer.SerializeToElement(new { absent = why });
}
