using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Streaming.Node.Tests;

/// <summary>A replay in a process of its own, killed as kill -9 does, and started again.</summary>
public sealed class KillTests : IDisposable
{
    private const string Host = "streaming.dll";

    private static readonly string[] MustBeEqual =
        ["records", "events", "examples", "auc", "gauc", "logloss", "lists", "dead_letters", "repeats", "models", "digest", "lost"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [BuiltHostFact]
    public async Task A_killed_replay_ends_as_one_that_was_left_alone()
    {
        var events = _folder.Sub("events.jsonl");
        // Lines only: items come from events, and a line break ends a record.
        await File.WriteAllLinesAsync(
            events, SyntheticSource.Create(seed: 11, events: 6_000).Where(r => !r.IsItem && r.Value.Span.IndexOfAny((byte)0, (byte)0xff) < 0).Select(r => Encoding.UTF8.GetString(r.Value.Span)));
        var straight = await EndAsync(Start(events, "straight", 60_000));
        straight["lost"].ShouldBe("0");
        double.Parse(straight["examples"]).ShouldBeGreaterThan(2_500);

        var random = new Random(4);
        var kills = 0;
        for (; kills < 4; kills++)
        {
            using var process = Start(events, "killed", 100);
            // Some checkpoints further than it came the last time, and then a little: the middle of whatever it is at.
            var until = Newest("killed") + random.Next(2, 4);
            await NodeRig.Until(() => Task.FromResult(process.HasExited || Newest("killed") >= until));
            SpinWait.SpinUntil(() => process.HasExited, random.Next(120));
            if (process.HasExited) break;
            process.Kill();
            await process.WaitForExitAsync();
        }
        kills.ShouldBeGreaterThan(1);
        var again = await EndAsync(Start(events, "killed", 100));
        foreach (var figure in MustBeEqual) again[figure].ShouldBe(straight[figure], figure);
    }

    private long Newest(string data)
    {
        var checkpoints = Path.Combine(_folder.Sub(data), "checkpoints");
        return Directory.Exists(checkpoints)
            ? Directory.GetDirectories(checkpoints).Where(d => File.Exists(Path.Combine(d, "manifest.json"))).Select(d => long.Parse(Path.GetFileName(d))).DefaultIfEmpty().Max()
            : 0;
    }

    private Process Start(string events, string data, int checkpointMs)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
                 { BuiltHostFactAttribute.HostPath, "replay", events, "--data-dir", _folder.Sub(data), "--checkpoint-ms", $"{checkpointMs}", "--round", "64", "--json" })
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private static async Task<Dictionary<string, string>> EndAsync(Process process)
    {
        using (process)
        {
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            process.ExitCode.ShouldBe(0, await errors);
            using var json = JsonDocument.Parse(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
            return json.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString());
        }
    }

    /// <summary>Skips, and says why, where the host is not built: its project may be built by another configuration.</summary>
    private sealed class BuiltHostFactAttribute : FactAttribute
    {
        public BuiltHostFactAttribute()
        {
            if (!File.Exists(HostPath)) Skip = $"the host is not built: there is no {HostPath}";
        }

        public static string HostPath { get; } = Find();

        private static string Find()
        {
            // .../tests/Streaming.Node.Tests/bin/<configuration>/<framework>/
            var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
            var root = output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
            return Path.Combine(root, "src", "Streaming.Host", "bin", output.Parent.Name, output.Name, Host);
        }
    }
}
