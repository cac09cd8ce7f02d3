using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Streaming.Host.Cli;

/// <summary>The verb <c>node</c> of this program as a process of its own, on a port of the loopback: what benchmarks and chaos work on.</summary>
internal sealed class NodeProcess : IDisposable
{
    private readonly Process _process;
    private bool _disposed;

    private NodeProcess(Process process, int port)
    {
        _process = process;
        Port = port;
        StartedAt = Stopwatch.GetTimestamp();
    }

    public int Port { get; }

    /// <summary>When the process was started, in Stopwatch ticks.</summary>
    public long StartedAt { get; }

    /// <summary>For messages.</summary>
    public string Name { get; set; } = "";

    public bool HasExited => _process.HasExited;

    /// <summary>Exit code; only after the end.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Resident memory now, MB; 0 once it has ended.</summary>
    public long RssMb
    {
        get
        {
            _process.Refresh();
            return _process.HasExited ? 0 : _process.WorkingSet64 >> 20;
        }
    }

    /// <summary>Largest resident memory so far, MB.</summary>
    public long PeakRssMb
    {
        get
        {
            _process.Refresh();
            return _process.HasExited ? 0 : _process.PeakWorkingSet64 >> 20;
        }
    }

    /// <param name="port">Where it listens; nothing else may.</param>
    /// <param name="arguments">What follows <c>node --listen</c>.</param>
    /// <param name="complaints">Told of every line on its stderr; null passes them on.</param>
    /// <param name="environment">Variables of its own, by name.</param>
    public static NodeProcess Start(
        int port, IEnumerable<string> arguments, Action<string>? complaints = null, params IReadOnlyList<(string Name, string Value)> environment)
    {
        var start = Self(["node", "--listen", $"127.0.0.1:{port}", .. arguments]);
        start.Environment["STREAMING_LOG_LEVEL"] = "Warning";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrEmpty(line.Data)) (complaints ?? Console.Error.WriteLine)(line.Data);
        };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return new NodeProcess(process, port);
    }

    /// <summary>How this program is started once more.</summary>
    public static ProcessStartInfo Self(IEnumerable<string> arguments)
    {
        var self = Environment.ProcessPath!;
        var start = new ProcessStartInfo(self) { RedirectStandardError = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(self) != "streaming")
        {
            // Under `dotnet`, or inside another program, a test for example.
            start.FileName = "dotnet";
            start.ArgumentList.Add(typeof(NodeProcess).Assembly.Location);
        }
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return start;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Waits until the node says that it is ready.</summary>
    /// <exception cref="InvalidDataException">It ended, or was not ready within three minutes.</exception>
    public async Task WaitReadyAsync(CancellationToken cancel)
    {
        using var http = new HttpClient();
        for (var attempt = 0; attempt < 1_800; attempt++)
        {
            if (_process.HasExited) throw new InvalidDataException($"the node ended with code {_process.ExitCode} before it was ready");
            try
            {
                using var response = await http.GetAsync($"http://127.0.0.1:{Port}/readyz", cancel).ConfigureAwait(false);
                if (response.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            await Task.Delay(100, cancel).ConfigureAwait(false);
        }
        throw new InvalidDataException("the node was not ready within 3 minutes");
    }

    /// <summary>kill -9: nothing of it runs on, nothing is written any more.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Waits for its end, and until all that it said has been passed on: <see cref="HasExited"/> may be true before.</summary>
    public Task WaitForExitAsync(CancellationToken cancel) => _process.WaitForExitAsync(cancel);

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }
}
