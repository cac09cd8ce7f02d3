using System.Diagnostics;
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
