using System.CommandLine;
using Spectre.Console;
using Streaming.Evaluation.DataSets;

namespace Streaming.Host.Cli;

/// <summary><c>data</c>: which public data sets have a name, where they come from, and whether a file is what it should be.</summary>
internal static class DataVerb
{
    public static Command Create()
    {
        var command = new Command(
            "data", "List the public data sets that have a short name: where each is to be had, on what terms, and where it lies here. "
                + "None comes with the project, and nothing is downloaded.");
        var name = new Argument<string?>("NAME") { Description = "One set, with its files and their hashes", Arity = ArgumentArity.ZeroOrOne };
        var json = Json();
        command.Arguments.Add(name);
        command.Options.Add(json);
        var roots = new DataOptions().AddTo(command);
        command.SetAction((parse, _) => CliApp.GuardAsync(() => Task.FromResult(List(parse.GetValue(name), roots.Roots(parse), parse.GetValue(json)))));
        command.Subcommands.Add(Check());
        return command;
    }

    private static Option<bool> Json() => new("--json") { Description = "End with one JSON line on stdout" };

    private static Command Check()
    {
        var command = new Command(
            "check", "Hash a file, or the known files in a folder, and say which data set it is. Packed files are hashed unpacked. Fails unless every file is known.");
        var paths = new Argument<string[]>("PATH") { Description = "Files, folders, or short names", Arity = ArgumentArity.OneOrMore };
        var json = Json();
        command.Arguments.Add(paths);
        command.Options.Add(json);
        var roots = new DataOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => CheckAsync(parse.GetValue(paths)!, roots.Roots(parse), parse.GetValue(json), cancel)));
        return command;
    }

    private static int List(string? name, DataRoots roots, bool json)
    {
        var sets = name is null ? KnownSets.All : [KnownSets.Find(name) ?? throw new FormatException(
            $"there is no data set '{name}' that has a name; there is {string.Join(", ", KnownSets.All.Select(s => s.Name))}")];
        if (json)
        {
            JsonLine.Print([("sets", sets.Select(s => new
            {
                name = s.Name, title = s.Title, url = s.Url, terms = s.Terms, path = roots.Find(s),
                files = s.Files.Select(f => new { name = f.Name, sha256 = f.Sha256, note = f.Note, url = f.Url }),
            }).ToArray())]);
            return 0;
        }
        var console = Tables.Terminal();
        foreach (var set in sets)
        {
            console.MarkupLineInterpolated($"[bold]{set.Name}[/]  {set.Title}");
            Console.WriteLine($"  from   {set.Url}\n  terms  {set.Terms}\n  here   {roots.Find(set) ?? $"no; put it to DATA-ROOT/{set.Places[0]}"}");
            if (name is null) continue;
            foreach (var file in set.Files) Console.WriteLine($"  {file.Sha256}  {string.Join("; ", new[] { file.Name, file.Note, file.Url }.Where(t => t.Length > 0))}");
        }
        return 0;
    }

    private static async Task<int> CheckAsync(string[] paths, DataRoots roots, bool json, CancellationToken cancel)
    {
        var files = new List<CheckedFile>();
        foreach (var path in paths)
        {
            var place = roots.Locate(path);
            var found = await ProgressView.RunAsync($"hashing {path}", json, progress => Task.Run(
                () => DataCheck.Run(place.Path, progress, cancel), CancellationToken.None).WaitAsync(cancel)).ConfigureAwait(false);
            if (found.Count == 0) throw new DataSetException(place.Path, 0, "holds no file that has a known name (./run data NAME lists a set's)");
            files.AddRange(found);
        }
        var ok = files.All(f => f.File is not null);
        foreach (var file in files)
        {
            if (file.File is null) Console.Error.WriteLine($"{file.Path}: {Complaint(file)}; sha256 {file.Sha256}");
            else if (!json) Console.WriteLine($"{file.Path}: {file.Set!.Name}, {file.File.Name}{(file.File.Note.Length > 0 ? $" ({file.File.Note})" : "")}");
        }
        if (json)
            JsonLine.Print([("ok", ok), ("files", files.Select(f => new { path = f.Path, sha256 = f.Sha256, known = f.File is not null, set = f.Set?.Name, file = f.File?.Name }).ToArray())]);
        return ok ? 0 : 1;
    }

    private static string Complaint(CheckedFile file) => file.IsOther
        ? $"has the name of a file of {file.Set!.Name}, but not a content that is known: it is cut, changed, or another edition (./run data {file.Set.Name})"
        : "is no file of a set that is known here";
}
