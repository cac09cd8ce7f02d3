using System.CommandLine;
using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Results;

namespace Streaming.Host.Cli;

/// <summary><c>ledger</c>: the recorded results as tables, and the README's copy of them.</summary>
internal static class LedgerVerb
{
    public static Command Create(ProtocolRegistry protocols)
    {
        var command = new Command("ledger", "Print the recorded results as Markdown tables, one per data set and protocol; --write-readme puts them into the README.");
        var write = new Option<bool>("--write-readme") { Description = "Replace the README's tables (between its ledger marks) by those of the ledger" };
        var check = new Option<bool>("--check") { Description = "Change nothing; fail when the README's tables are not those of the ledger" };
        var ledger = new Option<string?>("--ledger") { Description = $"The ledger; default {Ledger.PlaceInCheckout} of the checkout", HelpName = "FILE" };
        var readme = new Option<string?>("--readme") { Description = "The README; default that of the checkout", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "No tables; end with one JSON line on stdout" };
        foreach (var option in (Option[])[write, check, ledger, readme, json]) command.Options.Add(option);
        command.SetAction((parse, _) => CliApp.GuardAsync(() => Task.FromResult(Run(
            protocols, LedgerFile(parse.GetValue(ledger)), parse.GetValue(readme), parse.GetValue(write), parse.GetValue(check), parse.GetValue(json)))));
        return command;
    }

    /// <summary>The file that was named, else that of the checkout.</summary>
    /// <exception cref="FormatException">None was named, and this is no checkout.</exception>
    public static string LedgerFile(string? named) => named ?? (Checkout.Find() ?? throw NoCheckout("--ledger FILE")).LedgerFile;

    private static int Run(ProtocolRegistry protocols, string ledgerFile, string? readmeFile, bool write, bool check, bool json)
    {
        var ledger = Ledger.Load(ledgerFile);
        var tables = ResultTable.Markdown(ledger.Rows, name => protocols.Find(name).Description);
        bool? same = null;
        if (write || check)
        {
            readmeFile ??= (Checkout.Find() ?? throw NoCheckout("--readme FILE")).ReadmeFile;
            var readme = File.ReadAllText(readmeFile);
            same = ResultTable.Between(readme) == tables;
            if (write && same == false) File.WriteAllText(readmeFile, ResultTable.Replace(readme, tables));
        }
        if (json) JsonLine.Print([("ledger", ledgerFile), ("rows", ledger.Rows.Count), ("readme", readmeFile), ("readme_was_current", same)]);
        else if (write) Console.WriteLine(same == true ? $"{readmeFile} is as it should be" : $"{readmeFile} now has the {ledger.Rows.Count} results of {ledgerFile}");
        else if (!check) Console.Write(tables);
        if (!check || write || same == true) return 0;
        Console.Error.WriteLine($"streaming: {readmeFile} differs from {ledgerFile}; run ./run ledger --write-readme");
        return 1;
    }

    private static FormatException NoCheckout(string option) => new($"there is no checkout of the project above the program or this folder; name the file with {option}");
}
