using System.CommandLine;
using Streaming.Evaluation.DataSets;

namespace Streaming.Host.Cli;

/// <summary>Where verbs that read data sets look for those that are named instead of given by path.</summary>
internal sealed class DataOptions
{
    /// <summary>What a data set may be given as.</summary>
    public const string Help = "a file, a folder, or a set's short name (./run data)";

    private readonly Option<string?> _root = new("--data-root")
    {
        Description = $"Folder with data sets; else ${DataRoots.Variable}, else 'data' or 'shared/data' here or above", HelpName = "DIR",
    };

    public DataOptions AddTo(Command command)
    {
        command.Options.Add(_root);
        return this;
    }

    public DataRoots Roots(ParseResult parse) => DataRoots.Default(parse.GetValue(_root));
}
