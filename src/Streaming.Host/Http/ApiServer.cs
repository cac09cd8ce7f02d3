using System.Net;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Streaming.Core.Settings;
using Streaming.Host.Live;
using Streaming.Host.Metrics;
using Streaming.Host.Security;
using Streaming.Host.Web;
using Streaming.Node;
using Streaming.Node.Deep;

namespace Streaming.Host.Http;

/// <summary>The HTTP API over a node.</summary>
internal static class ApiServer
{
    /// <summary>Builds the application; the caller starts and stops it.</summary>
    /// <param name="node">A node that is open; it need not run yet.</param>
    /// <param name="settings">Address, limits.</param>
    /// <param name="configureLogging">How to log.</param>
    /// <param name="notice">Told what an operator should know of keys and certificates; never of their content.</param>
    /// <exception cref="Host.Settings.SettingsException">Keys or certificate cannot be used, or strangers could ask.</exception>
    public static WebApplication Build(StreamingNode node, StreamingSettings settings, Action<ILoggingBuilder> configureLogging, Action<string>? notice = null) =>
        Build(settings, configureLogging, notice, Describe, (app, asksForKeys) =>
        {
            if (settings.Kafka.IsShared) app.Use(next => new LeaderProxy(next, node, app.Lifetime).InvokeAsync);
            Map(app, node, settings);
            WebPages.Map(app, settings.Serving.AdminListen.Length > 0, asksForKeys);
        });

    /// <summary>The same for a process that learns and nothing else: health, figures of its workers, metrics.</summary>
    /// <inheritdoc cref="Build(StreamingNode, StreamingSettings, Action{ILoggingBuilder}, Action{string}?)" path="/exception"/>
    public static WebApplication BuildTrainer(
        DeepWorkers workers, StreamingSettings settings, Action<ILoggingBuilder> configureLogging, Action<string>? notice = null) =>
        Build(settings, configureLogging, notice, _ => { }, (app, _) =>
        {
            app.MapGet("/v1/status", () => Results.Json(new { Workers = workers.Status }, StatusJson));
            app.MapGet("/healthz", () => Results.Text("ok\n"));
            app.MapGet("/readyz", () => workers.Status.Count == settings.Deep.Models.Count ? Results.Text("ready\n") : Results.Text("restoring\n", statusCode: 503));
            MetricsEndpoint.Map(app);
        });

