using System.Collections;
using System.Globalization;
using Spectre.Console;

namespace Streaming.Host.Cli;

/// <summary>Figures as a table for people.</summary>
internal static class Tables
{
    /// <summary>Where output for people goes: the stdout of this moment, plain and wide where that is no terminal.</summary>
    public static IAnsiConsole Terminal()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Out), Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
        });
        if (Console.IsOutputRedirected) console.Profile.Width = WidthOfFiles;
        return console;
    }

    private const int WidthOfFiles = 240;

    public static void Print(string title, IEnumerable<(string Name, object? Value)> figures)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(title).AddColumn("figure").AddColumn(new TableColumn("value").RightAligned());
        foreach (var (name, value) in figures) table.AddRow(Markup.Escape(name), Markup.Escape(Text(value)));
        Terminal().Write(table);
    }

    public static string Text(object? value) => value switch
    {
        null => "-",
        double.NaN => "-",
        double number => number.ToString(Math.Abs(number) >= 1000 ? "N0" : "0.####", CultureInfo.InvariantCulture),
        long number => number.ToString("N0", CultureInfo.InvariantCulture),
        string text => text,
        IEnumerable many => string.Join(", ", many.Cast<object>().Select(Text)),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "-",
    };
}
