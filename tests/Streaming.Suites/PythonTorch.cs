using System.Diagnostics;

namespace Streaming.Suites;

/// <summary>A Python with PyTorch, for results that are computed independently.</summary>
public static class PythonTorch
{
    private static readonly Lazy<(string? Program, string Reason)> Found = new(Find);

    /// <summary>The interpreter, or null; <paramref name="reason"/> then says why.</summary>
    public static string? Program(out string reason)
    {
        reason = Found.Value.Reason;
        return Found.Value.Program;
    }

    /// <summary>What the script prints.</summary>
    /// <param name="script">Path within the checkout.</param>
    /// <param name="arguments">Of the script.</param>
    /// <exception cref="InvalidOperationException">It failed; the message has what it said.</exception>
    public static string Run(string script, params IEnumerable<string> arguments)
    {
        var (code, output, errors) = Start(Program(out var reason) ?? throw new InvalidOperationException(reason), [PathOf(script), .. arguments]);
        return code == 0 ? output : throw new InvalidOperationException($"{script} ended with {code}: {errors}");
    }

    /// <summary>Full path of a file of the checkout that the tests were built in.</summary>
    public static string PathOf(string inCheckout)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (Path.Combine(folder.FullName, inCheckout) is var path && File.Exists(path)) return path;
        throw new FileNotFoundException($"{inCheckout} is in no folder above {AppContext.BaseDirectory}");
    }

    private static (string?, string) Find()
    {
        // The first of the path may be an interpreter of its own; Debian's, which has python3-torch, lies beside it.
        foreach (var program in (string[])["python3", "/usr/bin/python3"])
        {
            try
            {
                if (Start(program, "-c", "import torch").Code == 0) return (program, "");
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // There is no such program.
            }
        }
        return (null, "no python3 with PyTorch here (Debian: apt-get install python3-torch)");
    }

    private static (int Code, string Output, string Errors) Start(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["OPENBLAS_NUM_THREADS"] = "1";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}

/// <summary>A fact that needs tensors and a Python with PyTorch; skipped, with the reason, where one is absent.</summary>
public sealed class PythonTorchFactAttribute : FactAttribute
{
    public PythonTorchFactAttribute()
    {
        if (!Tensors.TorchRuntime.TryLoad(out var reason) || PythonTorch.Program(out reason) is null) Skip = reason;
    }
}
