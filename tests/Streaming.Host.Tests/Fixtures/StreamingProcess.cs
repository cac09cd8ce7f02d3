using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Streaming.Host.Tests.Fixtures;

/// <summary>The built program as a process of its own, with no setting inherited from the environment.</summary>
public sealed partial class StreamingProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _stdout = new();
    private readonly ConcurrentQueue<string> _stderr = new();
    private readonly SemaphoreSlim _lines = new(0);

    private StreamingProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Take(_stdout, line.Data);
        process.ErrorDataReceived += (_, line) => Take(_stderr, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string Stdout => string.Join('\n', _stdout);
    public string Stderr => string.Join('\n', _stderr);

    /// <summary>The last line of stdout as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(_stdout.Last()).RootElement;

    public static StreamingProcess Start(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(typeof(RunningNode).Assembly.Location);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("STREAMING_", StringComparison.Ordinal) || n == "KAFKA_BOOTSTRAP").ToList())
            start.Environment.Remove(name);
        return new StreamingProcess(new Process { StartInfo = start });
    }

    /// <summary>Runs to the end.</summary>
    public static async Task<(int Code, StreamingProcess Process)> RunAsync(params IEnumerable<string> arguments)
    {
        var process = Start(arguments);
        try
        {
            return (await process.ExitAsync(), process);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    public async Task<int> ExitAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Waits for a line on stderr that holds this text.</summary>
    public async Task<string> StderrLineAsync(string text)
    {
        while (true)
        {
            if (_stderr.FirstOrDefault(l => l.Contains(text, StringComparison.Ordinal)) is { } line) return line;
            if (!await _lines.WaitAsync(Patience)) throw new TimeoutException($"no '{text}' on stderr, but: {Stderr}");
        }
    }

    /// <summary>SIGKILL, and waits until it is gone.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Terminate() => Kill(_process.Id, 15).ShouldBe(0);

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
        _lines.Dispose();
    }

    private void Take(ConcurrentQueue<string> into, string? line)
    {
        if (line is null) return;
        into.Enqueue(line);
        _lines.Release();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
