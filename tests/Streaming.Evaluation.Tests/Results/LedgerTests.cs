using Streaming.Evaluation.Results;

namespace Streaming.Evaluation.Tests.Results;

public sealed class LedgerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-ledger-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    internal static LedgerRow Row(string model, double hits = 0.5, string data = "ml-1m", string protocol = "counting") => new()
    {
        Data = data, Protocol = protocol, Model = model, Figures = [new("hr@10", hits, 0.01, hits - 0.05, hits + 0.05), new("logloss", 1 - hits)],
        Seeds = [1, 2], Seconds = 12.34, Hardware = "2 cores", Commit = "abc123", Date = new DateOnly(2026, 1, 2),
    };

    [Fact]
    public void A_row_is_one_readable_line_and_reads_back()
    {
        var row = Row("ease", 0.71823456789);
        row.ToJson().ShouldBe(
            """{"data":"ml-1m","protocol":"counting","model":"ease","figures":{"hr@10":{"mean":0.718235,"spread":0.01,"low":0.668235,"high":0.768235}"""
            + ""","logloss":{"mean":0.281765}},"seeds":[1,2],"seconds":12.3,"hardware":"2 cores","commit":"abc123","date":"2026-01-02"}""");
        var back = LedgerRow.Parse(row.ToJson());
        back.ToJson().ShouldBe(row.ToJson());
        back.Figures[1].Spread.ShouldBe(double.NaN);
        back.Seeds.ShouldBe([1, 2]);
        var undefined = row with { Figures = [new("auc", double.NaN)] };
        undefined.ToJson().ShouldContain("""{"auc":{"mean":null}}""");
        LedgerRow.Parse(undefined.ToJson()).Figures.Single().Mean.ShouldBe(double.NaN);
    }

    [Fact]
    public void The_file_is_sorted_and_a_new_row_takes_the_place_of_the_older_of_its_key()
    {
        var file = Path.Combine(_folder, "ledger.jsonl");
        Ledger.Load(file).Rows.ShouldBeEmpty("a ledger that is not there yet is empty");
        Ledger.Empty.With(Row("sasrec")).With(Row("ease", data: "globo")).With(Row("ease")).With(Row("ease", 0.6)).With(Row("ease", protocol: "all-items")).Save(file);
        File.ReadAllLines(file).Length.ShouldBe(4);
        Directory.GetFiles(_folder).Length.ShouldBe(1);
        var rows = Ledger.Load(file).Rows;
        rows.Select(r => r.Key).ShouldBe([("globo", "counting", "ease"), ("ml-1m", "all-items", "ease"), ("ml-1m", "counting", "ease"), ("ml-1m", "counting", "sasrec")]);
        rows[2].Figures[0].Mean.ShouldBe(0.6);
        Ledger.Load(file).ToString().ShouldBe(File.ReadAllText(file));
    }

    [Theory]
    [InlineData("nonsense", "not valid JSON")]
    [InlineData("[]", "expected an object")]
    [InlineData("""{"colour":1}""", "'colour' is no member")]
    [InlineData("""{"data":"d","protocol":"p"}""", "model is missing")]
    [InlineData("""{"data":"","protocol":"p","model":"m"}""", "data is empty")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{}}""", "seeds is missing")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{"a":{"mean":"x"}}}""", "figures.a.mean is 'x', expected a number")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{"a":{"mean":1},"a":{"mean":2}},"seeds":[1],"seconds":1,"hardware":"h","commit":"c","date":"2026-01-02"}""", "names 'a' twice")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{"a":{"mean":1}},"seeds":[],"seconds":1,"hardware":"h","commit":"c","date":"2026-01-02"}""", "seeds is empty")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{"a":{"mean":1}},"seeds":[1.5],"seconds":1,"hardware":"h","commit":"c","date":"2026-01-02"}""", "no whole number")]
    [InlineData("""{"data":"d","protocol":"p","model":"m","figures":{"a":{"mean":1}},"seeds":[1],"seconds":1,"hardware":"h","commit":"c","date":"today"}""", "date is 'today'")]
    public void A_malformed_line_is_named(string line, string reason)
    {
        var e = Should.Throw<InvalidDataException>(() => Ledger.Parse([Row("ease").ToJson(), "", line], "ledger.jsonl"));
        e.Message.ShouldStartWith("ledger.jsonl:3: ");
        e.Message.ShouldContain(reason);
    }

    [Fact]
    public void The_same_key_twice_is_an_error_that_names_both_lines()
    {
        var e = Should.Throw<InvalidDataException>(() => Ledger.Parse([Row("ease").ToJson(), Row("ease", 0.7).ToJson()], "ledger.jsonl"));
        e.Message.ShouldBe("ledger.jsonl:2: ml-1m, counting, ease already stands in line 1; keep one of them");
    }
}
