using System.ComponentModel;
using System.Diagnostics;
using Streaming.Evaluation.Results;

namespace Streaming.Host.Cli;

/// <summary>The checkout that the program was built in: where the ledger and the README lie, and which commit is measured.</summary>
internal sealed class Checkout
{
    private const string Unknown = "unknown";
    private const int HashDigits = 12;

    private Checkout(string root) => Root = root;

    public string Root { get; }
    public string LedgerFile => Path.Combine(Root, Ledger.PlaceInCheckout);
    public string ReadmeFile => Path.Combine(Root, "README.md");

    /// <summary>The checkout above the program, or above the current folder; null for an installed copy.</summary>
    public static Checkout? Find() => Above(AppContext.BaseDirectory) ?? Above(Environment.CurrentDirectory);

    /// <summary>HEAD's hash, with a "+" when sources differ from it; "unknown" where there is no git or no repository.</summary>
    public string Commit()
    {
        if (Git("rev-parse", $"--short={HashDigits}", "HEAD") is not { Length: > 0 } hash) return Unknown;
        return Git("status", "--porcelain", "--", "src", "hocon") is { Length: 0 } ? hash : hash + "+";
    }

    private static Checkout? Above(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Streaming.sln"))) return new Checkout(at.FullName);
        return null;
    }

    private string? Git(params string[] arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["-C", Root, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var complaint = git.StandardError.ReadToEndAsync();
            var answer = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            complaint.Wait();
            return git.ExitCode == 0 ? answer : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
