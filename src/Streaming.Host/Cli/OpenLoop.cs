using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Streaming.Host.Cli;

/// <summary>
/// An open-loop HTTP load from one thread: every request has its time, goes out on the first free keep-alive connection, and its
/// latency counts from that time, so that a stall is charged to every request that it held up. One thread that sleeps in the kernel
/// until a response or a due time, because on a small machine a thread per connection measures mostly its own scheduling.
/// </summary>
internal sealed unsafe partial class OpenLoop : IDisposable
{
    private readonly Connection[] _connections;
    private readonly PollFd[] _polled;
    private readonly Stack<int> _free = new();
    private readonly Stream[] _streams;

    /// <summary>One kind of request at its own rate.</summary>
    /// <param name="Requests">Whole HTTP requests, sent round and round.</param>
    /// <param name="PerSecond">Requests per second; 0 for none.</param>
    /// <param name="Done">Told of every response: due time and end in Stopwatch ticks, its status, and its bytes.</param>
    public sealed record Stream(byte[][] Requests, double PerSecond, Action<long, long, int, int> Done)
    {
        internal long Sent;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Happened;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    private sealed class Connection(Socket socket)
    {
        public readonly Socket Socket = socket;
        public readonly byte[] Buffer = new byte[256 * 1024];
        public int Filled;
        public long Due;
        public Stream? Waits;
    }

    /// <exception cref="PlatformNotSupportedException">Not on Linux.</exception>
    public OpenLoop(int port, int connections, params Stream[] streams)
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException("the load generator of this benchmark runs on Linux only");
        _streams = streams;
        _connections = new Connection[connections];
        _polled = new PollFd[connections];
        for (var i = 0; i < connections; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Loopback, port);
            socket.Blocking = false;
            _connections[i] = new Connection(socket);
            _polled[i] = new PollFd { Fd = (int)socket.Handle, Events = 1 };
            _free.Push(i);
        }
    }

    /// <summary>Runs for a time, and then until the last response is in.</summary>
    /// <exception cref="IOException">The node closed a connection, or did not answer for 30 s.</exception>
    public void Run(TimeSpan time, CancellationToken cancel)
    {
        var start = Stopwatch.GetTimestamp();
        var end = start + (long)(time.TotalSeconds * Stopwatch.Frequency);
        foreach (var stream in _streams) stream.Sent = 0;
        var heard = start;
        while (!cancel.IsCancellationRequested)
        {
            var now = Stopwatch.GetTimestamp();
            var next = SendDue(start, end, now);
            if (next == long.MaxValue && _free.Count == _connections.Length) return;
            // With every connection busy only a response can change anything.
            if (Wait(_free.Count == 0 || next == long.MaxValue ? now + Stopwatch.Frequency : next, now)) heard = Stopwatch.GetTimestamp();
            else if (_free.Count < _connections.Length && now - heard > 30 * Stopwatch.Frequency) throw new IOException("the node has not answered for 30 s");
        }
    }

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Socket.Dispose();
    }

    /// <summary>Sends what is due, the longest waiting first; returns when the next is due, or MaxValue when all was sent.</summary>
    private long SendDue(long start, long end, long now)
    {
        while (true)
        {
            var (first, due) = (default(Stream), long.MaxValue);
            foreach (var stream in _streams)
            {
                if (stream.PerSecond <= 0) continue;
                var at = start + (long)(stream.Sent * (double)Stopwatch.Frequency / stream.PerSecond);
                if (at < end && at < due) (first, due) = (stream, at);
            }
            if (first is null || due > now || _free.Count == 0) return due;
            var connection = _connections[_free.Pop()];
            (connection.Waits, connection.Due, connection.Filled) = (first, due, 0);
            // A request is far smaller than a socket's empty send buffer.
            if (connection.Socket.Send(first.Requests[first.Sent++ % first.Requests.Length]) == 0) throw new IOException("the node took no request");
        }
    }

    private bool Wait(long until, long now)
    {
        var ns = Math.Max(0, until - now) * 1_000_000_000 / Stopwatch.Frequency;
        var timeout = new TimeSpec { Seconds = (nint)(ns / 1_000_000_000), Nanoseconds = (nint)(ns % 1_000_000_000) };
        int ready;
        fixed (PollFd* fds = _polled) ready = Poll(fds, (nuint)_polled.Length, &timeout, null);
        for (var (i, left) = (0, ready); left > 0; i++)
        {
            if (_polled[i].Happened == 0) continue;
            left--;
            Receive(i);
        }
        return ready > 0;
    }

    private void Receive(int index)
    {
        var connection = _connections[index];
        var read = connection.Socket.Receive(connection.Buffer.AsSpan(connection.Filled), SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock) return;
        if (read <= 0) throw new IOException($"the node closed a connection ({error})");
        connection.Filled += read;
        var response = connection.Buffer.AsSpan(0, connection.Filled);
        if (!RawHttp.IsComplete(response)) return;
        var stream = connection.Waits!;
        connection.Waits = null;
        _free.Push(index);
        stream.Done(connection.Due, Stopwatch.GetTimestamp(), int.Parse(response.Slice(9, 3), System.Globalization.CultureInfo.InvariantCulture), connection.Filled);
    }

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = false)]
    private static partial int Poll(PollFd* fds, nuint count, TimeSpec* timeout, void* signals);
}
