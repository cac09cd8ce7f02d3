using System.Text.Json;
using Microsoft.Playwright;

namespace Streaming.Host.Tests.Web;

/// <summary>Skipped, with what to install, where there is no Chromium.</summary>
public sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute() => Skip = Browser.Executable is null ? "needs a browser: apt-get install chromium" : null;
}

/// <summary>One browser for all tests of pages; each page has a context (storage, cache) of its own.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string Axe = Path.Combine(ReadmeTests.Root(), "tests", "Streaming.Host.Tests", "Web", "axe.min.js");

    /// <summary>
    /// How many times the known work a page may be at it until it can be used: twice the 3.0 to 5.9 that were seen, on 2 cores of an AMD EPYC with other work beside
    /// it (loads of 14 to 76). What else a page waits for are a few bytes (<see cref="WebFilesTests"/>) and three trips to the node.
    /// </summary>
    internal const double EffortMax = 12;

    /// <summary>Builds and lays out 4,000 elements: what a page does, in a known amount.</summary>
    private const string Work =
        """
        () => {
            const box = document.body.appendChild(document.createElement('div'));
            for (let i = 0; i < 2000; i++) box.appendChild(document.createElement('p')).appendChild(document.createElement('b')).textContent = 'line ' + JSON.parse(`{"i":${i}}`).i;
            return box.offsetHeight;
        }
        """;

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>The system's Chromium, or null.</summary>
    internal static string? Executable { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    /// <summary>Where pictures of the pages go.</summary>
    private static string Screens => Directory.CreateDirectory(Path.Combine(ReadmeTests.Root(), ".probe", "TestResults", "screens")).FullName;

    public async Task InitializeAsync()
    {
        if (Executable is null) return;
        // A busy machine is slow, not wrong.
        Assertions.SetDefaultExpectTimeout(30_000);
        _playwright = await Playwright.CreateAsync();
        // Containers give the browser no sandbox of its own; it opens the node's pages only.
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Executable, Args = ["--no-sandbox", "--disable-gpu"] });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>Opens a page; what it complains of in its console is kept, and a dialog of the browser's own fails the test.</summary>
    public async Task<WatchedPage> OpenAsync(Uri address)
    {
        var context = await _browser!.NewContextAsync(new BrowserNewContextOptions { ColorScheme = ColorScheme.Light, ViewportSize = new ViewportSize { Width = 1280, Height = 900 } });
        context.SetDefaultTimeout(30_000);
        var page = await context.NewPageAsync();
        var figures = await context.NewCDPSessionAsync(page);
        // Of the page's main thread, by its own clock: what else runs on the machine does not count.
        await figures.SendAsync("Performance.enable", new Dictionary<string, object> { ["timeDomain"] = "threadTicks" });
        var watched = new WatchedPage(context, page, figures);
        await page.GotoAsync(address.ToString());
        return watched;
    }

    /// <summary>
    /// What a page does until it can be used against a known amount of the same kind of work in this browser on this machine now, so that a slow or a busy one moves both.
    /// </summary>
    /// <param name="processorMs">Of the page.</param>
    public async Task<double> EffortAsync(double processorMs)
    {
        await using var blank = await OpenAsync(new Uri("about:blank"));
        var before = await blank.ProcessorMsAsync();
        await blank.Page.EvaluateAsync(Work);
        return processorMs / (await blank.ProcessorMsAsync() - before);
    }

    /// <summary>Light, dark, and as wide as a telephone: no serious fault of accessibility, nothing wider than the screen, and a picture of each.</summary>
    /// <param name="page">As it stands.</param>
    /// <param name="name">Of the pictures.</param>
    /// <param name="within">A selector of the part that is looked at, where the rest has been by another test: all of the dashboard takes seconds.</param>
    public static async Task ShouldBeAccessibleAsync(IPage page, string name, string within = "html")
    {
        // Not as a script tag: the page's own policy would refuse it, as it should.
        await page.EvaluateAsync(await File.ReadAllTextAsync(Axe));
        // Cards are alike, so the first of each list stand for all. Colours are all that the dark theme changes, and all that the width leaves alone.
        foreach (var (variant, scheme, width, rules) in new[]
        {
            ("light", ColorScheme.Light, 1280, "{}"), ("dark", ColorScheme.Dark, 1280, "{ runOnly: ['color-contrast'] }"),
            ("phone", ColorScheme.Light, 390, "{ rules: { 'color-contrast': { enabled: false } } }"),
        })
        {
            await page.SetViewportSizeAsync(width, 900);
            await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
            var faults = await page.EvaluateAsync<JsonElement>(
                $$"""
                async () => (await axe.run({ include: [['{{within}}']], exclude: [['.card:nth-child(n+4)']] }, { resultTypes: ['violations'], ...{{rules}} })).violations
                    .filter(v => ['serious', 'critical'].includes(v.impact))
                    .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join(' | '))
                """);
            faults.EnumerateArray().Select(f => f.GetString()).ShouldBeEmpty($"{name}, {variant}");
            (await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(width, $"{name}, {variant}: scrolls sideways");
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Screens, $"{name}-{variant}.png"), FullPage = variant == "light" });
        }
        await page.SetViewportSizeAsync(1280, 900);
    }
}

/// <summary>A page, and what its console said.</summary>
public sealed class WatchedPage : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ICDPSession _figures;
    private readonly List<string> _complaints = [];

    internal WatchedPage(IBrowserContext context, IPage page, ICDPSession figures)
    {
        (_context, Page, _figures) = (context, page, figures);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") lock (_complaints) _complaints.Add($"{message.Type}: {message.Text} ({message.Location})");
        };
        page.PageError += (_, problem) =>
        {
            lock (_complaints) _complaints.Add($"exception: {problem}");
        };
    }

    public IPage Page { get; }

    /// <summary>Errors and warnings of the console, refusals of the content policy among them.</summary>
    public IReadOnlyList<string> Complaints
    {
        get
        {
            lock (_complaints) return [.. _complaints];
        }
    }

    /// <summary>
    /// Waits until there is something to see and to act on, and tells what that took: ms from when the page was asked for, by the browser's own list of timings, and
    /// how much of it the page's main thread was at work, ms of its processor time. The first is the machine's too and whatever else runs there, the second is the page's.
    /// </summary>
    public async Task<(double WallMs, double ProcessorMs)> UsableAsync()
    {
        await Page.WaitForFunctionAsync("() => performance.getEntriesByName('usable').length");
        return (await Page.EvaluateAsync<double>("() => performance.getEntriesByName('usable')[0].startTime"), await ProcessorMsAsync());
    }

    /// <summary>ms of processor time that the page's main thread has been at work.</summary>
    internal async Task<double> ProcessorMsAsync() => 1000 * (await _figures.SendAsync("Performance.getMetrics"))!.Value.GetProperty("metrics")
        .EnumerateArray().Single(m => m.GetProperty("name").GetString() == "TaskDuration").GetProperty("value").GetDouble();

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();
}

[CollectionDefinition(Name)]
public sealed class BrowserCollection : ICollectionFixture<Browser>
{
    public const string Name = "one browser";
}
