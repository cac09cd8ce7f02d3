using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>An input that broke an invariant.</summary>
internal sealed record FuzzFinding(string Target, byte[] Input, string Problem)
{
    /// <summary>The same input has the same name.</summary>
    public string FileName { get; } = "found-" + Convert.ToHexStringLower(SHA256.HashData(Input))[..12];
}

/// <summary>What a target was put through.</summary>
internal sealed record FuzzResult(string Target, long Corpus, long Inputs, int Outcomes, double SlowestMs, double Seconds, IReadOnlyList<FuzzFinding> Findings);

/// <summary>
/// Runs inputs against a target: first the corpus as it is, then changes of it. An input with a new outcome joins those that are changed
/// further, which takes the place of coverage.
/// </summary>
internal sealed class Fuzzer(FuzzTarget target, IReadOnlyList<byte[]> corpus, long seed)
{
    private const int PoolMax = 4_000;
    private const int FindingsMax = 20;

    private readonly List<byte[]> _pool = [];
    private readonly HashSet<string> _outcomes = [];
    private readonly Dictionary<string, FuzzFinding> _findings = [];
    private long _inputs;
    private long _slowest;
    private long _since;
    private byte[]? _current;

    /// <summary>The input under way and for how long; null between inputs. Any thread may look.</summary>
    public (byte[] Input, TimeSpan For)? UnderWay =>
        Volatile.Read(ref _current) is { } input ? (input, Stopwatch.GetElapsedTime(Volatile.Read(ref _since))) : null;

    /// <param name="inputsMax">Inputs made at most, beside the corpus.</param>
    /// <param name="time">How long inputs are made; the corpus is always run through.</param>
    /// <param name="cancel">Ends it early.</param>
    public FuzzResult Run(long inputsMax, TimeSpan time, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        byte[][] all = [.. target.Seeds, .. corpus];
        foreach (var input in all)
        {
            cancel.ThrowIfCancellationRequested();
            Try(input);
            _pool.Add(input);
        }
        if (_pool.Count == 0) _pool.Add([]);
        var mutator = new Mutator(seed ^ Name(target.Name), target.Words, target.BytesMax);
        for (long made = 0; made < inputsMax && clock.Elapsed < time && _findings.Count < FindingsMax && !cancel.IsCancellationRequested; made++)
        {
            var input = mutator.Next(_pool);
            if (!Try(input)) continue;
            if (_pool.Count < PoolMax) _pool.Add(input);
            else _pool[all.Length + (int)(made % (PoolMax - all.Length))] = input;
        }
        return new FuzzResult(
            target.Name, all.Length, _inputs, _outcomes.Count, _slowest * 1000.0 / Stopwatch.Frequency, clock.Elapsed.TotalSeconds, [.. _findings.Values]);
    }

    /// <summary>True when the outcome is a new one.</summary>
    private bool Try(byte[] input)
    {
        _inputs++;
        Volatile.Write(ref _since, Stopwatch.GetTimestamp());
        Volatile.Write(ref _current, input);
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            var outcome = target.Run(input);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            if (allocated > target.AllocatedMax(input.Length)) throw new FuzzFailure($"allocated {allocated} bytes for an input of {input.Length}");
            return _outcomes.Add(Shape(outcome));
        }
        catch (Exception problem)
        {
            // Whatever it threw that its target did not expect; one finding of a kind is enough.
            var what = problem is FuzzFailure ? problem.Message : $"threw {problem.GetType().Name}: {problem.Message}";
            var where = (problem.InnerException ?? problem).StackTrace?.Split('\n').FirstOrDefault(line => !line.Contains("Cli.Fuzz", StringComparison.Ordinal))?.Trim();
            _findings.TryAdd(Shape(what), new FuzzFinding(target.Name, input, where is null ? what : $"{what} [{where}]"));
            return false;
        }
        finally
        {
            Volatile.Write(ref _current, null);
            _slowest = Math.Max(_slowest, Stopwatch.GetTimestamp() - _since);
        }
    }

    /// <summary>A message without what differs from input to input.</summary>
    private static string Shape(string message)
    {
        var shape = new StringBuilder(80);
        var quoted = false;
        foreach (var c in message.AsSpan(0, Math.Min(message.Length, 80)))
        {
            if (c == '\'') quoted = !quoted;
            else if (!quoted && c is < (char)127 && !char.IsAsciiDigit(c)) shape.Append(c);
        }
        return shape.ToString();
    }

    private static long Name(string name) => (long)Core.Ids.StableHash.Of(name);
}
