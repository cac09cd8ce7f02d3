using System.Net;
using Streaming.Actors;
using Streaming.Host.Security;
using Streaming.Node;

namespace Streaming.Host.Http;

/// <summary>
/// Where nodes share the users: a question that only the user's actor can answer (their state, a list that has seen their click) goes on to the node
/// that leads their shard, once; while the shard is moving, the answer is to come again.
/// </summary>
internal sealed class LeaderProxy
{
    /// <summary>Marks a request that another node has passed on: it goes no further.</summary>
    public const string Forwarded = "X-Streaming-Forwarded";

    private static readonly HashSet<string> HopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Host", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Proxy-Connection", "TE", "Trailer", "Content-Length",
    };

    private readonly RequestDelegate _next;
    private readonly StreamingNode _node;
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None, UseCookies = false, UseProxy = false,
        ConnectTimeout = TimeSpan.FromSeconds(2), PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });

    public LeaderProxy(RequestDelegate next, StreamingNode node, IHostApplicationLifetime lifetime)
    {
        (_next, _node) = (next, node);
        lifetime.ApplicationStopped.Register(_client.Dispose);
    }

    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await _next(context).ConfigureAwait(false);
        }
        catch (ShardElsewhereException elsewhere) when (!context.Response.HasStarted)
        {
            await PassOnAsync(context, elsewhere.Partition).ConfigureAwait(false);
        }
    }

    private async Task PassOnAsync(HttpContext context, int partition)
    {
        var known = _node.LeaderOf(partition);
        // Operators' routes answer on operators' addresses only, where there are such.
        var leader = context.Features.Get<AccessControl.AdminConnection>() is not null && known.Admin.Length > 0 ? known.Admin : known.Public;
        if (leader.Length == 0 || context.Request.Headers.ContainsKey(Forwarded) || !HttpMethods.IsGet(context.Request.Method))
        {
            await MovingAsync(context, $"the users of shard {partition} are moving between nodes").ConfigureAwait(false);
            return;
        }
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(leader.TrimEnd('/') + context.Request.Path.ToUriComponent() + context.Request.QueryString.ToUriComponent()));
        foreach (var (name, values) in context.Request.Headers)
            if (!HopByHop.Contains(name)) request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        request.Headers.Add(Forwarded, "1");
        try
        {
            using var response = await _client.SendAsync(request, context.RequestAborted).ConfigureAwait(false);
            context.Response.StatusCode = (int)response.StatusCode;
            foreach (var (name, values) in response.Headers.Concat(response.Content.Headers))
                if (!HopByHop.Contains(name)) context.Response.Headers[name] = values.ToArray();
            await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
        }
        catch (HttpRequestException problem) when (!context.Response.HasStarted)
        {
            await MovingAsync(context, $"the node that has the users of shard {partition} cannot be reached ({problem.Message}); its Node:Advertise is {leader}").ConfigureAwait(false);
        }
    }

    private static Task MovingAsync(HttpContext context, string what)
    {
        context.Response.Clear();
        context.Response.Headers.RetryAfter = "1";
        return Problems.Write(context, 503, "shard-moving", what + "; ask again in a moment");
    }
}
