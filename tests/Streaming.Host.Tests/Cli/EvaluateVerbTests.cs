using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Results;
using Streaming.Evaluation.Tests.Results;
using Streaming.Host.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary>The verbs around recorded results, on a protocol whose figures are known.</summary>
[Collection(ConsoleTests.Name)]
public sealed class EvaluateVerbTests : IDisposable
{
    private const string Readme = "# Title\n<!-- ledger -->\nold\n<!-- /ledger -->\nend\n";

    private readonly ProtocolRegistry _protocols = new([new CountingProtocol(), new CountingProtocol("all-items")]);
    private readonly TemporaryFolder _folder = new();
    private readonly string _data;
    private readonly string _ledger;

    public EvaluateVerbTests()
    {
        _data = _folder.Write("small.jsonl", "{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\"}\n{\"type\":\"click\",\"user\":\"u\",\"item\":\"j\"}\n");
        _ledger = Path.Combine(_folder.Path, "ledger.jsonl");
    }

    public void Dispose() => _folder.Dispose();

    private Task<CliRun> RunAsync(params string[] arguments) => CliRun.RunAsync(_protocols, arguments);

    [Fact]
    public async Task Evaluate_ends_with_the_figures_of_every_model_over_the_seeds()
    {
        var run = await RunAsync("evaluate", "--model", "ease,popularity", "--model", "caser", "--data", _data, "--protocol", "counting", "--seeds", "3", "--json");
        run.Code.ShouldBe(0, run.Stderr);
        run.Stdout.TrimEnd('\n').Split('\n').Length.ShouldBe(1);
        var json = run.Json;
        json.GetProperty("data").GetString().ShouldBe("small");
        json.GetProperty("protocol").GetString().ShouldBe("counting");
        json.GetProperty("description").GetString().ShouldBe("Counts the events; nothing is held out.");
        json.GetProperty("recorded_in").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        var results = json.GetProperty("results").EnumerateArray().ToList();
        results.Select(r => r.GetProperty("model").GetString()).ShouldBe(["ease", "popularity", "caser"]);
        var hits = results[0].GetProperty("figures").GetProperty("hr@10");
        (hits.GetProperty("mean").GetDouble(), hits.GetProperty("spread").GetDouble()).ShouldBe((0.32, 0.01));
        (hits.GetProperty("low").GetDouble(), hits.GetProperty("high").GetDouble()).ShouldBe((0.26, 0.36));
        results[0].GetProperty("seeds").EnumerateArray().Select(s => s.GetInt64()).ShouldBe([1, 2, 3]);
        results[0].GetProperty("hardware").GetString().ShouldBe(Machine.Hardware);
        results[0].GetProperty("commit").GetString()!.ShouldMatch(@"^([0-9a-f]{12}\+?|unknown)$");
        File.Exists(_ledger).ShouldBeFalse("nothing is recorded that nobody asked for");
    }

    [Fact]
    public async Task Compare_runs_every_model_by_default_and_shows_one_table_floors_first()
    {
        var run = await RunAsync("compare", "--data", _data, "--protocol", "counting");
        run.Code.ShouldBe(0, run.Stderr);
        run.Stdout.ShouldContain("small, counting: Counts the events; nothing is held out.");
        var lines = run.Stdout.Split('\n').ToList();
        var places = new[] { "popularity", "ease", "caser" }.Select(m => lines.FindIndex(l => l.Contains($" {m} "))).ToList();
        places.ShouldAllBe(p => p > 0);
        places.ShouldBe(places.Order());
        run.Stdout.ShouldContain("0.5100");
        run.Stdout.ShouldContain("[0.4600, 0.5600]");
        run.Stdout.ShouldNotContain("\u001b");
        var some = await RunAsync("compare", "--models", "caser,ease", "--data", _data, "--protocol", "counting", "--json");
        some.Json.GetProperty("results").GetArrayLength().ShouldBe(2);
        var one = await RunAsync("evaluate", "--model", "ease", "--data", _data, "--protocol", "counting");
        one.Stdout.ShouldContain("0.3100 [0.2600, 0.3600]");
    }

