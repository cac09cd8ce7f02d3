using Streaming.Core.Experiments;
using Streaming.Core.Settings;

namespace Streaming.Node.Tests;

/// <summary>Experiments in a replay: they come from a file, and start and end by the records' own time.</summary>
public sealed class ExperimentReplayTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public async Task A_replay_with_experiments_is_the_same_twice_and_after_a_stop_and_other_than_without()
    {
        var source = SyntheticSource.Create(seed: 3, events: 1_500, users: 40);
        var times = source.Where(r => !r.IsItem).Select(r => r.TimeMs).ToList();
        var settings = NodeRig.Settings with { Experiments = NodeRig.Settings.Experiments with { File = Write(times.Min() + (times.Max() - times.Min()) / 3) } };
        var first = await NodeRig.ReplayAsync(_folder.Sub("one"), source, settings);
        (await NodeRig.ReplayAsync(_folder.Sub("two"), source, settings)).ShouldBe(first);
        (await NodeRig.ReplayAsync(_folder.Sub("plain"), source)).Digest.ShouldNotBe(first.Digest);

        await using (var rig = await NodeRig.OpenAsync(_folder.Sub("stopped"), settings))
        {
            var rounds = 20;
            await Should.ThrowAsync<OperationCanceledException>(() => new ReplayRunner(rig.Node, 32).RunAsync(
                source, "source", _ => { if (--rounds == 0) throw new OperationCanceledException(); }, 1, CancellationToken.None));
        }
        (await NodeRig.ReplayAsync(_folder.Sub("stopped"), source, settings)).ShouldBe(first);

        // It began in the middle: lists of before are of the default, those of after are not.
        await using var done = await NodeRig.OpenAsync(_folder.Sub("one"), settings);
        var arms = done.ReadAll(Core.Log.Topics.Examples).Select(r => Core.Examples.ExampleCodec.Read(r.Value).Example?.Arm).OfType<string>().Where(a => a.Length > 0).ToList();
        arms.ShouldContain("learned");
        arms.ShouldContain(a => a.StartsWith("learned~short:"));
        done.Node.Experiments.Current.Version.ShouldBe(1);
    }

    public void Dispose() => _folder.Dispose();

    private string Write(long startsMs)
    {
        var file = Path.Combine(_folder.Path, "experiments.json");
        File.WriteAllText(file, ExperimentsJson.Write(new ExperimentDefinitions
        {
            Layers = [new LayerDefinition { Name = "length" }],
            Experiments =
            [
                new ExperimentDefinition
                {
                    Name = "short", Layer = "length", State = ExperimentState.Running, Share = 1, Starts = DateTimeOffset.FromUnixTimeMilliseconds(startsMs),
                    Arms = [new ArmDefinition { Name = "three", Settings = new() { ["Feeds:ListLength"] = "3" } }, new ArmDefinition { Name = "four", Settings = new() { ["Feeds:ListLength"] = "4" } }],
                },
            ],
        }));
        return file;
    }
}
