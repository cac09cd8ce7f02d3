using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;

namespace Streaming.Evaluation.Tests.Protocols;

public sealed class InteractionLoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-loader-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_was_done_counts_and_what_was_shown_does_not()
    {
        var path = Path.Combine(_folder, "events.jsonl");
        File.WriteAllText(path, """
            {"type":"click","user":"u10","item":"b","time":1700000000000}
            {"type":"impression","user":"u10","item":"c","time":1700000000500}
            {"type":"rating","user":"u9","item":"a","time":1700000001000,"value":4}
            {"type":"hide","user":"u9","item":"d","time":1700000002000}
            {"type":"purchase","user":"u9","item":"b","time":1700000003000,"value":99}

            """);
        var loaded = InteractionLoader.Load(path, 1);
        loaded.Users.ShouldBe(["u9", "u10"]);
        loaded.Items.ShouldBe(["a", "b"]);
        loaded.All.Users.ToArray().ShouldBe([1, 0, 0]);
        loaded.All.Items.ToArray().ShouldBe([1, 0, 1]);
        loaded.All.Values.ToArray().ShouldBe([1f, 4f, 1f]);
        loaded.All.TimesMs[2].ShouldBe(1_700_000_003_000);
        (loaded.UserOf("u10"), loaded.ItemOf("d")).ShouldBe((1, -1));
        InteractionLoader.Where(loaded.All, row => row != 1).History(0).ToArray().ShouldBe([1]);
    }

    [Fact]
    public void A_set_without_interactions_is_refused()
    {
        var path = Path.Combine(_folder, "events.jsonl");
        File.WriteAllText(path, """{"type":"impression","user":"u","item":"c","time":1700000000500}""" + "\n");
        Should.Throw<DataSetException>(() => InteractionLoader.Load(path, 1)).Message.ShouldContain("no interaction");
    }
}
