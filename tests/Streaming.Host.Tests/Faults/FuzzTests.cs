using Streaming.Host.Cli.Fuzz;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Faults;

/// <summary>Every kept input, and a bounded number of new ones, at everything that takes bytes from outside.</summary>
public sealed class FuzzTests
{
    [Theory]
    [InlineData("parser", 4_000)]
    [InlineData("codecs", 400)]
    [InlineData("http", 800)]
    [InlineData("settings", 300)]
    public async Task Broken_input_is_refused_or_taken_as_it_should_be(string group, int inputs)
    {
        var targets = await FuzzVerb.TargetsAsync(group);
        targets.ShouldNotBeEmpty();
        foreach (var target in targets)
        {
            using var _ = target;
            var corpus = FuzzVerb.Corpus(Path.Combine(ReadmeTests.Root(), "tests", "corpus"), target);
            (corpus.Count + target.Seeds.Count()).ShouldBeGreaterThan(0, target.Name);
            var result = new Fuzzer(target, corpus, seed: 1).Run(inputs, TimeSpan.MaxValue, default);
            result.Findings.Select(f => $"{f.Problem}: {Convert.ToHexString(f.Input.AsSpan(0, Math.Min(200, f.Input.Length)))}").ShouldBeEmpty(target.Name);
            result.Inputs.ShouldBe(corpus.Count + target.Seeds.Count() + inputs);
        }
    }

    [Fact]
    public void What_breaks_an_invariant_is_found_and_the_same_seed_finds_it_again()
    {
        var first = Run();
        first.Findings.Select(f => f.Problem.Split(' ')[0]).Order().ShouldBe(["allocated", "found", "threw"]);
        var second = Run();
        second.Findings.Select(f => f.FileName).ShouldBe(first.Findings.Select(f => f.FileName));
        second.Outcomes.ShouldBe(first.Outcomes);

        static FuzzResult Run() => new Fuzzer(new Brittle(), ["abc"u8.ToArray()], seed: 5).Run(20_000, TimeSpan.MaxValue, default);
    }

    [Fact]
    public async Task A_target_that_there_is_not_is_named()
    {
        var (code, process) = await StreamingProcess.RunAsync("fuzz", "--target", "parsers", "--seconds", "1");
        using var _ = process;
        code.ShouldBe(1);
        process.Stderr.ShouldContain("there is no target 'parsers'; there are parser, codecs");
    }

    /// <summary>Breaks in three ways, each a few changes away from what it is given.</summary>
    private sealed class Brittle : FuzzTarget
    {
        public override string Name => "brittle";

        public override string Run(byte[] input)
        {
            if (input.Length > 0 && input[0] == 0xff) throw new InvalidOperationException("a bug");
            // What is allocated counts, whether anybody clears it or not: at thousands of inputs of 64 MB each that took most of this test's time.
            if (input.Length > 4) GC.KeepAlive(GC.AllocateUninitializedArray<byte>(64 << 20 >> (input.Length > 64 ? 0 : 10)));
            Hold(!input.AsSpan().SequenceEqual("ab"u8), "found it");
            return $"{input.Length % 7}";
        }
    }
}
