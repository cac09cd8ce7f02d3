using System.IO.Compression;
using Streaming.Core.Items;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Learning.Isolation;
using Streaming.Learning.Statistics;

namespace Streaming.Learning.Tests;

/// <summary>
/// Version 1 of every checkpoint part, packed by independent code (Python's struct, a bitwise CRC-32C) and checked in: it must
/// stay readable, and be written back byte for byte.
/// </summary>
public sealed class GoldenTests
{
    private static readonly LearningSettings Settings = new()
    {
        FtrlBits = 10, FtrlAlpha = 0.1, FtrlBeta = 1, FtrlL1 = 0.5, FtrlL2 = 0, EmbeddingDim = 3, NegativePoolMax = 2,
        PositionsMax = 2, PrequentialWindowMax = 2, CtrPriorImpressions = 10, CtrHalfLifeMs = 1000,
    };

    private const string Ftrl =
        "H4sIAAAAAAAC/+3BMQ3AIAAEwCdpwoKoaqgggjPwxVIRDCx3V/IkLafWTMYbAAAAAAAAAOC6uvv3A2mVKXkRIAAA";

    private const string Mf =
        "AQkAAAAAAAAAAAAAPwAAgD4EAAAAAAAAAAUAAAAAAAAAWBsAAAAAAAAEAAAAAAAAAAIAAAAWAAAAAAAAACEAAAAAAAAA5zoi0QEDAAAAAgAAAA"
        + "EAAAABAAAAAAAAABYAAAAAAAAAWBsAAAAAAAAAAMA/AAAAwAAAQD/NzMw9zcxMPgAAAAAAAAAAAAAAAAAA9mSegg==";

    private const string Statistics =
        "AQMAAAAAAAAAiBMAAAAAAAABAAAAAAAAABYAAAAAAAAAiBMAAAAAAAAAAAAAAAAkQAAAAAAAABBAAAAAAAAAIEAAAAAAAAAIQAAAAAAAAARAAA"
        + "AAAAIAAAAAAAAAAAAYQAAAAAAAABBAAAAAAAAACEAAAAAAAADwPwAAAAAAADRAAAAAAAAAFEABAAAAAAAAABYAAAAAAAAAAAAAAAAAHkCIEwAA"
        + "AAAAAAAAAADtu6rg";

    private const string TrainerPart =
        "H4sIAAAAAAACA2NkYoAAZijNyIAKQHwWIOaEKgCp14LKpQshxLDodYBQH+yx07QG9LJn1B/EgQvDxB8vhok/hgugff6AlG8O9txgusGOiwGLwOAsBOkGHEYT" +
        "4milMQqGb3xAyzdomcdgDy0EUQVGW4Kj/hhtCY6mq+EKmKANPm5oAxBaCGIIIAeqA6gwZIWLN9jDxMTQxBaXJe4HAHmzZyyQDwAA";

    private const string Overlays =
        "H4sIAAAAAAACA2NkYmBgYATiJGYGZPDFHiSYzIgi+MAeQv8BS7JCRUFsJgZ84MB+BoYGB4ZRMApGwSgYBaNgFAw7wAjFiSAOO1SQCYlmR2oMRIAlFICNgg"
        + "Z7uEZ2VAMd0OhRMApGwSgYdoBpNAhGwSgYBSO+0HuhwNMNACWDkbmTEgAA";

    [Fact]
    public void Ftrl_version_1()
    {
        var model = new FtrlModel(Settings);
        RoundTrips(model, Unzip(Ftrl));
        model.Version.ShouldBe(12);
        // z = -1.5, n = 4: (1.5 - .5) / ((1 + 2) / .1).
        model.Weight(7).ShouldBe(1f / 30f, 1e-6f);
    }

    [Fact]
    public void Matrix_factorisation_version_1()
    {
        var model = new MatrixFactorisation(Settings, seed: 1);
        RoundTrips(model, Convert.FromBase64String(Mf));
        model.Version.ShouldBe(9);
        model.GlobalBias.ShouldBe(0.5f);
        model.TryItem(22, out var vector, out var bias).ShouldBeTrue();
        vector.ToArray().ShouldBe([1.5f, -2f]);
        bias.ShouldBe(0.75f);
    }

    [Fact]
    public void Item_statistics_version_1()
    {
        var statistics = new ItemStatistics(Settings, new ItemCatalog());
        RoundTrips(statistics, Convert.FromBase64String(Statistics));
        var figures = statistics.Figures(22, nowMs: 6000);
        figures.Impressions.ShouldBe(4f);
        figures.Clicks.ShouldBe(1.5f);
        figures.Shown.ShouldBe(10f);
        figures.Popularity.ShouldBe(7.5f, 0.001f);
        statistics.PositionRate(0).ShouldBe((3 + 10 * 5.5 / 21) / 16, 1e-9);
    }

    [Fact]
    public void Trainer_version_1()
    {
        var rig = new LearningRig(new StreamingSettings { Learning = Settings }, new ItemCatalog());
        RoundTrips(rig.Trainer, Unzip(TrainerPart));
        rig.Trainer.Examples.ShouldBe(2);
        rig.Trainer.Interactions.ShouldBe(3);
        rig.Trainer.Figures().Select(f => f.Auc).ShouldBe([1.0, 0.5, 0.0]);
    }

    [Fact]
    public void Overlays_version_1()
    {
        var overlays = new ArmOverlays(new FtrlModel(Settings), new StreamingSettings { Learning = Settings });
        RoundTrips(overlays, Unzip(Overlays));
        overlays.Names.ShouldBe(["a"]);
        var overlay = overlays.Of("a")!;
        (overlay.Version, overlay.Refused, overlay.Count).ShouldBe((7L, 2L, 2));
        // One of its own, one of the page that was kept, and one that is not there.
        overlay.Weight(7).ShouldBe(1f / 30f, 1e-6f);
        overlay.Weight(2 * 256 + 3).ShouldBe(1f / 30f, 1e-6f);
        overlay.Weight(8).ShouldBe(0f);
        overlays.Contamination().Select(c => (c.Arm, c.Foreign)).ShouldBe([("a", 0), ("b", 0.25), ("c", 0.75)]);
    }

    private static void RoundTrips(ICheckpointed part, byte[] golden)
    {
        part.Load(new MemoryStream(golden));
        LearningRig.Bytes(part).ShouldBe(golden);
    }

    private static byte[] Unzip(string base64)
    {
        using var zip = new GZipStream(new MemoryStream(Convert.FromBase64String(base64)), CompressionMode.Decompress);
        var bytes = new MemoryStream();
        zip.CopyTo(bytes);
        return bytes.ToArray();
    }
}
