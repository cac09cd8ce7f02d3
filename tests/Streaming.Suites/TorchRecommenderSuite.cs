namespace Streaming.Suites;

/// <summary>The same promises of a model that needs tensors: skipped, with the reason, where libtorch is absent.</summary>
public abstract class TorchRecommenderSuite : RecommenderSuite
{
    [TorchFact]
    public override void The_same_seed_gives_the_same_scores() => base.The_same_seed_gives_the_same_scores();

    [TorchFact]
    public override void Scoring_changes_nothing() => base.Scoring_changes_nothing();

    [TorchFact]
    public override void A_score_is_written_for_every_item_and_is_finite() => base.A_score_is_written_for_every_item_and_is_finite();

    [TorchFact]
    public override void Planted_co_occurrence_is_found() => base.Planted_co_occurrence_is_found();

    [TorchFact]
    public override void An_item_that_nobody_touched_does_not_lead() => base.An_item_that_nobody_touched_does_not_lead();

    [TorchFact]
    public override void Fitting_again_forgets() => base.Fitting_again_forgets();
}
