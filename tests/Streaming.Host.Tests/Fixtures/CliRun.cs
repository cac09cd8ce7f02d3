using System.Text.Json;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Cli;

namespace Streaming.Host.Tests.Fixtures;

/// <summary>Tests that catch the console of this process run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ConsoleTests
{
    public const string Name = "console";
}

/// <summary>A verb in this process, with protocols of the test's own.</summary>
internal sealed record CliRun(int Code, string Stdout, string Stderr)
{
    /// <summary>The last line of stdout as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Stdout.TrimEnd('\n').Split('\n')[^1]).RootElement;

    public static async Task<CliRun> RunAsync(ProtocolRegistry protocols, params string[] arguments)
    {
        var (stdout, stderr) = (Console.Out, Console.Error);
        using var caught = new StringWriter();
        using var complaints = new StringWriter();
        Console.SetOut(caught);
        Console.SetError(complaints);
        try
        {
            var code = await CliApp.RunAsync(arguments, protocols);
            return new CliRun(code, caught.ToString(), complaints.ToString());
        }
        finally
        {
            Console.SetOut(stdout);
            Console.SetError(stderr);
        }
    }
}
