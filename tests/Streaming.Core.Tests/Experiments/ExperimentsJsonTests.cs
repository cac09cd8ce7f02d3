using System.Text;
using Streaming.Core.Experiments;

namespace Streaming.Core.Tests.Experiments;

public sealed class ExperimentsJsonTests
{
    private static ExperimentsVersion Whole() => new()
    {
        Version = 3, ChangedMs = 1_700_000_000_000, ChangedBy = "ann", Why = "why", Changes = ["experiment mmr: draft -> running"],
        Definitions = new ExperimentDefinitions
        {
            Salt = "s", Testers = ["qa"], Domains = [new DomainDefinition { Name = "own", Share = .1 }],
            Holdouts = [new HoldoutDefinition { Name = "q4", Share = .02, Layers = ["diversity"] }],
            Layers = [new LayerDefinition { Name = "diversity", Domain = "own", Salt = "x", Buckets = 10_000 }],
            Experiments =
            [
                new ExperimentDefinition
                {
                    Name = "mmr", Layer = "diversity", Description = "wider", State = ExperimentState.Running, Share = .5,
                    Starts = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000), Ends = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000),
                    Target = new TargetDefinition { Attributes = new() { ["country"] = ["de", "at"] }, Surfaces = ["home"] },
                    Arms = [new ArmDefinition { Name = "control" }, new ArmDefinition { Name = "wide", Weight = 2, Stopped = true, Policy = "learned", Settings = new() { ["Feeds:MmrLambda"] = "0.7" } }],
                    Forced = new() { ["qa"] = "wide" },
                },
            ],
        },
        Domains = new BucketTable(["own"], [0, 1, 1]), Layers = new Dictionary<string, BucketTable> { ["diversity"] = new(["mmr:control", "mmr:wide"], [1, 2, 0, 2]) },
    };

    [Fact]
    public void A_version_comes_back_as_it_went()
    {
        var bytes = ExperimentsJson.Write(Whole());
        var back = ExperimentsJson.ReadVersion(bytes);
        Encoding.UTF8.GetString(ExperimentsJson.Write(back)).ShouldBe(Encoding.UTF8.GetString(bytes));
        back.Layers["diversity"].Buckets.ShouldBe([1, 2, 0, 2]);
        back.Layers["diversity"].CountOf("mmr:wide").ShouldBe(2);
        back.Domains!.Owners.ShouldBe(["own"]);
        back.Definitions.Find("mmr")!.Target.Attributes["country"].ShouldBe(["de", "at"]);
    }

    /// <summary>Written by the first build of format 1: later builds must read it.</summary>
    [Fact]
    public void Golden()
    {
        const string golden = """{"format":1,"version":3,"changed_ms":1700000000000,"changed_by":"ann","why":"why","changes":["experiment mmr: draft -\u003E running"],"definitions":{"salt":"s","testers":["qa"],"domains":[{"name":"own","share":0.1}],"holdouts":[{"name":"q4","share":0.02,"layers":["diversity"]}],"layers":[{"name":"diversity","domain":"own","salt":"x","buckets":10000}],"experiments":[{"name":"mmr","layer":"diversity","description":"wider","state":"running","share":0.5,"starts":"2023-11-14T22:13:20+00:00","ends":"2027-01-15T08:00:00+00:00","target":{"attributes":{"country":["de","at"]},"surfaces":["home"]},"arms":[{"name":"control","weight":1,"stopped":false,"policy":"","settings":{}},{"name":"wide","weight":2,"stopped":true,"policy":"learned","settings":{"Feeds:MmrLambda":"0.7"}}],"forced":{"qa":"wide"}}]},"domains":{"owners":["own"],"buckets":"Y2BkBAA="},"layers":{"diversity":{"owners":["mmr:control","mmr:wide"],"buckets":"Y2RiYAIA"}}}""";
        var version = ExperimentsJson.ReadVersion(Encoding.UTF8.GetBytes(golden));
        Encoding.UTF8.GetString(ExperimentsJson.Write(version)).ShouldBe(Encoding.UTF8.GetString(ExperimentsJson.Write(Whole())));
        version.Layers["diversity"].Buckets.ShouldBe([1, 2, 0, 2]);
    }

    [Theory]
    [InlineData("""{"layer":[]}""", "layer")]
    [InlineData("""{"experiments":[{"name":"a","layer":"l","state":"going"}]}""", "experiments[0].state")]
    [InlineData("""{"experiments":[{"name":"a"}]}""", "layer")]
    [InlineData("""{"experiments":[{"name":"a","layer":"l","arms":[{"name":"x","settings":{"Feeds:Quotas":{"popular":1}}}]}]}""", "single value")]
    [InlineData("nothing", "'nothing' is an invalid")]
    [InlineData("null", "null")]
    public void What_cannot_be_read_is_named(string json, string named) =>
        Should.Throw<FormatException>(() => ExperimentsJson.ReadDefinitions(Encoding.UTF8.GetBytes(json))).Message.ShouldContain(named);

    [Theory]
    [InlineData("""{"format":2}""", "format 2")]
    [InlineData("""{}""", "format 0")]
    [InlineData("""{"format":1,"layers":{"l":{"owners":[],"buckets":"Y2RiYAIA"}}}""", "owner")]
    [InlineData("""{"format":1,"layers":{"l":{"owners":[],"buckets":"/////w=="}}}""", "damaged")]
    [InlineData("""{"format":1,"version":"x"}""", "damaged")]
    public void A_damaged_version_says_so(string json, string named) =>
        Should.Throw<FormatException>(() => ExperimentsJson.ReadVersion(Encoding.UTF8.GetBytes(json))).Message.ShouldContain(named);

    [Fact]
    public void Ten_thousand_scattered_buckets_take_a_few_kilobytes()
    {
        var random = new Random(1);
        var table = new BucketTable(["a", "b", "c"], [.. Enumerable.Range(0, 10_000).Select(_ => (byte)random.Next(4))]);
        table.Pack().Length.ShouldBeLessThan(5_000);
        BucketTable.Unpack(table.Owners, table.Pack()).Buckets.ShouldBe(table.Buckets);
        Should.Throw<FormatException>(() => BucketTable.Unpack(["a"], new BucketTable(["a"], new byte[10_001]).Pack())).Message.ShouldContain("more than 10000");
    }
}
