using System.Text.Json;
using Streaming.Host.Tests.Fixtures;
using Streaming.Suites;

namespace Streaming.Host.Tests.Cli;

/// <summary>The verbs of <c>bench</c> at their smallest: each ends with the figures that it promises. How large these are says nothing.</summary>
public sealed class BenchTests
{
    [Fact]
    public async Task Pipeline()
    {
        var figures = await RunAsync("pipeline", "--events", "2000", "--users", "100", "--items", "50");
        figures.GetProperty("applied").GetInt64().ShouldBe(2000);
        figures.GetProperty("lost").GetInt64().ShouldBe(0);
        figures.GetProperty("dead_letters").GetInt64().ShouldBe(0);
        figures.GetProperty("examples").GetInt64().ShouldBeGreaterThan(0);
        figures.GetProperty("lists").GetInt64().ShouldBeGreaterThan(0);
        figures.GetProperty("events_per_s").GetDouble().ShouldBeGreaterThan(0);
    }

    [TorchFact]
    public async Task Rank()
    {
        var figures = await RunAsync("rank", "--model", "lr", "--calls", "100", "--candidates", "20");
        figures.GetProperty("lr_p50_ms").GetDouble().ShouldBeInRange(double.Epsilon, figures.GetProperty("lr_p99_ms").GetDouble());
    }

    [TorchFact]
    public async Task Train()
    {
        var figures = await RunAsync("train", "--seconds", "0.1", "--turns", "1", "--batch", "16", "--items", "100");
        figures.GetProperty("examples_per_s").GetDouble().ShouldBeGreaterThan(0);
        figures.GetProperty("loss_of_first_turn").GetDouble().ShouldBeInRange(0.1, 2);
        figures.GetProperty("rank_largest_difference").GetDouble().ShouldBeLessThan(1e-4);
        // Beside python3-torch, or with the reason why not.
        figures.GetProperty("pytorch").GetString().ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Index()
    {
        var figures = await RunAsync("index", "--sizes", "200,400", "--dim", "8", "--queries", "20", "--no-peer");
        var points = figures.GetProperty("points").EnumerateArray().ToList();
        points.Select(p => p.GetProperty("items").GetInt32()).ShouldBe([200, 400]);
        points.ShouldAllBe(p => p.GetProperty("recall_at_10").GetDouble() > 0.9 && p.GetProperty("recall_at_10_after_churn").GetDouble() > 0.9);
    }

    [Fact]
    public async Task Frequency()
    {
        var figures = await RunAsync("frequency", "--items", "50", "--steps", "100");
        var points = figures.GetProperty("measured_at").GetArrayLength();
        figures.GetProperty("by_learning_rate").EnumerateArray().Select(c => c.GetProperty("alpha").GetDouble()).ShouldBe([0.1, 0.03, 0.01, 0.003]);
        figures.GetProperty("by_hashes").EnumerateArray().Select(c => c.GetProperty("hashes").GetInt32()).ShouldBe([1, 2, 4, 8]);
        figures.GetProperty("by_hashes").EnumerateArray().ShouldAllBe(c => c.GetProperty("error").GetArrayLength() == points && c.GetProperty("over").GetArrayLength() == points);
    }

    [Fact]
    public async Task Rebalance()
    {
        var figures = await RunAsync("rebalance", "--shards", "50", "--nodes", "5");
        // Six nodes have eight or nine of the fifty.
        figures.GetProperty("joined_moved").GetInt32().ShouldBe(8);
        foreach (var what in (string[])["joined", "killed", "left"]) figures.GetProperty(what + "_spread").GetInt32().ShouldBeInRange(0, 1);
        figures.GetProperty("killed_ms").GetDouble().ShouldBeGreaterThan(figures.GetProperty("left_ms").GetDouble());
    }

    [Fact]
    public async Task Assignment()
    {
        var figures = await RunAsync("ab-assign", "--users", "100000", "--p-min", "0.0001");
        figures.GetProperty("users").GetInt64().ShouldBe(100_000);
        figures.GetProperty("layers").GetArrayLength().ShouldBe(4);
        figures.GetProperty("pairs").GetArrayLength().ShouldBe(6);
        figures.GetProperty("bytes_per_assignment").GetDouble().ShouldBe(0);
        figures.GetProperty("holds").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task Isolation()
    {
        var figures = await RunAsync("ab-isolation", "--examples", "2000", "--seeds", "1");
        var rows = figures.GetProperty("rows").EnumerateArray().ToList();
        rows.Select(r => $"{r.GetProperty("learning").GetString()} {r.GetProperty("arm").GetString()}").ShouldBe(["shared a", "shared b", "isolated a", "isolated b"]);
        rows.ShouldAllBe(r => r.GetProperty("foreign_mass")[0].GetDouble() > 0 == (r.GetProperty("learning").GetString() == "shared"));
    }

    [Fact]
    public async Task Interleaving()
    {
        // So few users that no number of them would find the better one by some method: null, as infinity is no number of JSON.
        var figures = await RunAsync("ab-interleaving", "--users", "50", "--pages", "4", "--repeats", "20", "--seeds", "1");
        var methods = figures.GetProperty("methods").EnumerateArray().ToList();
        methods.Select(m => m.GetProperty("method").GetString()).ShouldBe(["ab", "team_draft", "probabilistic", "probabilistic_marginalised"]);
        methods.Select(m => m.GetProperty("users_needed")[0].ValueKind).ShouldContain(JsonValueKind.Null);
        methods.Select(m => m.GetProperty("users_needed")[0].ValueKind).ShouldContain(JsonValueKind.Number);
    }

    private static async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var (code, process) = await StreamingProcess.RunAsync(["bench", .. arguments, "--json"]);
        using var _ = process;
        code.ShouldBe(0, process.Stderr + process.Stdout);
        process.Json.GetProperty("counts").GetString().ShouldNotBeNullOrEmpty();
        return process.Json;
    }
}
