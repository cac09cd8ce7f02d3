using Streaming.Core.Feeds;
using Streaming.Models.Recall;
using Streaming.Suites;

namespace Streaming.Models.Tests.Recall;

public sealed class YouTubeDnnRecallTests() : RecallModelSuite("youtube_dnn");
public sealed class DssmRecallTests() : RecallModelSuite("dssm");
public sealed class MindRecallTests() : RecallModelSuite("mind");
public sealed class SdmRecallTests() : RecallModelSuite("sdm");

public sealed class RecallModelTests
{
    [Fact]
    public void There_is_a_channel_for_each() => RecallModels.All.Select(r => r.Name).ShouldBe(FeedChannels.Retrieval.Skip(1));
}
