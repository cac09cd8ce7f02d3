using Streaming.Core.Experiments;
using Streaming.Core.Settings;
using Streaming.Learning.Isolation;

namespace Streaming.Learning.Tests.Isolation;

public sealed class IsolatedArmsTests
{
    private static readonly ExperimentDefinition Experiment = new()
    {
        Name = "mmr", Layer = "l", State = ExperimentState.Running, Isolated = true, Arms = [new() { Name = "control" }, new() { Name = "wide" }],
    };

    private static IsolatedArms Of(params ExperimentDefinition[] experiments) => new(new ExperimentDefinitions { Experiments = experiments }, 1_000);

    [Fact]
    public void A_combination_of_arms_maps_to_the_overlay_of_its_isolated_experiment()
    {
        var arms = Of(new ExperimentDefinition { Name = "other", Layer = "k", State = ExperimentState.Running, Arms = [new() { Name = "x" }] }, Experiment);
        arms.Overlays.ShouldBe(["mmr:control", "mmr:wide"]);
        arms.OverlayOf("learned~mmr:wide~other:x").ShouldBe("mmr:wide");
        arms.OverlayOf("learned~mmr:wide").ShouldBe("mmr:wide");
        arms.OverlayOf("learned~other:x").ShouldBeNull();
        arms.OverlayOf("learned").ShouldBeNull();
        arms.OverlayOf("").ShouldBeNull();
    }

    [Fact]
    public void There_are_overlays_while_the_experiment_shows()
    {
        var later = Experiment with { Starts = DateTimeOffset.FromUnixTimeMilliseconds(2_000) };
        Of(later).Overlays.ShouldBeEmpty();
        Of(later).OverlayOf("learned~mmr:wide").ShouldBeNull();
        Of(Experiment with { State = ExperimentState.Draft }).Overlays.ShouldBeEmpty();
        Of(Experiment with { Isolated = false }).Overlays.ShouldBeEmpty();
    }

    [Fact]
    public void A_change_that_promotes_and_stops_at_once_folds_the_overlay_in_first()
    {
        var model = new FtrlModel(new LearningSettings { FtrlBits = 10, FtrlL1 = 0 });
        var overlays = new ArmOverlays(model, new StreamingSettings());
        Of(Experiment).Apply(overlays).ShouldBeEmpty();
        overlays.Of("learned~mmr:wide")!.PredictAndLearn([7], [1f], 1f);
        var weight = overlays.Of("learned~mmr:wide")!.Weight(7);
        weight.ShouldBeGreaterThan(0);
        var stopped = Of(Experiment with { Promoted = "wide", State = ExperimentState.Stopped });
        stopped.Apply(overlays).ShouldBe(["mmr:wide"]);
        model.Weight(7).ShouldBe(weight);
        overlays.Names.ShouldBeEmpty();
        // Applied again, after a restart say, it does nothing.
        model.PredictAndLearn([7], [1f], 0f);
        var later = model.Weight(7);
        stopped.Apply(overlays).ShouldBeEmpty();
        model.Weight(7).ShouldBe(later);
        // Running on, the promoted arm has the shared weights, the others keep their overlays.
        Of(Experiment with { Promoted = "wide" }).Apply(overlays);
        overlays.Names.ShouldBe(["mmr:control"]);
    }
}