    [Fact]
    public async Task Record_keeps_one_row_for_each_model_data_set_and_protocol()
    {
        foreach (var (protocol, seeds) in ((string, string)[])[("counting", "1"), ("all-items", "1"), ("counting", "2")])
        {
            var run = await RunAsync("evaluate", "--model", "ease", "--data", _data, "--protocol", protocol, "--seeds", seeds, "--record", "--ledger", _ledger, "--json");
            run.Code.ShouldBe(0, run.Stderr);
            run.Json.GetProperty("recorded_in").GetString().ShouldBe(_ledger);
        }
        var rows = Ledger.Load(_ledger).Rows;
        rows.Select(r => (r.Protocol, r.Seeds.Count)).ShouldBe([("all-items", 1), ("counting", 2)]);
        rows[1].Figures[0].Mean.ShouldBe(0.315, 1e-9);
    }

    [Fact]
    public async Task A_ledger_that_is_broken_is_found_before_the_work()
    {
        File.WriteAllText(_ledger, "nonsense\n");
        File.AppendAllText(_data, "a bad line, which the work would have met\n");
        var run = await RunAsync("evaluate", "--model", "ease", "--data", _data, "--protocol", "counting", "--record", "--ledger", _ledger);
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain($"{_ledger}:1: the line is not valid JSON");
        File.ReadAllText(_ledger).ShouldBe("nonsense\n");
    }

