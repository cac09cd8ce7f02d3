using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Isolation;
using Streaming.Suites;

namespace Streaming.Learning.Tests.Isolation;

public sealed class ArmOverlaysTests
{
    private static readonly StreamingSettings Settings = new()
    {
        Learning = new LearningSettings { FtrlBits = 12, FtrlL1 = 0.1, PrequentialExactMax = 1000, PrequentialWindowMax = 100 },
        Experiments = new ExperimentsSettings { OverlayEntriesMax = 3000 },
    };

    private readonly FtrlModel _model = new(Settings.Learning);
    private readonly ArmOverlays _overlays;

    public ArmOverlaysTests() => _overlays = new ArmOverlays(_model, Settings);

    private static Example Of(string arm, int n, float? label = null)
    {
        var draw = StableHash.Finalise((ulong)n);
        uint[] features = [(uint)draw, (uint)(draw >> 32) % 50, 3];
        return new Example
        {
            Source = new LogPosition(0, n), Ordinal = 0, User = $"u{n % 17}", ItemKey = draw, ShownMs = n, LabelMs = n, Arm = arm,
            Label = label ?? (features[1] % 3 == 0 ? 1f : 0f), Features = features, Values = [1f, 1f, 0.5f],
        };
    }

    private static void Learn(ArmOverlays overlays, int from, int to, Func<int, string> armOf)
    {
        for (var n = from; n < to; n++) overlays.PredictAndLearn(Of(armOf(n), n));
    }

    private static float[] Predictions(Func<Example, float> predict) => [.. Enumerable.Range(5000, 300).Select(n => predict(Of("", n)))];

    [Fact]
    public void Without_overlays_everything_is_the_shared_model()
    {
        var alone = new FtrlModel(Settings.Learning);
        for (var n = 0; n < 500; n++) _overlays.PredictAndLearn(Of("a", n)).ShouldBe(alone.PredictAndLearn(Of("a", n)));
        LearningRig.Bytes(_model).ShouldBe(LearningRig.Bytes(alone));
        _overlays.Of("a").ShouldBeNull();
    }

    [Fact]
    public void An_overlay_is_the_model_as_it_was_gone_on_with_the_arms_own_examples_alone()
    {
        Learn(_overlays, 0, 400, _ => "b");
        _overlays.Declare(["a"]);
        Learn(_overlays, 400, 1600, n => n % 3 == 0 ? "a" : "b");
        var (alone, shared) = (new FtrlModel(Settings.Learning), new FtrlModel(Settings.Learning));
        for (var n = 0; n < 1600; n++)
        {
            if (n < 400 || n % 3 == 0) alone.PredictAndLearn(Of("a", n));
            if (n < 400 || n % 3 != 0) shared.PredictAndLearn(Of("b", n));
        }
        var overlay = _overlays.Of("a")!;
        // Bit for bit: the same arithmetic on the same numbers, wherever they are kept.
        Predictions(e => overlay.Predict(e.Features, e.Values)).ShouldBe(Predictions(e => alone.Predict(e.Features, e.Values)));
        LearningRig.Bytes(_model).ShouldBe(LearningRig.Bytes(shared));
        overlay.Count.ShouldBeInRange(300, 1300);
        overlay.Version.ShouldBe(400);
    }

    [Fact]
    public void Two_overlays_made_together_share_what_is_kept_of_the_weights()
    {
        Learn(_overlays, 0, 400, _ => "");
        _overlays.Declare(["a", "b"]);
        _overlays.Of("a")!.Frozen.ShouldBeSameAs(_overlays.Of("b")!.Frozen);
        _overlays.Figures().ShouldAllBe(f => f.FrozenBytes == 0);
        Learn(_overlays, 400, 800, _ => "");
        _overlays.Figures().ShouldAllBe(f => f.FrozenBytes > 0 && f.FrozenBytes <= _model.Slots * 12);
        _overlays.Declare(["a", "b", "c"]);
        _overlays.Of("c")!.Frozen.ShouldNotBeSameAs(_overlays.Of("b")!.Frozen);
    }

    [Fact]
    public void A_full_overlay_reads_on_and_learns_what_it_holds()
    {
        var small = Settings with { Experiments = new ExperimentsSettings { OverlayEntriesMax = 60 } };
        var overlays = new ArmOverlays(_model, small);
        overlays.Declare(["a"]);
        Learn(overlays, 0, 800, _ => "a");
        var figures = overlays.Figures().ShouldHaveSingleItem();
        figures.Entries.ShouldBe(60);
        figures.Refused.ShouldBeGreaterThan(300);
        var before = overlays.Of("a")!.Weight(3);
        Learn(overlays, 800, 810, _ => "a");
        overlays.Of("a")!.Weight(3).ShouldNotBe(before);
    }

    [Fact]
    public void Save_load_continue_equals_never_having_stopped()
    {
        static string Arm(int n) => (n % 4) switch { 0 => "a", 1 => "b", _ => "rest" };
        Learn(_overlays, 0, 300, Arm);
        _overlays.Declare(["a"]);
        Learn(_overlays, 300, 600, Arm);
        _overlays.Declare(["a", "b"]);
        Learn(_overlays, 600, 900, Arm);
        var model = new FtrlModel(Settings.Learning);
        var resumed = new ArmOverlays(model, Settings);
        resumed.Declare(["a", "b"]);
        // The parts of a checkpoint are loaded in any order.
        resumed.Load(new MemoryStream(LearningRig.Bytes(_overlays)));
        model.Load(new MemoryStream(LearningRig.Bytes(_model)));
        Learn(_overlays, 900, 1500, Arm);
        Learn(resumed, 900, 1500, Arm);
        LearningRig.Bytes(resumed).ShouldBe(LearningRig.Bytes(_overlays));
        LearningRig.Bytes(model).ShouldBe(LearningRig.Bytes(_model));
        resumed.Figures().ShouldBe(_overlays.Figures());
        resumed.Contamination().ShouldBe(_overlays.Contamination());
    }

