using System.Net;
using System.Text;
using Microsoft.AspNetCore.Routing;
using Streaming.Core.Settings;
using Streaming.Host.Security;
using Streaming.Host.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using Streaming.Host.Web;

namespace Streaming.Host.Tests.Security;

/// <summary>Keys, scopes, rate limits and the admin address.</summary>
public sealed class AccessTests
{
    private const string Ingest = "ingest-key-0123456789abcdef";
    private const string Read = "read-key-0123456789abcdef-00";
    private const string Admin = "admin-key-0123456789abcdef-0";

    private static readonly string Keys = $"# a comment\nsender ingest {Ingest}\nweb read {Read}\n\nops admin sha256:{Hash(Admin)}\n";

    [Fact]
    public async Task Every_route_has_a_scope_and_every_scope_a_route()
    {
        await using var live = await LiveNode.StartAsync();
        var mapped = live.Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => (e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"]).Select(method => $"{method} /{e.RoutePattern.RawText!.TrimStart('/')}"))
            .Order().ToList();
        RouteScopes.All.Select(row => $"{row.Method} {row.Route}").Order().ShouldBe(mapped);
    }

    [Fact]
    public void A_route_without_a_scope_stops_the_start()
    {
        var stray = new RouteEndpoint(_ => Task.CompletedTask, Microsoft.AspNetCore.Routing.Patterns.RoutePatternFactory.Parse("/v1/stray"), 0, null, null);
        Should.Throw<InvalidOperationException>(() => RouteScopes.Check([stray])).Message.ShouldContain("/v1/stray");
    }

    [Fact]
    public async Task Each_route_asks_for_its_scope_and_says_no_more_than_that()
    {
        using var folder = new TemporaryFolder();
        await using var live = await LiveNode.StartAsync(With(new SecuritySettings { KeysFile = folder.Write("keys", Keys) }));
        foreach (var (method, route, scope) in RouteScopes.All.Append(("GET", "/v1/no-such-route", Scopes.Admin)))
        {
            var path = route.Replace("{user}", "nobody").Replace("{id}", "nothing").Replace("{documentName}", "v1").Replace("{file}", WebPages.Names.First());
            var verb = new HttpMethod(method == "*" ? "GET" : method);
            var without = await live.SendAsync(verb, path);
            var wrong = await live.SendAsync(verb, path, key: "wrong-key-0123456789abcdef-00");
            if (scope is Scopes.Open or Scopes.PublicPage or Scopes.AdminPage)
            {
                without.Status.ShouldBe(200, route);
                continue;
            }
            without.ShouldBeProblem(401, "unauthorized");
            wrong.Body.ShouldBe(without.Body, "a wrong key is told as no key is");
            var exists = route != "/v1/no-such-route";
            foreach (var (key, has) in new[] { (Ingest, Scopes.Ingest), (Read, Scopes.Read), (Admin, Scopes.Admin) })
            {
                var answer = await live.SendAsync(verb, path, key: key);
                if (exists && has != scope) answer.ShouldBeProblem(403, "forbidden");
                else answer.Status.ShouldNotBeOneOf(401, 403);
            }
        }
    }

    [Theory]
    [InlineData("Authorization", "Bearer " + Read)]
    [InlineData("Authorization", "bearer   " + Read)]
    [InlineData("X-Api-Key", Read)]
    public async Task A_key_comes_in_either_header(string header, string value)
    {
        using var folder = new TemporaryFolder();
        await using var live = await LiveNode.StartAsync(With(new SecuritySettings { KeysFile = folder.Write("keys", Keys) }));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/popular");
        request.Headers.TryAddWithoutValidation(header, value);
        (await live.Http.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Keys_change_while_the_node_runs_and_a_bad_file_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("keys", Keys);
        await using var live = await LiveNode.StartAsync(With(new SecuritySettings { KeysFile = path }));
        (await live.SendAsync(HttpMethod.Get, "/v1/popular", key: Read)).Status.ShouldBe(200);
        const string next = "the-next-key-0123456789abcdef";
        await File.WriteAllTextAsync(path, $"web read {next}\n");
        await live.UntilAsync(() => live.SendAsync(HttpMethod.Get, "/v1/popular", key: next), a => a.Status == 200);
        (await live.SendAsync(HttpMethod.Get, "/v1/popular", key: Read)).Status.ShouldBe(401);
        await File.WriteAllTextAsync(path, "web read short-secret\n");
        await live.UntilAsync(async () => (await live.SendAsync(HttpMethod.Get, "/v1/popular", key: next), live.Notices.Any(n => n.Message.Contains("those before stay"))), a => a.Item2);
        (await live.SendAsync(HttpMethod.Get, "/v1/popular", key: next)).Status.ShouldBe(200);
        string.Join('\n', live.Notices.Select(n => n.Message)).ShouldNotContain("short-secret");
    }

    [Theory]
    [InlineData("web read", "three words")]
    [InlineData("web write 0123456789012345678901234567", "ingest, read and admin")]
    [InlineData("web read tooshort-secret", "24 to 512")]
    [InlineData("web read sha256:0123secret", "64 hexadecimal")]
    [InlineData("", "holds no key")]
    [InlineData("a read 0123456789012345678901234567\na read 0123456789012345678901234568", "two keys are named 'a'")]
    public void An_entry_that_cannot_be_used_is_named_by_its_line_and_never_shown(string entry, string said)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("keys", entry);
        var problem = Should.Throw<SettingsException>(() => new ApiKeys(new SecuritySettings { KeysFile = path }, null, _ => { })).Message;
        problem.ShouldContain(said);
        problem.ShouldNotContain("secret");
        problem.ShouldNotContain("0123456789");
    }

    [Fact]
    public void Keys_also_come_from_the_environment()
    {
        var keys = new ApiKeys(new SecuritySettings(), $"a read {Read}; b ingest,admin {Ingest}", _ => { });
        keys.Find(Read)!.Scopes.ShouldBe(Scopes.Read);
        keys.Find(Ingest)!.Scopes.ShouldBe(Scopes.Ingest | Scopes.Admin);
        keys.Find(Admin).ShouldBeNull();
        keys.Find("").ShouldBeNull();
        keys.Find(new string('x', 10_000)).ShouldBeNull();
    }

    [Theory]
    [InlineData("0.0.0.0:0", false, false, false, "no API keys")]
    [InlineData("0.0.0.0:0", true, false, false, "in the clear")]
    [InlineData("[::]:0", false, false, false, "Security:AllowAnonymous=true")]
    [InlineData("0.0.0.0:0", false, true, false, null)]
    [InlineData("0.0.0.0:0", true, false, true, null)]
    [InlineData("127.0.0.1:0", false, false, false, null)]
    [InlineData("[::1]:0", true, false, false, null)]
    public void Strangers_are_answered_only_where_somebody_said_so(string listen, bool keys, bool anonymous, bool plaintext, string? refusal)
    {
        var security = new SecuritySettings { AllowAnonymous = anonymous, AllowPlaintext = plaintext };
        foreach (var serving in new[] { new ServingSettings { Listen = listen }, new ServingSettings { AdminListen = listen } })
        {
            var settings = new StreamingSettings { Serving = serving, Security = security };
            if (refusal is null) Exposure.Check(settings, keys);
            else Should.Throw<SettingsException>(() => Exposure.Check(settings, keys)).Message.ShouldContain(refusal);
            var (warn, text) = Exposure.Describe(settings, keys);
            warn.ShouldBe(listen.StartsWith("0.0.0.0") || listen.StartsWith("[::]"));
            text.ShouldContain(keys ? "keys are asked for" : warn ? "OPEN" : "open to every user of this machine");
        }
    }

    [Fact]
    public async Task One_address_gets_no_more_than_its_share()
    {
        await using var live = await LiveNode.StartAsync(With(new SecuritySettings { RequestsPerSecondPerAddress = 1 }));
        var answers = new List<Answer>();
        for (var i = 0; i < 50; i++) answers.Add(await live.GetAsync("/healthz"));
        answers[0].Status.ShouldBe(200);
        var refused = answers.First(a => a.Status != 200);
        refused.ShouldBeProblem(429, "too-many-requests");
        refused.RetryAfter.ShouldBe("1");
    }

    [Fact]
    public async Task One_key_gets_no_more_than_its_share_and_takes_nothing_from_others()
    {
        using var folder = new TemporaryFolder();
        await using var live = await LiveNode.StartAsync(With(new SecuritySettings { KeysFile = folder.Write("keys", Keys), RequestsPerSecondPerKey = 1 }));
        var statuses = new HashSet<int>();
        for (var i = 0; i < 50; i++) statuses.Add((await live.SendAsync(HttpMethod.Get, "/v1/popular", key: Read)).Status);
        statuses.ShouldBe([200, 429]);
        (await live.SendAsync(HttpMethod.Get, "/v1/status", key: Admin)).Status.ShouldBe(200);
    }

    [Fact]
    public void Buckets_of_addresses_are_bounded_and_a_network_of_IPv6_shares_one()
    {
        var buckets = Enumerable.Range(0, 100_000).Select(i => RateLimits.BucketOf(new IPAddress(i))).Distinct().ToList();
        buckets.Count.ShouldBeInRange(2_000, 4_096);
        RateLimits.BucketOf(IPAddress.Parse("2001:db8::1")).ShouldBe(RateLimits.BucketOf(IPAddress.Parse("2001:db8::ffff:2")));
        RateLimits.BucketOf(IPAddress.Parse("::ffff:10.0.0.1")).ShouldBe(RateLimits.BucketOf(IPAddress.Parse("10.0.0.1")));
    }

    [Fact]
    public async Task The_admin_address_alone_answers_operators_and_nothing_else()
    {
        var settings = With(new SecuritySettings());
        await using var live = await LiveNode.StartAsync(settings with { Serving = settings.Serving with { AdminListen = "127.0.0.1:0" } });
        live.AdminAddress.ShouldNotBe(live.Address);
        foreach (var (method, route, scope) in RouteScopes.All.Where(row => row.Method is "GET" or "*"))
        {
            var path = route.Replace("{user}", "nobody").Replace("{id}", "nothing").Replace("{documentName}", "v1").Replace("{file}", WebPages.Names.First());
            var here = await live.GetAsync(path);
            var there = await live.GetAsync(new Uri(live.AdminAddress, path).ToString());
            (here.Status == 404 && here.Text.Contains("not-here")).ShouldBe(scope is Scopes.Admin or Scopes.AdminPage, path);
            (there.Status == 404 && there.Text.Contains("not-here")).ShouldBe(scope is not (Scopes.Admin or Scopes.AdminPage or Scopes.Open), path);
        }
        (await live.DeleteAsync("/v1/users/nobody")).ShouldBeProblem(404, "not-here");
    }

    [Fact]
    public async Task Headers_and_connections_are_bounded()
    {
        var settings = With(new SecuritySettings());
        await using var live = await LiveNode.StartAsync(settings with { Serving = settings.Serving with { HeaderBytesMax = 2048, ConnectionsMax = 2 } });
        using (var request = new HttpRequestMessage(HttpMethod.Get, "/healthz"))
        {
            request.Headers.Add("X-Long", new string('x', 4096));
            ((int)(await live.Http.SendAsync(request)).StatusCode).ShouldBe(431);
        }
        using var one = new Cli.RawConnection(live.Address);
        using var two = new Cli.RawConnection(live.Address);
        // Beyond the bound a connection is closed at once; which of the open ones is still counted does not matter.
        await live.UntilAsync(() => Task.FromResult(Cli.RawConnection.IsClosedAtOnce(live.Address)), closed => closed);
    }

    private static StreamingSettings With(SecuritySettings security) => LiveNode.SmallSettings with { Security = security };

    private static string Hash(string key) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
