using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments;
using Streaming.Models.Deep;

namespace Streaming.Evaluation.ColdUsers;

/// <summary>What to measure.</summary>
/// <param name="Audience">The simulated users; their seed is replaced by the run's.</param>
/// <param name="Seeds">Runs.</param>
/// <param name="Requests">Lists shown in a run.</param>
/// <param name="WarmUp">Share of them, in [0, 1), before anything is scored.</param>
/// <param name="Top">k of recall@k.</param>
/// <param name="Policy">"uniform": lists are drawn at random from the live items, so that no channel sees its own choices come back; "ranked": the best of a hundred random ones by the live ranker, as a node would show.</param>
/// <param name="Tower">Of the two-tower model; its seed is replaced by the run's.</param>
/// <param name="BatchPositives">Positive examples of a mini-batch.</param>
public sealed record ColdRecallCase(
    AudienceSettings Audience, int Seeds, int Requests, double WarmUp, int Top, string Policy, TwoTowerOptions Tower, int BatchPositives)
{
    /// <summary>Many new users and items that come and go: the default audience, slower, with one opened session in three a new user's.</summary>
    public static ColdRecallCase Default { get; } = new(
        new AudienceSettings { NewUserPerSession = 0.35, PageViewsPerSecond = 20 }, 5, 30_000, 0.3, 20, "uniform",
        new TwoTowerOptions { Rate = 1e-3f, TableRate = 5e-3f, LogNegatives = true }, 16);
}

/// <summary>One channel's recall in one run, by how many positive actions the user had before: 0, 1, ... 4, and last 5 and more.</summary>
public sealed class ColdTally
{
    /// <summary>Users with fewer positive actions than this are cold.</summary>
    public const int ColdBelow = 5;

    public long[] Clicks { get; } = new long[ColdBelow + 1];
    public long[] Hits { get; } = new long[ColdBelow + 1];

    /// <summary>Share of the clicks of users with <paramref name="from"/> to <paramref name="to"/> actions whose item was in the channel's top; NaN without any.</summary>
    public double Recall(int from, int to)
    {
        var (clicks, hits) = (Clicks[from..(to + 1)].Sum(), Hits[from..(to + 1)].Sum());
        return clicks == 0 ? double.NaN : hits / (double)clicks;
    }
}

/// <summary>Recall of a group of users in every run, and the mean over the runs.</summary>
/// <param name="Group">"0-4 actions".</param>
/// <param name="Clicks">In all runs.</param>
/// <param name="PerSeed">By channel, one value per run.</param>
public sealed record ColdGroup(string Group, long Clicks, IReadOnlyDictionary<string, double[]> PerSeed)
{
    public SampleMean Mean(string channel) => SampleMean.Of(PerSeed[channel]);

    /// <summary>Of the differences run by run: both channels saw the same users and clicks.</summary>
    public SampleMean Difference(string channel, string against) => SampleMean.Of([.. PerSeed[channel].Zip(PerSeed[against], (a, b) => a - b)]);
}

/// <summary>
/// Which recall channel finds the next click of users of whom little is known? Before every click of a simulated user each channel is asked; it scores when the
/// clicked item is among its first k that are live and not yet clicked by the user. Everything is learned online from the same stream, after it was
/// asked (prequential). All channels pass the same filter and are asked for the same number of items.
/// </summary>
public static class ColdRecall
{
    private static readonly (string Name, int From, int To)[] Groups =
        [("0-4 actions", 0, 4), ("1-4 actions", 1, 4), ("0", 0, 0), ("1", 1, 1), ("2", 2, 2), ("3", 3, 3), ("4", 4, 4), ("5 and more", 5, 5)];

    public static IReadOnlyList<string> Policies { get; } = ["uniform", "ranked"];

    /// <summary>The channels that are compared.</summary>
    public static IReadOnlyList<string> Channels { get; } =
        [FeedChannels.TwoTower, FeedChannels.ItemCf, FeedChannels.Embedding, FeedChannels.Interest, FeedChannels.Popular];

    /// <exception cref="FormatException">The case is unsound.</exception>
    public static IReadOnlyList<ColdGroup> Run(ColdRecallCase what, StreamingSettings settings, Action<double>? progress = null, CancellationToken cancel = default)
    {
        if (!Policies.Contains(what.Policy)) throw new FormatException($"--policy is '{what.Policy}'; allowed are {string.Join(", ", Policies)}");
        if (what.Seeds is < 1 or > 1000) throw new FormatException($"--seeds is {what.Seeds}; allowed is 1 to 1000");
        if (what.Requests < 1 || what.Top is < 1 or > 1000 || what.WarmUp is not (>= 0 and < 1) || what.BatchPositives < 2)
            throw new FormatException("allowed are --requests from 1, --top from 1 to 1000, --warm-up from 0 to below 1, --batch from 2");
        var runs = new Dictionary<string, ColdTally>[what.Seeds];
        var done = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancel };
        Parallel.For(0, runs.Length, parallel, s =>
        {
            runs[s] = new ColdRecallRun(what, settings, settings.Node.Seed + s).Run(cancel);
            progress?.Invoke(Interlocked.Increment(ref done) / (double)runs.Length);
        });
        return [.. Groups.Select(g => new ColdGroup(
            g.Name, runs.Sum(r => r[FeedChannels.ItemCf].Clicks[g.From..(g.To + 1)].Sum()),
            Channels.ToDictionary(c => c, c => runs.Select(r => r[c].Recall(g.From, g.To)).ToArray())))];
    }
}