    [Fact]
    public void What_is_no_longer_declared_goes_on_loading_too()
    {
        _overlays.Declare(["a", "b"]);
        Learn(_overlays, 0, 100, n => n % 2 == 0 ? "a" : "b");
        var resumed = new ArmOverlays(_model, Settings);
        resumed.Declare(["b"]);
        resumed.Load(new MemoryStream(LearningRig.Bytes(_overlays)));
        resumed.Names.ShouldBe(["b"]);
        resumed.Of("a").ShouldBeNull();
        resumed.Of("b")!.Version.ShouldBe(50);
        var undeclared = new ArmOverlays(_model, Settings);
        undeclared.Load(new MemoryStream(LearningRig.Bytes(_overlays)));
        undeclared.Names.ShouldBe(["a", "b"]);
    }

    [Fact]
    public void A_corrupt_checkpoint_is_refused_and_changes_nothing()
    {
        Learn(_overlays, 0, 200, _ => "");
        _overlays.Declare(["a"]);
        Learn(_overlays, 200, 400, n => n % 2 == 0 ? "a" : "");
        var good = LearningRig.Bytes(_overlays);
        for (var at = 0; at < good.Length; at += 251)
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 0x20;
            Should.Throw<InvalidDataException>(() => _overlays.Load(new MemoryStream(bad)), $"byte {at}");
        }
        LearningRig.Bytes(_overlays).ShouldBe(good);
    }

    [Fact]
    public void Promotion_gives_everybody_the_arms_weights_where_it_has_learned()
    {
        Learn(_overlays, 0, 300, _ => "");
        _overlays.Declare(["a", "b"]);
        Learn(_overlays, 300, 900, n => (n % 3) switch { 0 => "a", 1 => "b", _ => "" });
        var (a, b) = (_overlays.Of("a")!, _overlays.Of("b")!);
        var touched = Of("a", 300);
        var (expected, other) = (a.Weight(touched.Features[0]), Predictions(e => b.Predict(e.Features, e.Values)));
        var version = _model.Version;
        _overlays.Promote("c").ShouldBeFalse();
        _overlays.Promote("a").ShouldBeTrue();
        _model.Weight(touched.Features[0]).ShouldBe(expected);
        _model.Version.ShouldBeGreaterThan(version);
        _overlays.Of("a").ShouldBeNull();
        // The other arm's overlay is what it was: it reads the weights from before.
        Predictions(e => b.Predict(e.Features, e.Values)).ShouldBe(other);
        _overlays.Names.ShouldBe(["b"]);
    }

    [Fact]
    public void Contamination_is_the_share_of_others_in_what_ranks_an_arm()
    {
        // Labels that a fresh model is wrong about by 1/2 each: gradient mass is then half the number of examples, before it has learned.
        foreach (var (arm, n) in ((string, int)[])[("a", 1), ("b", 2), ("b", 3), ("b", 4)]) _overlays.PredictAndLearn(Of(arm, n * 1000, 1f));
        var shared = _overlays.Contamination();
        shared.Select(c => (c.Arm, c.Overlay, c.Examples, c.Foreign)).ShouldBe([("a", null, 1L, 0.75), ("b", null, 3L, 0.25)]);
        shared[0].ForeignMass.ShouldBeInRange(0.5, 0.75);
        (shared[0].ForeignMass + shared[1].ForeignMass).ShouldBe(1, 1e-9);
        _overlays.Declare(["a"]);
        Learn(_overlays, 0, 100, n => n % 2 == 0 ? "a" : "b");
        var isolated = _overlays.Contamination();
        isolated.Single(c => c.Arm == "a").ShouldBe(new ArmContamination("a", "a", 50, 0, 0));
        isolated.Single(c => c.Arm == "b").Foreign.ShouldBe(1 / 54.0, 1e-9);
    }

    [Fact]
    public void Several_arms_may_share_an_overlay()
    {
        _overlays.Declare(["x"], arm => arm.StartsWith('x') ? "x" : null);
        Learn(_overlays, 0, 90, n => (n % 3) switch { 0 => "x/1", 1 => "x/2", _ => "y" });
        _overlays.Of("x/1").ShouldBeSameAs(_overlays.Of("x/2"));
        _overlays.Of("y").ShouldBeNull();
        _overlays.Contamination().Select(c => (c.Arm, c.Overlay, c.Foreign)).ShouldBe([("x/1", "x", 0.5), ("x/2", "x", 0.5), ("y", null, 0)]);
    }

    [Fact]
    public void Learning_and_predicting_allocate_nothing()
    {
        _overlays.Declare(["a"]);
        Learn(_overlays, 0, 100, _ => "a");
        var example = Of("a", 7);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++) _overlays.PredictAndLearn(example);
        }).ShouldBe(0);
    }
}
