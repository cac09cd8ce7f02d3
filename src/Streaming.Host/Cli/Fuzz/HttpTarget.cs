using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Streaming.Host.Http;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>
/// The HTTP API over a socket. An input is a request line without its version, an optional Content-Type, and a body after an empty line;
/// the framing is made sound. The answer is whole, in time, and an error is a problem document that names its own status; only what is no
/// request at all may be refused by the server itself, with an empty body and the connection closed. Nothing is an internal error.
/// </summary>
internal sealed class HttpTarget : FuzzTarget
{
    private readonly FuzzNode _node;
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private readonly IPEndPoint _address;
    private readonly byte[] _buffer = new byte[4 << 20];
    private Socket? _socket;

    private HttpTarget(FuzzNode node, WebApplication app)
    {
        (_node, _app) = (node, app);
        _address = IPEndPoint.Parse(new Uri(app.Urls.First()).Authority);
        _loop = Task.Run(() => node.Node.RunAsync(_stop.Token));
    }

    public override string Name => "http";

    /// <summary>The server allocates on other threads; what this one does is read the answer.</summary>
    public override long AllocatedMax(int inputBytes) => 64 << 20;

    public override IReadOnlyList<byte[]> Words { get; } = Texts(
        "GET /v1/feed/", "POST /v1/events", "POST /v1/items", "PUT /v1/items/", "PUT /v1/users/", "DELETE /v1/users/", "GET /v1/users/", "GET /v1/popular",
        "/similar", "GET /v1/status", "GET /metrics", "GET /healthz", "?limit=", "&offset=", "&after=", "&wait_ms=", "&tags=", "&surface=", "%2F", "%00", "%0d%0a",
        "%ff", "%", "..", "//", "2147483648", "-1", "0:0", "\n\n", "\r\n", "Content-Type: application/x-ndjson", "Content-Type: application/json",
        "{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\"}", "{\"id\":\"i\"}", "[", "]", "{}", "null", ",", "HEAD ", "OPTIONS ", "PATCH ");

    public static async Task<HttpTarget> StartAsync()
    {
        var node = await FuzzNode.OpenAsync().ConfigureAwait(false);
        var app = ApiServer.Build(node.Node, node.Settings, logging => logging.ClearProviders());
        await ApiServer.StartAsync(app, node.Settings.Serving.Listen, CancellationToken.None).ConfigureAwait(false);
        return new HttpTarget(node, app);
    }

    public override string Run(byte[] input)
    {
        var (method, request) = Request(input);
        for (var attempt = 0; ; attempt++)
        {
            var kept = _socket is not null;
            try
            {
                _socket ??= Connect();
                for (var sent = 0; sent < request.Length;) sent += _socket.Send(request, sent, request.Length - sent, SocketFlags.None);
                return Check(method, Receive(method == "HEAD"));
            }
            catch (SocketException problem) when (kept && attempt == 0 && problem.SocketErrorCode != SocketError.TimedOut)
            {
                // The server may close a connection that it has kept open at any time: once more on a new one.
                Close();
            }
            catch (SocketException problem)
            {
                Close();
                throw new FuzzFailure($"no answer: {problem.SocketErrorCode}", problem);
            }
        }
    }

    public override void Dispose()
    {
        Close();
        _app.StopAsync().GetAwaiter().GetResult();
        _stop.Cancel();
        _loop.GetAwaiter().GetResult();
        _app.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _node.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _stop.Dispose();
    }

