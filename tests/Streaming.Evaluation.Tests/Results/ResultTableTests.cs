using Streaming.Evaluation.Results;
using static Streaming.Evaluation.Tests.Results.LedgerTests;

namespace Streaming.Evaluation.Tests.Results;

public sealed class ResultTableTests
{
    [Fact]
    public void One_table_for_each_data_set_and_protocol_floors_first_the_best_bold()
    {
        var rows = Ledger.Empty.With(Row("sasrec", 0.6)).With(Row("caser", 0.4)).With(Row("popularity-decayed", 0.2)).With(Row("ease", 0.6)).With(Row("ease", 0.9, protocol: "all-items")).Rows;
        ResultTable.Markdown(rows, name => $"What {name} does.").ShouldBe(
            """
            **ml-1m, all-items**: What all-items does.

            | model | hr@10 | logloss | seeds | seconds | commit |
            |---|---|---|---|---|---|
            | ease | 0.9000 ± 0.0100 [0.8500, 0.9500] | 0.1000 | 2 | 12.3 | abc123 |

            2 cores.

            **ml-1m, counting**: What counting does.

            | model | hr@10 | logloss | seeds | seconds | commit |
            |---|---|---|---|---|---|
            | popularity-decayed | 0.2000 ± 0.0100 [0.1500, 0.2500] | 0.8000 | 2 | 12.3 | abc123 |
            | ease | **0.6000** ± 0.0100 [0.5500, 0.6500] | **0.4000** | 2 | 12.3 | abc123 |
            | caser | 0.4000 ± 0.0100 [0.3500, 0.4500] | 0.6000 | 2 | 12.3 | abc123 |
            | sasrec | **0.6000** ± 0.0100 [0.5500, 0.6500] | **0.4000** | 2 | 12.3 | abc123 |

            2 cores.

            """);
        ResultTable.Markdown([], _ => "").ShouldBe("No result is recorded yet.\n");
    }

    [Fact]
    public void What_a_row_lacks_is_a_dash_and_what_has_no_better_is_never_bold()
    {
        var one = Row("sasrec") with { Figures = [new("calibration", 1.2), new("users", 6040, 0)] };
        var two = Row("caser") with { Figures = [new("calibration", 0.9), new("regret", double.NaN)] };
        var lines = ResultTable.Markdown([one, two], _ => "").Split('\n');
        lines.ShouldContain("| caser | **0.9000** | - | - | 2 | 12.3 | abc123 |");
        lines.ShouldContain("| sasrec | 1.2000 | 6040 | - | 2 | 12.3 | abc123 |");
    }

    [Fact]
    public void Of_many_metrics_the_most_telling_are_shown_and_counts_go_first()
    {
        var many = Row("sasrec") with
        {
            Figures = [.. ((string[])["hr@5", "hr@10", "hr@20", "f1@10", "map@10", "ndcg@5", "ndcg@10", "ndcg@20", "gini@10"]).Select(m => new LedgerFigure(m, 0.25)), new("users", 10)],
        };
        ResultTable.Metrics([many]).ShouldBe(["hr@10", "hr@20", "f1@10", "map@10", "ndcg@10", "gini@10"]);
        var few = many with { Figures = [.. many.Figures.Where(f => f.Metric is "hr@5" or "users")] };
        ResultTable.Metrics([few]).ShouldBe(["hr@5", "users"]);
        var estimates = many with { Figures = [.. ((string[])["ipw", "snipw", "dm", "dr", "true", "logged"]).Select(m => new LedgerFigure(m, 0.0046)), new("effective", 10)] };
        ResultTable.Metrics([estimates]).ShouldBe(["ipw", "snipw", "dm", "dr", "true", "logged"]);
        ResultTable.Text(new LedgerFigure("hr@10", 0.5, Spread: 0)).ShouldBe("0.5000", "what every seed gives alike has no spread");
    }

    [Theory]
    [InlineData("popularity", true)]
    [InlineData("popular-last-hour", true)]
    [InlineData("random", true)]
    [InlineData("random-on-bts-men", false)]
    [InlineData("item-cf-pearson", true)]
    [InlineData("ease", true)]
    [InlineData("easer", false)]
    [InlineData("sasrec", false)]
    public void Floors_are_known_by_name(string model, bool floor) => ResultTable.IsFloor(model).ShouldBe(floor);

    [Theory]
    [InlineData("ndcg@10", Better.Higher)]
    [InlineData("HR@20", Better.Higher)]
    [InlineData("logloss", Better.Lower)]
    [InlineData("normalised_entropy", Better.Lower)]
    [InlineData("calibration", Better.NearOne)]
    [InlineData("users", Better.Undefined)]
    public void A_metric_says_what_is_better(string metric, Better better) => MetricOrder.Of(metric).ShouldBe(better);

    [Fact]
    public void Tables_go_between_the_marks_and_the_rest_of_the_readme_stays()
    {
        const string readme = "# Top\n<!-- ledger -->\nold\n<!-- /ledger -->\nbottom\n";
        var next = ResultTable.Replace(readme, "new\n");
        next.ShouldBe("# Top\n<!-- ledger -->\nnew\n<!-- /ledger -->\nbottom\n");
        ResultTable.Between(next).ShouldBe("new\n");
        foreach (var broken in (string[])["none", "<!-- /ledger --> <!-- ledger -->", readme + readme])
            Should.Throw<InvalidDataException>(() => ResultTable.Replace(broken, "")).Message.ShouldContain("<!-- ledger -->");
    }
}
