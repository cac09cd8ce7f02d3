using System.Net.Sockets;

namespace Streaming.Host.Tests.Cli;

/// <summary>A TCP connection that holds its place at the server.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly TcpClient _client;

    public RawConnection(Uri address)
    {
        _client = new TcpClient(address.Host, address.Port);
        Ask();
    }

    /// <summary>Whether the server closes a new connection without answering.</summary>
    public static bool IsClosedAtOnce(Uri address)
    {
        using var client = new TcpClient(address.Host, address.Port);
        try
        {
            client.GetStream().Write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"u8);
            return client.GetStream().Read(new byte[64]) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }

    public void Dispose() => _client.Dispose();

    private void Ask()
    {
        _client.GetStream().Write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"u8);
        try
        {
            _ = _client.GetStream().Read(new byte[64]);
        }
        catch (IOException)
        {
            // It found no place: the next one will tell.
        }
    }
}