    [Theory]
    [InlineData("needs --protocol", "--model", "ease", "--data", "DATA")]
    [InlineData("needs --data", "--model", "ease", "--protocol", "counting")]
    [InlineData("needs --model NAME, one or more of caser, popularity, ease", "--data", "DATA", "--protocol", "counting")]
    [InlineData("there is no protocol 'countin', did you mean 'counting'?; there is counting, all-items", "--model", "ease", "--data", "DATA", "--protocol", "countin")]
    [InlineData("counting has no model 'easy', did you mean 'ease'?; it has caser, popularity, ease", "--model", "easy", "--data", "DATA", "--protocol", "counting")]
    [InlineData("--seeds is 0; allowed is 1 to 1000", "--model", "ease", "--data", "DATA", "--protocol", "counting", "--seeds", "0")]
    [InlineData("--minutes is 0; allowed is above 0 to 100000", "--model", "ease", "--data", "DATA", "--protocol", "counting", "--minutes", "0")]
    [InlineData("there is no such file or folder", "--model", "ease", "--data", "/nowhere/x.jsonl", "--protocol", "counting")]
    [InlineData("--checkpoint: caser of counting keeps no state: it counts", "--model", "ease,caser", "--data", "DATA", "--protocol", "counting", "--checkpoint", "x")]
    public async Task What_is_missing_or_unknown_is_said(string reason, params string[] arguments)
    {
        var run = await RunAsync(["evaluate", .. arguments.Select(a => a == "DATA" ? _data : a)]);
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain("streaming: ");
        run.Stderr.ShouldContain(reason);
        run.Stderr.ShouldNotContain("   at ");
        run.Stdout.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_bad_line_of_the_data_is_named()
    {
        File.AppendAllText(_data, "nonsense\n");
        var run = await RunAsync("evaluate", "--model", "ease", "--data", _data, "--protocol", "counting", "--json");
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain($"streaming: {_data}:3: ");
    }

    [Fact]
    public async Task A_table_of_ones_own_is_judged_once_its_columns_are_declared()
    {
        var table = _folder.Write("mine.csv", "who,what,when\na,b,1700000000\na,c,1700000001\nb,c,1700000002\n");
        string[] arguments = ["evaluate", "--model", "ease", "--data", table, "--protocol", "counting", "--json"];
        (await RunAsync(arguments)).Stderr.ShouldContain("with --columns or in a file mine.csv.columns");
        _folder.Write("mine.csv.columns", "user=who,item=what,time=when\n");
        var run = await RunAsync(arguments);
        run.Json.GetProperty("data").GetString().ShouldBe("mine");
        run.Json.GetProperty("results")[0].GetProperty("figures").GetProperty("events").GetProperty("mean").GetInt32().ShouldBe(3);
    }

    [Fact]
    public async Task List_describes_the_protocols()
    {
        var json = (await RunAsync("evaluate", "--list", "--json")).Json.GetProperty("protocols");
        json.EnumerateArray().Select(p => p.GetProperty("name").GetString()).ShouldBe(["counting", "all-items"]);
        json[0].GetProperty("models").GetArrayLength().ShouldBe(3);
        var text = (await RunAsync("evaluate", "--list")).Stdout;
        text.ShouldContain("Counts the events; nothing is held out.");
        text.ShouldContain("models: caser, popularity, ease");
    }

    [Fact]
    public async Task The_readme_is_written_from_the_ledger_and_checked_against_it()
    {
        var readme = _folder.Write("README.md", Readme);
        await RunAsync("compare", "--data", _data, "--protocol", "counting", "--record", "--ledger", _ledger, "--json");
        string[] files = ["--ledger", _ledger, "--readme", readme];
        var stale = await RunAsync(["ledger", "--check", .. files]);
        stale.Code.ShouldBe(1);
        stale.Stderr.ShouldContain("run ./run ledger --write-readme");
        File.ReadAllText(readme).ShouldBe(Readme);
        (await RunAsync(["ledger", "--write-readme", .. files])).Code.ShouldBe(0);
        File.ReadAllText(readme).ShouldContain("# Title\n<!-- ledger -->\n**small, counting**: Counts the events");
        File.ReadAllText(readme).ShouldContain("| caser | **0.5100** [0.4600, 0.5600] |");
        (await RunAsync(["ledger", "--check", .. files])).Code.ShouldBe(0);
        var json = (await RunAsync(["ledger", "--check", "--json", .. files])).Json;
        (json.GetProperty("rows").GetInt32(), json.GetProperty("readme_was_current").GetBoolean()).ShouldBe((3, true));
        (await RunAsync("ledger", "--ledger", _ledger)).Stdout.ShouldStartWith("**small, counting**");
        File.WriteAllText(readme, "no marks");
        (await RunAsync(["ledger", "--write-readme", .. files])).Stderr.ShouldContain("the README needs the line <!-- ledger -->");
    }

    [Fact]
    public async Task A_row_of_a_protocol_that_is_gone_is_an_error()
    {
        await RunAsync("evaluate", "--model", "ease", "--data", _data, "--protocol", "all-items", "--record", "--ledger", _ledger, "--json");
        var run = await CliRun.RunAsync(new ProtocolRegistry([new CountingProtocol()]), "ledger", "--ledger", _ledger);
        run.Code.ShouldBe(1);
        run.Stderr.ShouldContain("there is no protocol 'all-items'");
    }

    [Fact]
    public async Task Data_lists_the_sets_and_checks_files()
    {
        var sets = (await RunAsync("data", "--json", "--data-root", _folder.Path)).Json.GetProperty("sets");
        sets.EnumerateArray().Select(s => s.GetProperty("name").GetString()).ShouldContain("globo");
        sets.EnumerateArray().ShouldAllBe(s => s.GetProperty("path").ValueKind == System.Text.Json.JsonValueKind.Null);
        var one = await RunAsync("data", "ml-100k");
        one.Stdout.ShouldContain("https://files.grouplens.org/datasets/movielens/ml-100k.zip");
        one.Stdout.ShouldContain("06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490  u.data");
        var other = _folder.Write("u.data", "1\t2\t3\t4\n");
        var check = await RunAsync("data", "check", other, "--json");
        check.Code.ShouldBe(1);
        check.Stderr.ShouldContain("has the name of a file of ml-100k, but not a content that is known");
        check.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
        (await RunAsync("data", "check", _data)).Stderr.ShouldContain("is no file of a set that is known here");
    }
}

/// <summary>The checked-in ledger and the README.</summary>
public sealed class CheckedInLedgerTests
{
    [Fact]
    public void The_ledger_is_written_as_the_program_writes_it()
    {
        var file = Checkout.Find()!.LedgerFile;
        var text = File.Exists(file) ? File.ReadAllText(file) : "";
        Ledger.Load(file).ToString().ShouldBe(text, "rows must be sorted and as the program writes them: record them with ./run evaluate --record");
    }

    [Fact]
    public void The_readme_shows_what_the_ledger_holds()
    {
        var checkout = Checkout.Find()!;
        var tables = ResultTable.Markdown(Ledger.Load(checkout.LedgerFile).Rows, name => ProtocolRegistry.Known.Find(name).Description);
        ResultTable.Between(File.ReadAllText(checkout.ReadmeFile)).ShouldBe(tables, "the README's tables are not those of the ledger: run ./run ledger --write-readme");
    }
}
