using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Streaming.Host.Tests.Fixtures;

/// <summary>The built program as a process of its own, with small stores and no setting inherited from the environment.</summary>
public sealed partial class StreamingProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

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
        // The terminal of whoever runs the tests stays theirs.
        if (process.StartInfo.RedirectStandardInput) process.StandardInput.Close();
    }

    public string Stdout => string.Join('\n', _stdout);
    public string Stderr => string.Join('\n', _stderr);

    /// <summary>The last line of stdout as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(_stdout.Last()).RootElement;

    public static StreamingProcess Start(params IEnumerable<string> arguments) => StartAs(["dotnet", Program, .. arguments]);

    /// <summary>The same where Ctrl-C reaches it: whoever was started in the background ignores it, and so do all that it starts.</summary>
    public static StreamingProcess StartInForeground(params IEnumerable<string> arguments) => StartAs(["env", "--default-signal=INT", "dotnet", Program, .. arguments]);

    /// <summary>Runs to the end on a terminal of its own (util-linux's <c>script</c>), whose output is <see cref="Stdout"/>.</summary>
    public static Task<(int Code, StreamingProcess Process)> RunOnTerminalAsync(params IEnumerable<string> arguments)
    {
        var command = string.Join(' ', ((string[])["dotnet", Program, .. arguments]).Select(word => $"'{word}'"));
        return EndAsync(StartAs(["script", "--quiet", "--return", "--command", command, "/dev/null"], isTerminal: true), Patience);
    }

    private static string Program => typeof(RunningNode).Assembly.Location;

    private static StreamingProcess StartAs(string[] command, bool isTerminal = false)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = isTerminal, RedirectStandardOutput = true, RedirectStandardError = true };
        if (isTerminal) start.Environment["TERM"] = "xterm";
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("STREAMING_", StringComparison.Ordinal) || n == "KAFKA_BOOTSTRAP").ToList())
            start.Environment.Remove(name);
        // Indexes for a test's few users: a node writes them whole at its first checkpoint, and reads them at its next start.
        foreach (var store in (string[])["State", "Cache"]) start.Environment[$"STREAMING_Storage__{store}__IndexMb"] = "1";
        return new StreamingProcess(new Process { StartInfo = start });
    }

    /// <summary>Runs to the end.</summary>
    public static Task<(int Code, StreamingProcess Process)> RunAsync(params IEnumerable<string> arguments) => RunAsync(Patience, arguments);

    /// <summary>The same for what takes longer than most.</summary>
    public static Task<(int Code, StreamingProcess Process)> RunAsync(TimeSpan patience, params IEnumerable<string> arguments) => EndAsync(Start(arguments), patience);

    private static async Task<(int Code, StreamingProcess Process)> EndAsync(StreamingProcess process, TimeSpan patience)
    {
        try
        {
            return (await process.ExitAsync(patience), process);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    public Task<int> ExitAsync() => ExitAsync(Patience);

    private async Task<int> ExitAsync(TimeSpan within)
    {
        using var patience = new CancellationTokenSource(within);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Waits for a line on stderr that holds this text.</summary>
    public Task<string> StderrLineAsync(string text) => LineAsync(_stderr, text);

    /// <summary>Waits for a line on stdout that holds this text.</summary>
    public Task<string> StdoutLineAsync(string text) => LineAsync(_stdout, text);

    private async Task<string> LineAsync(ConcurrentQueue<string> output, string text)
    {
        while (true)
        {
            if (output.FirstOrDefault(l => l.Contains(text, StringComparison.Ordinal)) is { } line) return line;
            if (!await _lines.WaitAsync(Patience)) throw new TimeoutException($"no '{text}', but: {Stdout} {Stderr}");
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>kill -9, and the end of it.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public void Terminate() => Kill(_process.Id, 15).ShouldBe(0);

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => Kill(_process.Id, 2).ShouldBe(0);

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
