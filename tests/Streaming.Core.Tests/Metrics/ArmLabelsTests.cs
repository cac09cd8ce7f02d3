using Streaming.Core.Metrics;

namespace Streaming.Core.Tests.Metrics;

public sealed class ArmLabelsTests
{
    [Fact]
    public void Every_experiment_of_an_arm_is_labelled_and_labels_stay_bounded()
    {
        var labels = new ArmLabels(experimentsMax: 3, armsMax: 10);
        labels.Of("learned~mmr:wide~rank:new").ShouldBe([("default", "learned"), ("mmr", "wide"), ("rank", "new")]);
        labels.Of("learned~mmr:off").ShouldBe([("default", "learned"), ("mmr", "off")]);
        labels.Of("learned~fourth:x").ShouldBe([("default", "learned"), ("other", "other")]);
        labels.Of("learned~mmr:wide~rank:new").ShouldBeSameAs(labels.Of("learned~mmr:wide~rank:new"));
        for (var i = 0; i < 2 * ArmLabels.CombinationsMax; i++) labels.Of($"learned~mmr:a{i}")[0].ShouldBe(("default", "learned"));
        labels.Of("learned~mmr:a7999")[1].ShouldBe(("mmr", "other"));
    }
}