    private sealed record Response(int Status, string Type, bool Closes, byte[] Body);

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 20_000 };
        socket.Connect(_address);
        return socket;
    }

    private void Close()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private static (string Method, byte[] Request) Request(byte[] input)
    {
        var text = input.AsSpan();
        var end = text.IndexOf("\n\n"u8);
        var head = Encoding.Latin1.GetString(end < 0 ? text : text[..end]).Split('\n');
        var body = end < 0 ? default : text[(end + 2)..];
        // What would end the line is no part of it; everything else is sent as it is.
        var line = head[0].Replace("\r", "", StringComparison.Ordinal);
        var type = head.Length > 1 && head[1].StartsWith("Content-Type: ", StringComparison.Ordinal) ? head[1][14..] : "application/json";
        type = new string([.. type.Where(c => c is >= ' ' and < (char)127)]);
        var method = line.Split(' ', 2)[0];
        return (method, [.. Encoding.Latin1.GetBytes($"{line} HTTP/1.1\r\nHost: fuzz\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n\r\n"), .. body]);
    }

    private Response Receive(bool headOnly)
    {
        var filled = 0;
        while (true)
        {
            if (filled == _buffer.Length) throw new FuzzFailure("an answer of more than 4 MiB");
            var read = _socket!.Receive(_buffer, filled, _buffer.Length - filled, SocketFlags.None);
            var closed = read == 0;
            filled += read;
            if (Whole(_buffer.AsSpan(0, filled), headOnly, closed) is { } response)
            {
                if (response.Closes || closed) Close();
                return response;
            }
            if (closed) throw new SocketException((int)SocketError.ConnectionReset);
        }
    }

    private static Response? Whole(ReadOnlySpan<byte> bytes, bool headOnly, bool closed)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0) return null;
        var head = Encoding.Latin1.GetString(bytes[..end]).Split("\r\n");
        var body = bytes[(end + 4)..];
        var status = int.Parse(head[0].AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture);
        string Header(string name) => head.FirstOrDefault(h => h.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase)) is { } h ? h[(name.Length + 2)..] : "";
        var closes = Header("Connection").Equals("close", StringComparison.OrdinalIgnoreCase);
        if (headOnly || status is 204 or 304) return new Response(status, Header("Content-Type"), closes, []);
        if (Header("Transfer-Encoding") == "chunked") return Unchunked(body) is { } whole ? new Response(status, Header("Content-Type"), closes, whole) : null;
        if (Header("Content-Length") is not { Length: > 0 } length) return closed ? new Response(status, Header("Content-Type"), true, body.ToArray()) : null;
        var due = int.Parse(length, CultureInfo.InvariantCulture);
        return body.Length >= due ? new Response(status, Header("Content-Type"), closes, body[..due].ToArray()) : null;
    }

    private static byte[]? Unchunked(ReadOnlySpan<byte> body)
    {
        using var whole = new MemoryStream();
        while (true)
        {
            var line = body.IndexOf("\r\n"u8);
            if (line < 0) return null;
            var length = int.Parse(Encoding.ASCII.GetString(body[..line]), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (body.Length < line + 2 + length + 2) return null;
            if (length == 0) return whole.ToArray();
            whole.Write(body.Slice(line + 2, length));
            body = body[(line + 2 + length + 2)..];
        }
    }

    private static string Check(string method, Response response)
    {
        Hold(response.Status is >= 200 and < 600 and not 500, $"the status is {response.Status}");
        if (method == "HEAD") return $"HEAD {response.Status}";
        if (response.Status < 400)
        {
            if (response.Type.StartsWith("application/json", StringComparison.Ordinal)) _ = Json(response);
            return $"{method} {response.Status} {response.Type}";
        }
        if (response.Body.Length == 0)
        {
            Hold(response.Closes && response.Status is 400 or 405 or 411 or 414 or 431 or 501 or 505, $"{response.Status} without a word, over a connection that goes on");
            return $"{response.Status} by the server";
        }
        if (response is { Status: 400, Type: "application/json" })
        {
            // A batch of which no record was taken says for each what is wrong with it.
            Hold(Json(response).TryGetProperty("results", out var results) && results.EnumerateArray().All(r => r.TryGetProperty("error", out _)), "400 without a reason");
            return $"{method} 400 batch";
        }
        Hold(response.Type.StartsWith("application/problem+json", StringComparison.Ordinal), $"{response.Status} as {response.Type}");
        var problem = Json(response);
        Hold(problem.ValueKind == JsonValueKind.Object && problem.TryGetProperty("status", out var status) && status.GetInt32() == response.Status, "the problem names another status");
        Hold(problem.TryGetProperty("type", out var kind) && kind.GetString() is { Length: > 0 }, "the problem has no type");
        return $"{method} {response.Status} {kind.GetString()} {(problem.TryGetProperty("detail", out var detail) ? detail.GetString() : "")}";
    }

    private static JsonElement Json(Response response)
    {
        try
        {
            return JsonDocument.Parse(response.Body).RootElement;
        }
        catch (JsonException broken)
        {
            throw new FuzzFailure($"{response.Status} with a body that is no JSON: {broken.Message}", broken);
        }
    }
}
