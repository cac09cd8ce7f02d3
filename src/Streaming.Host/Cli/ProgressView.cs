using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Streaming.Host.Cli;

/// <summary>A progress bar while something runs, where there is a terminal to show it on.</summary>
internal static class ProgressView
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(200);

    /// <summary>The same for work that takes a time known beforehand.</summary>
    /// <param name="title">Stands before the bar.</param>
    /// <param name="quiet">Show nothing in any case.</param>
    /// <param name="time">How long.</param>
    /// <param name="work">What is done meanwhile.</param>
    public static Task<T> ForAsync<T>(string title, bool quiet, TimeSpan time, Func<Task<T>> work) => RunAsync(title, quiet, async progress =>
    {
        if (progress is null) return await work().ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        using var timer = new Timer(_ => progress(Math.Min(1, clock.Elapsed / time)), null, Step, Step);
        return await work().ConfigureAwait(false);
    });

    /// <summary>The same for work that only computes: on a thread of its own.</summary>
    /// <inheritdoc cref="RunAsync"/>
    public static Task<T> ComputeAsync<T>(string title, bool quiet, Func<Action<double>?, T> work, CancellationToken cancel) =>
        RunAsync(title, quiet, progress => Task.Run(() => work(progress), cancel));

    /// <summary>The same as a line that is written anew each second: for work that measures the memory of this process, of which drawing a bar takes some.</summary>
    /// <inheritdoc cref="RunAsync"/>
    public static async Task<T> LineAsync<T>(string title, bool quiet, Func<Action<double>?, T> work, CancellationToken cancel)
    {
        if (quiet || Console.IsOutputRedirected) return await Task.Run(() => work(null), cancel).ConfigureAwait(false);
        var (clock, written) = (Stopwatch.StartNew(), TimeSpan.Zero);
        try
        {
            return await Task.Run(() => work(share =>
            {
                if (share <= 0 || clock.Elapsed - written < TimeSpan.FromSeconds(1)) return;
                written = clock.Elapsed;
                Console.Write(string.Create(CultureInfo.InvariantCulture, $"\r{title} {share * 100:0}%, {clock.Elapsed * (1 / share - 1):hh\\:mm\\:ss} left "));
            }), cancel).ConfigureAwait(false);
        }
        finally
        {
            if (written > TimeSpan.Zero) Console.Write("\r\u001b[K");
        }
    }

    /// <summary>Where a part of some work reports its own share; null where nobody looks.</summary>
    /// <param name="progress">Of the whole.</param>
    /// <param name="from">The share of the whole that is done before it.</param>
    /// <param name="to">The share that is done after it.</param>
    public static Action<double>? Part(this Action<double>? progress, double from, double to) =>
        progress is null ? null : share => progress(from + (to - from) * share);

    /// <param name="title">Stands before the bar.</param>
    /// <param name="quiet">Show nothing in any case.</param>
    /// <param name="work">Told where to report the share done, 0 to 1; null where nobody looks.</param>
    public static async Task<T> RunAsync<T>(string title, bool quiet, Func<Action<double>?, Task<T>> work)
    {
        if (quiet || Console.IsOutputRedirected) return await work(null).ConfigureAwait(false);
        return await AnsiConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(), new SpinnerColumn())
            .StartAsync(async view =>
            {
                var task = view.AddTask(Markup.Escape(title), maxValue: 1);
                return await work(share => task.Value = share).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }
}
