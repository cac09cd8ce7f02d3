using Streaming.Core.Feeds;
using Streaming.Models.Embeddings;
using Streaming.Models.Recall;
using Streaming.Models.Retrieval;
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

public sealed class ItemAutoRecRecallTests() : RecallModelSuite("autorec_i")
{
    // Users' rows start from their keys, and what is dense from nothing.
    protected override bool DrawsFirstWeights => false;

    [Fact]
    public void A_click_adds_its_user_to_the_items_sum_and_what_was_there_fades()
    {
        var network = new ItemAutoRec(new AutoRecOptions { Hidden = 2 });
        EmbeddingTable[] tables = [.. network.Tables.Select(t => new EmbeddingTable(new(t.Columns, InitScale: (float)t.InitScale)))];
        var rows = new RecallRows(tables);
        network.Keep(user: 1, item: 7, [], rows, nowMs: 0);
        rows.Has(0, 7).ShouldBeFalse("what has no row gets none here");
        tables[0].GetOrAdmit(7, 0, out _, out _);
        foreach (var (user, value) in (ReadOnlySpan<(ulong, float)>)[(1, 3), (2, -1)])
        {
            tables[2].GetOrAdmit(user, 0, out var row, out _);
            row.Fill(value);
            network.Keep(user, item: 7, [5, 6], rows, nowMs: 0);
        }
        network.Keep(user: 2, item: 7, [7, 5], rows, nowMs: 0);
        rows.Row(0, 7).ToArray().ShouldBe([0.99f * 3 - 1, 0.99f * 3 - 1], 1e-5);
    }
}

public sealed class RecallModelTests
{
    /// <summary>By that name whoever forgets a user finds their row.</summary>
    [Fact]
    public void Tables_of_users_are_called_so()
    {
        var tables = RecallModels.All.SelectMany(r => r.Create(new RecallOptions()).Tables.Where(t => t.Of == RowsOf.Users).Select(t => (r.Name, t.Parameter.Name)));
        tables.ShouldBe([("sdm", "user"), ("transrec", "user"), ("autorec_i", "user"), ("autorec_i", "user.encoder")]);
    }

    [Fact]
    public void There_is_a_channel_for_each() => RecallModels.All.Select(r => r.Name).ShouldBe(FeedChannels.Retrieval.Skip(1));
}
