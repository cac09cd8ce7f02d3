using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Streaming.Host.Cli;

/// <summary>
/// One keep-alive HTTP/1.1 connection on a blocking socket: as little client as a load generator on the same two cores can be.
/// Understands Content-Length and chunked bodies.
/// </summary>
internal sealed class RawHttp : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[256 * 1024];

    public RawHttp(int port)
    {
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 30_000 };
        _socket.Connect(IPAddress.Loopback, port);
    }

    /// <summary>Sends one request and reads its response to the end; ok for status 200.</summary>
    public (bool Ok, int Bytes) Exchange(byte[] request)
    {
        for (var sent = 0; sent < request.Length;) sent += _socket.Send(request, sent, request.Length - sent, SocketFlags.None);
        var filled = 0;
        while (true)
        {
            if (filled == _buffer.Length) throw new IOException("a response was larger than 256 KB");
            var read = _socket.Receive(_buffer, filled, _buffer.Length - filled, SocketFlags.None);
            if (read == 0) throw new IOException("the node closed the connection");
            filled += read;
            if (IsComplete(_buffer.AsSpan(0, filled))) return (_buffer.AsSpan(9, 3).SequenceEqual("200"u8), filled);
        }
    }

    /// <summary>The body of the last response, as text.</summary>
    public string Body(int bytes)
    {
        var all = _buffer.AsSpan(0, bytes);
        return Encoding.UTF8.GetString(all[(all.IndexOf("\r\n\r\n"u8) + 4)..]);
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Whether a response, head and body, is all there.</summary>
    internal static bool IsComplete(ReadOnlySpan<byte> response)
    {
        var headersEnd = response.IndexOf("\r\n\r\n"u8);
        if (headersEnd < 0) return false;
        var headers = response[..(headersEnd + 2)];
        var body = response[(headersEnd + 4)..];
        var at = headers.IndexOf("Content-Length: "u8);
        if (at < 0) return body.EndsWith("0\r\n\r\n"u8);
        var digits = headers[(at + 16)..];
        return body.Length >= int.Parse(digits[..digits.IndexOf((byte)'\r')], System.Globalization.CultureInfo.InvariantCulture);
    }
}
