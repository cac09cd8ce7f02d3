using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Results;

namespace Streaming.Evaluation.Tests.Results;

public sealed class EvaluatorTests : IDisposable
{
    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("streaming-evaluator-").FullName, "e.jsonl");

    public EvaluatorTests() => File.WriteAllText(_file, "{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\"}\n{\"type\":\"click\",\"user\":\"u\",\"item\":\"j\"}\n");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);

    [Fact]
    public void Seeds_give_a_mean_and_a_spread_and_the_interval_is_the_first_runs()
    {
        var told = new List<double>();
        var measured = Evaluator.Run(new CountingProtocol(), "ease", _file, [1, 2, 3], told.Add, CancellationToken.None);
        var hits = measured.Figures[0];
        // .31, .32, .33: mean .32, deviations .01, 0, .01.
        hits.Mean.ShouldBe(0.32, 1e-12);
        hits.Spread.ShouldBe(0.01, 1e-12);
        (hits.Low, hits.High).ShouldBe((0.31 - 0.05, 0.31 + 0.05));
        measured.Figures.Select(f => f.Metric).ShouldBe(["hr@10", "logloss", "events"]);
        (measured.Figures[2].Mean, measured.Figures[2].Spread).ShouldBe((2, 0));
        measured.Seeds.ShouldBe([1, 2, 3]);
        told.Select(t => Math.Round(t, 6)).ShouldBe([0.166667, 0.333333, 0.5, 0.666667, 0.833333, 1]);
        Evaluator.Run(new CountingProtocol(), "ease", _file, [7], null, CancellationToken.None).Figures[0].Spread.ShouldBe(double.NaN, "one seed has no spread");
    }

    [Fact]
    public void It_stops_when_told()
    {
        using var stop = new CancellationTokenSource();
        Should.Throw<OperationCanceledException>(() => Evaluator.Run(new CountingProtocol(), "ease", _file, [1, 2], _ => stop.Cancel(), stop.Token));
    }

    [Fact]
    public void A_data_set_that_cannot_be_read_is_named_by_file_and_line()
    {
        File.AppendAllText(_file, "nonsense\n");
        Should.Throw<DataSetException>(() => Evaluator.Run(new CountingProtocol(), "ease", _file, [1], null, CancellationToken.None)).Line.ShouldBe(3);
    }

    [Fact]
    public void Protocols_and_models_are_found_by_name_or_the_error_says_what_there_is()
    {
        var registry = new ProtocolRegistry([new CountingProtocol("leave-one-out"), new CountingProtocol("prequential")]);
        var protocol = registry.Find("prequential");
        Should.Throw<FormatException>(() => registry.Find("leave-on-out")).Message
            .ShouldBe("there is no protocol 'leave-on-out', did you mean 'leave-one-out'?; there is leave-one-out, prequential");
        Should.Throw<FormatException>(() => registry.Find("xyz")).Message.ShouldNotContain("did you mean");
        ProtocolRegistry.Models(protocol, ["ease, popularity", "ease"]).ShouldBe(["ease", "popularity"]);
        ProtocolRegistry.Models(protocol, []).ShouldBe(protocol.Models);
        Should.Throw<FormatException>(() => ProtocolRegistry.Models(protocol, ["casek"])).Message
            .ShouldBe("prequential has no model 'casek', did you mean 'caser'?; it has caser, popularity, ease");
    }

    [Fact]
    public void Every_protocol_of_the_project_has_a_name_of_its_own_words_and_models()
    {
        var all = ProtocolRegistry.Known.All;
        all.Select(p => p.Name).Distinct().Count().ShouldBe(all.Count);
        foreach (var protocol in all)
        {
            protocol.Name.ShouldMatch("^[a-z0-9]+(-[a-z0-9]+)*$");
            protocol.Description.ShouldEndWith(".", customMessage: protocol.Name);
            protocol.Models.ShouldNotBeEmpty(protocol.Name);
            protocol.Models.Distinct().Count().ShouldBe(protocol.Models.Count, protocol.Name);
            protocol.Models.ShouldAllBe(m => !m.Contains(',') && !m.Contains(' '));
        }
    }
}
