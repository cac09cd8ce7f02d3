using Microsoft.Extensions.Logging.Console;
using Streaming.Node;

namespace Streaming.Host.Cli;

/// <summary>Structured logs on stderr, one JSON object a line, so that stdout stays the verb's own.</summary>
internal static class Logging
{
    public static void Configure(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.AddJsonConsole(options => options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ").AddFilter("Microsoft", LogLevel.Warning)
            // It logs a failed start with its stack; the verb says the same in one line, and what to do.
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.Services.Configure<JsonConsoleFormatterOptions>(options => options.UseUtcTimestamp = true);
        logging.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        var level = Environment.GetEnvironmentVariable("STREAMING_LOG_LEVEL");
        logging.SetMinimumLevel(Enum.TryParse<LogLevel>(level, ignoreCase: true, out var parsed) ? parsed : LogLevel.Information);
    }

    /// <summary>A sink for the node's notices, under one category.</summary>
    public static Action<NodeNotice> Notices(ILogger logger) => notice => logger.Log(
        notice.Level switch { NoticeLevel.Error => LogLevel.Error, NoticeLevel.Warning => LogLevel.Warning, _ => LogLevel.Information },
        notice.Exception, "{Notice}", notice.Message);

    /// <summary>A logger for verbs without a web application.</summary>
    public static ILoggerFactory CreateFactory() => LoggerFactory.Create(Configure);
}