    private static void Describe(WebApplicationBuilder builder) =>
        builder.Services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Streaming";
            document.Info.Description = "Real-time streaming recommender: events in, fresh lists out.";
            document.Info.Version = "v1";
            return Task.CompletedTask;
        }));

    private static WebApplication Build(
        StreamingSettings settings, Action<ILoggingBuilder> configureLogging, Action<string>? notice, Action<WebApplicationBuilder> describe, Action<WebApplication, bool> map)
    {
        var security = settings.Security;
        var keys = new ApiKeys(security, Environment.GetEnvironmentVariable(ApiKeys.Variable), notice ?? (_ => { }));
        Exposure.Check(settings, keys.Any);
        var certificate = security.TlsCertificate.Length == 0 ? null : new ServerCertificate(security, Environment.GetEnvironmentVariable(ServerCertificate.PasswordVariable), notice ?? (_ => { }));
        var builder = WebApplication.CreateSlimBuilder();
        configureLogging(builder.Logging);
        describe(builder);
        builder.WebHost.ConfigureKestrel(kestrel => Configure(kestrel, settings.Serving, certificate));
        builder.Services.AddProblemDetails();
        if (settings.Serving.CorsOrigins.Length > 0) builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy => Configure(policy, settings.Serving.CorsOrigins)));
        var app = builder.Build();
        // What the framework itself refuses (a limit that is no number, an unknown path) is a problem document too.
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        // Before the door: a browser's question whether it may ask brings no key.
        if (settings.Serving.CorsOrigins.Length > 0) app.UseCors();
        var limits = new RateLimits(security);
        app.Lifetime.ApplicationStopped.Register(limits.Dispose);
        if (Tracing.Start(settings.Tracing) is { } tracing) app.Lifetime.ApplicationStopped.Register(tracing.Dispose);
        var apart = settings.Serving.AdminListen.Length > 0;
        app.Use(next => new AccessControl(next, keys, limits, apart).InvokeAsync);
        app.Use(next => context => ApiVersions.IsUnknown(context.Request.Path) ? ApiVersions.Refuse(context) : next(context));
        map(app, keys.Any);
        RouteScopes.Check(((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints));
        var (warn, text) = Exposure.Describe(settings, keys.Any);
        if (warn) app.Logger.LogWarning("{Access}", text);
        else app.Logger.LogInformation("{Access}", text);
        return app;
    }

    private static void Configure(CorsPolicyBuilder policy, string[] origins) => policy.WithOrigins(origins).WithMethods("GET", "POST", "PUT", "DELETE")
        .WithHeaders(
            "Authorization", "Content-Type", IngestEndpoints.KeyHeader, "If-Match", "X-Api-Key", "X-Streaming-Arm", ExperimentEndpoints.AuthorHeader, ExperimentEndpoints.WhyHeader,
            "traceparent", "tracestate")
        .WithExposedHeaders("ETag", IngestEndpoints.ReplayedHeader, "Link", "Retry-After")
        .SetPreflightMaxAge(TimeSpan.FromHours(1));

    private static void Configure(KestrelServerOptions kestrel, ServingSettings serving, ServerCertificate? certificate)
    {
        kestrel.AddServerHeader = false;
        // Two ids of the largest allowed length, percent-encoded, fit (a path with a user, a query with an event id).
        kestrel.Limits.MaxRequestLineSize = 64 * 1024;
        kestrel.Limits.MaxRequestHeadersTotalSize = serving.HeaderBytesMax;
        kestrel.Limits.MaxRequestBodySize = serving.RequestBytesMax;
        kestrel.Limits.MaxConcurrentConnections = serving.ConnectionsMax;
        kestrel.Listen(IPEndPoint.Parse(serving.Listen), listen => Protect(listen, certificate));
        if (serving.AdminListen.Length == 0) return;
        kestrel.Listen(IPEndPoint.Parse(serving.AdminListen), listen =>
        {
            listen.Use(next => connection =>
            {
                connection.Features.Set(AccessControl.AdminConnection.Mark);
                return next(connection);
            });
            Protect(listen, certificate);
        });
    }

    private static void Protect(ListenOptions listen, ServerCertificate? certificate)
    {
        listen.Protocols = HttpProtocols.Http1;
        if (certificate is not null) listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificate.Options) });
    }

    /// <summary>Checks keys, certificate and addresses before anything is opened.</summary>
    /// <exception cref="Host.Settings.SettingsException">They cannot be used, or strangers could ask.</exception>
    public static void Check(StreamingSettings settings, Action<string> notice)
    {
        Exposure.Check(settings, new ApiKeys(settings.Security, Environment.GetEnvironmentVariable(ApiKeys.Variable), notice).Any);
        if (settings.Security.TlsCertificate.Length > 0) _ = new ServerCertificate(settings.Security, Environment.GetEnvironmentVariable(ServerCertificate.PasswordVariable), notice);
    }

    /// <summary>Starts listening.</summary>
    /// <exception cref="IOException">The address cannot be had; the message says what to do.</exception>
    public static async Task StartAsync(WebApplication app, string listen, CancellationToken cancel)
    {
        try
        {
            await app.StartAsync(cancel).ConfigureAwait(false);
        }
        catch (Exception problem) when (problem is IOException or System.Net.Sockets.SocketException)
        {
            throw new IOException($"cannot listen on {listen}: {problem.Message.TrimEnd('.')}. Stop what listens there, or give another --listen IP:PORT", problem);
        }
    }

    private static void Map(WebApplication app, StreamingNode node, StreamingSettings all)
    {
        var settings = all.Serving;
        var time = TimeProvider.System;
        var feed = new FeedEndpoint(node, settings, time);
        var ingest = new IngestEndpoints(node, settings, time);
        var query = new QueryEndpoints(node, time);
        app.MapGet("/v1/feed/{user}", (HttpContext context, string user, string? surface, int? limit, int? offset, string? after, int? wait_ms, string? tags, string? arm, string? exclude, string? categories) =>
                feed.HandleAsync(context, PathId.Of(context, 2, user), surface, limit, offset, after, wait_ms, tags, arm, exclude, categories))
            .WithSummary("The user's list, from the cache").WithDescription(
                "after: a position or event id that the list must have seen; wait_ms bounds the wait. tags: declared interests of a user without history. arm: a tester's choice, experiment:arm or an arm of the default layer, several with commas (or the header X-Streaming-Arm). exclude: items, with commas, that are not to come. categories: one of these, with commas, has to be the item's.");
        app.MapPost("/v1/events", (Delegate)ingest.PostEventsAsync).Accepts<object>("application/json", "application/x-ndjson")
            .WithSummary("One event, an array of events, or NDJSON; answered once durable");
        app.MapPost("/v1/items", (Delegate)ingest.PostItemsAsync).Accepts<object>("application/json", "application/x-ndjson")
            .WithSummary("One item, an array, or NDJSON: insert, replace, or delete with deleted=true");
        app.MapPut("/v1/items/{id}", (HttpContext context, string id) => ingest.PutItemAsync(context, PathId.Of(context, 2, id))).Accepts<object>("application/json").WithSummary("Insert or replace an item");
        app.MapGet("/v1/items/{id}", (HttpContext context, string id) => query.ItemAsync(PathId.Of(context, 2, id))).WithSummary("An item as the catalogue has it");
        app.MapDelete("/v1/items/{id}", (HttpContext context, string id) => ingest.DeleteItemAsync(context, PathId.Of(context, 2, id))).WithSummary("Delete an item: it leaves every list");
        app.MapGet("/v1/items/{id}/similar", (HttpContext context, string id, int? limit, int? offset) => query.SimilarAsync(context, PathId.Of(context, 2, id), limit, settings.DefaultLimit, offset)).WithSummary("Items that the same users act on");
        app.MapGet("/v1/popular", (HttpContext context, string? surface, string? tag, int? limit, int? offset, string? exclude, string? categories) =>
            query.PopularAsync(context, surface, tag, limit ?? settings.DefaultLimit, offset ?? 0, exclude, categories)).WithSummary("The popular list of a surface or tag");
        app.MapGet("/v1/users/{user}", (HttpContext context, string user, CancellationToken cancel) => query.UserAsync(PathId.Of(context, 2, user), cancel)).WithSummary("A user's state, for debugging");
        app.MapPut("/v1/users/{user}", (HttpContext context, string user) => ingest.PutUserAsync(context, PathId.Of(context, 2, user))).Accepts<object>("application/json").WithSummary("Insert or replace a profile");
        app.MapDelete("/v1/users/{user}", (HttpContext context, string user) => ingest.DeleteUserAsync(context, PathId.Of(context, 2, user))).WithSummary("Forget a user");
        app.MapGet("/v1/users/{user}/deletion", (HttpContext context, string user) => query.Deletion(PathId.Of(context, 2, user))).WithSummary("How far the deletion of a user has come: the receipt");
        app.MapGet("/v1/experiments/{id}/report", (HttpContext context, string id) => ReportEndpoint.Handle(node, PathId.Of(context, 2, id)))
            .WithSummary("What an experiment shows: values, intervals that hold at every look, split check, guard-rails, in figures and words");
        new ExperimentEndpoints(node, settings).Map(app);
        new WeightEndpoints(node, all).Map(app);
        new ExplainEndpoint(node, time).Map(app);
        var figures = new LiveFigures(node, time);
        // Streams would hold up a stop until its patience ends.
        app.Lifetime.ApplicationStopping.Register(() => figures.DisposeAsync().AsTask().GetAwaiter().GetResult());
        new OperationsEndpoints(node, figures, settings).Map(app);
        app.MapGet("/v1/status", () => Results.Json(node.Status(), StatusJson)).WithSummary("The node's figures");
        app.MapGet("/healthz", () => Results.Text("ok\n")).WithSummary("The process lives");
        app.MapGet("/readyz", () => node.NotReady is { } why ? Results.Text($"{why}\n", statusCode: 503) : Results.Text("ready\n"))
            .WithSummary("The state stands and rounds run, and the cluster of actors, where there is one, counts this node in");
        ApiDescription.Map(app);
        MetricsEndpoint.Map(app);
    }

    /// <summary>NaN is a legal "no value yet" of a figure; strict JSON has no word for it.</summary>
    private static readonly System.Text.Json.JsonSerializerOptions StatusJson = new(System.Text.Json.JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };
}
