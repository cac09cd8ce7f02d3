using System.Net;
using System.Security.Cryptography;
using Streaming.Host.Tests.Fixtures;
using Streaming.Host.Web;

namespace Streaming.Host.Tests.Web;

/// <summary>The pages as they are checked in and served.</summary>
[Collection(NodeCollection.Name)]
public sealed class WebFilesTests(SharedNode shared)
{
    [Fact]
    public void What_is_checked_in_was_built_of_these_sources()
    {
        var web = Path.Combine(ReadmeTests.Root(), "src", "Streaming.Host", "Web");
        var ui = Path.Combine(web, "ui");
        var now = Directory.EnumerateFiles(ui, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(ui, f).Replace('\\', '/'))
            .Where(f => !f.Split('/').Contains("node_modules")).Order(StringComparer.Ordinal)
            .Select(f => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(ui, f))))}  {f}").ToList();
        File.ReadLines(Path.Combine(web, "dist", "sources.sha256")).ToList().ShouldBe(now, "run `npm ci && npm run build` in src/Streaming.Host/Web/ui");
    }

    [Fact]
    public async Task Files_come_with_their_types_and_hashed_ones_are_kept_for_good()
    {
        foreach (var name in WebPages.Names)
        {
            using var answer = await shared.Live.Http.GetAsync($"/ui/{name}");
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            answer.Content.Headers.ContentType!.MediaType.ShouldBe(Path.GetExtension(name) switch { ".js" => "text/javascript", ".css" => "text/css", ".svg" => "image/svg+xml", _ => "text/plain" });
            var isText = name is "sources.sha256" or "licenses.txt";
            answer.Headers.CacheControl!.ToString().Contains("immutable").ShouldBe(!isText, name);
            answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        }
        (await shared.Live.GetAsync("/ui/index.html")).Status.ShouldBe(404);
        (await shared.Live.GetAsync("/ui/..%2f..%2fappsettings.json")).Status.ShouldBe(404);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/dashboard")]
    public async Task Pages_hold_nothing_inline_and_load_only_what_is_there(string path)
    {
        using var answer = await shared.Live.Http.GetAsync(path);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/html; charset=utf-8");
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldStartWith("default-src 'self';");
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldNotContain("unsafe");
        answer.Headers.CacheControl!.ToString().ShouldBe("no-cache");
        var html = await answer.Content.ReadAsStringAsync();
        var loaded = System.Text.RegularExpressions.Regex.Matches(html, "(?:src|href)=\"([^\"]*)\"").Select(m => m.Groups[1].Value).ToList();
        loaded.ShouldNotBeEmpty();
        foreach (var one in loaded) WebPages.Names.Select(n => $"/ui/{n}").ShouldContain(one);
        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        (await shared.Live.Http.SendAsync(again)).StatusCode.ShouldBe(HttpStatusCode.NotModified);
        using var zipped = new HttpRequestMessage(HttpMethod.Get, path);
        zipped.Headers.AcceptEncoding.ParseAdd("gzip");
        var smaller = await shared.Live.Http.SendAsync(zipped);
        smaller.Content.Headers.ContentEncoding.ShouldBe(["gzip"]);
        using var unzip = new System.IO.Compression.GZipStream(await smaller.Content.ReadAsStreamAsync(), System.IO.Compression.CompressionMode.Decompress);
        (await new StreamReader(unzip).ReadToEndAsync()).ShouldBe(html);
    }

    /// <summary>
    /// What has to be there before a page can be used: few files and few bytes, so that a second is enough on a slow line too (1.6 Mbit/s carry 200 kB in it). How long
    /// it takes on this machine the browser's tests report.
    /// </summary>
    [Theory]
    [InlineData("/", 20_000)]
    [InlineData("/dashboard", 50_000)]
    public async Task What_a_page_loads_before_it_can_be_used_stays_small(string path, int bytesMax)
    {
        var html = (await shared.Live.GetAsync(path)).Text;
        var bytes = 0L;
        var files = System.Text.RegularExpressions.Regex.Matches(html, "(?:src|href)=\"(/ui/[^\"]*)\"").Select(m => m.Groups[1].Value).ToList();
        foreach (var file in files.Prepend(path))
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, file);
            request.Headers.AcceptEncoding.ParseAdd("gzip");
            bytes += (await (await shared.Live.Http.SendAsync(request)).Content.ReadAsByteArrayAsync()).Length;
        }
        files.Count.ShouldBeInRange(3, 6);
        bytes.ShouldBeInRange(bytesMax / 4, bytesMax);
    }
}
