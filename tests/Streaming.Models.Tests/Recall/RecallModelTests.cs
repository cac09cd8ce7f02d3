using Streaming.Core.Feeds;
using Streaming.Models.Recall;
using Streaming.Suites;

namespace Streaming.Models.Tests.Recall;

public sealed class YouTubeDnnRecallTests() : RecallModelSuite("youtube_dnn");
public sealed class DssmRecallTests() : RecallModelSuite("dssm");
public sealed class MindRecallTests() : RecallModelSuite("mind");
public sealed class SdmRecallTests() : RecallModelSuite("sdm");
public sealed class SasRecRecallTests() : RecallModelSuite("sasrec");
public sealed class Gru4RecRecallTests() : RecallModelSuite("gru4rec");
public sealed class Bert4RecRecallTests() : RecallModelSuite("bert4rec");

public sealed class Item2VecRecallTests() : RecallModelSuite("item2vec")
{
    // All of it is rows, which start from their keys.
    protected override bool DrawsFirstWeights => false;
}

public sealed class TransRecRecallTests() : RecallModelSuite("transrec");
public sealed class AutoRecRecallTests() : RecallModelSuite("autorec_u");

public sealed class RecallModelTests
{
    /// <summary>By that name whoever forgets a user finds their row.</summary>
    [Fact]
    public void Tables_of_users_are_called_so()
    {
        var tables = RecallModels.All.SelectMany(r => r.Create(new RecallOptions()).Tables.Where(t => t.Of == RowsOf.Users).Select(t => (r.Name, t.Parameter.Name)));
        tables.ShouldBe([("sdm", "user"), ("transrec", "user")]);
    }

    [Fact]
    public void There_is_a_channel_for_each() => RecallModels.All.Select(r => r.Name).ShouldBe(FeedChannels.Retrieval.Skip(1));
}
