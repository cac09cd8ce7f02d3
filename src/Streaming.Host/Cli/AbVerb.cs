using System.CommandLine;

namespace Streaming.Host.Cli;

/// <summary><c>ab</c>: experiments.</summary>
internal static class AbVerb
{
    public static Command Create()
    {
        var command = new Command("ab", "Experiments: what they show, and how many users they take.");
        command.Subcommands.Add(AbReportVerb.Create());
        command.Subcommands.Add(AbPowerVerb.Create());
        return command;
    }
}
