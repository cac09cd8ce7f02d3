using System.CommandLine;

namespace Streaming.Host.Cli;

/// <summary><c>completion SHELL</c>: a script that has the shell ask this program what may come next.</summary>
internal static class CompletionVerb
{
    /// <summary>Commands that are completed, of a checkout and of an installation. Bash goes by what is typed, the others by the file's name.</summary>
    private const string Commands = "run streaming";

    public static Command Create()
    {
        var command = new Command("completion", "Print a script that completes verbs, options, settings, data sets and models by Tab.");
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        command.Arguments.Add(shell);
        command.SetAction(parse => Console.Out.Write(Script(parse.GetValue(shell)!)));
        return command;
    }

    /// <summary>The program itself is asked, not <c>./run</c>, which would look at the build first at every Tab.</summary>
    private static string Script(string shell)
    {
        var program = Quoted(Path.Combine(AppContext.BaseDirectory, "streaming.dll"));
        return shell switch
        {
            "bash" => $$"""
                _streaming_complete() {
                    local line="${COMP_LINE:0:$COMP_POINT}" found
                    line="${line#"${COMP_WORDS[0]}"}"; line="${line# }"
                    local typed="${line##* }"
                    mapfile -t found < <(dotnet {{program}} "[suggest:${#line}]" "$line" 2>/dev/null | grep -v '^[/-][?h]*$')
                    mapfile -t COMPREPLY < <(compgen -W "${found[*]}" -- "$typed")
                    # Bash ends words at colons and equal signs: what stands before the last one is there already.
                    COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*[:=]}"}"}")
                }
                complete -o default -F _streaming_complete ./{{Commands}}

                """,
            "zsh" => $$"""
                _streaming_complete() {
                    local line="${BUFFER[1,CURSOR]}"
                    line="${line#* }"
                    local -a found
                    found=("${(@f)$(dotnet {{program}} "[suggest:${#line}]" "$line" 2>/dev/null | grep -v '^[/-][?h]*$')}")
                    compadd -a found
                }
                (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
                compdef _streaming_complete {{Commands}}

                """,
            _ => $$"""
                function _streaming_complete
                    set -l line (commandline -cp | string replace -r '^\S+\s?' '')
                    dotnet {{program}} "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null | string match -v -r '^[/-][?h]*$'
                end
                for command in {{Commands}}
                    complete -c $command -f -a '(_streaming_complete)'
                end

                """,
        };
    }

    private static string Quoted(string path) => $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
