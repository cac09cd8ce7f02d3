using Streaming.Core.Items;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Models.Recall;
using Streaming.Suites;

namespace Streaming.Models.Tests.Deep;

/// <summary>Checkpoints of deep models as builds have written them after three steps on <see cref="Batch"/>. A golden never changes; a new version adds one.</summary>
public sealed class CheckpointGoldenTests
{
    private static readonly DinOptions SmallDin = new() { Dim = 1, HistoryMax = 2, UnitColumns = 1, HiddenColumns = [2], PositionsMax = 1, SideKeysMax = 1 };

    private static readonly TwoTowerOptions SmallTower = new()
    {
        Dim = 1, VectorDim = 2, HiddenColumns = [2], HistoryMax = 2, SideKeysMax = 1, UserRows = true, Frequency = new FrequencyOptions(Hashes: 1, Slots: 4),
    };

    private static readonly RecallOptions SmallRecall = new() { Dim = 1, Hidden = 1, HistoryMax = 2, Frequency = new FrequencyOptions(Hashes: 1, Slots: 4) };

    [TorchFact]
    public void Version_1_of_din_is_read_and_written_as_version_2()
    {
        using var model = new Din(SmallDin, new ItemCatalog());
        Reads(model, DinVersion1, 0.57684f, 0.57616717f, 0.57657033f);
        Written(model).ShouldBe(Convert.FromBase64String(DinVersion2));
        using var figures = new Din(SmallDin with { DenseColumns = 2 }, new ItemCatalog());
        Should.Throw<InvalidDataException>(() => figures.Load(new MemoryStream(Convert.FromBase64String(DinVersion1)))).Message.ShouldContain("mlp.0.weight");
        Should.Throw<InvalidDataException>(() => figures.Load(new MemoryStream(Convert.FromBase64String(DinVersion2)))).Message.ShouldContain("dense columns");
    }

    [TorchFact]
    public void Version_2_of_din()
    {
        using var model = new Din(SmallDin, new ItemCatalog());
        Reads(model, DinVersion2, 0.57684f, 0.57616717f, 0.57657033f);
        Written(model).ShouldBe(Convert.FromBase64String(DinVersion2));
    }

    [TorchFact]
    public void Version_1_of_two_tower()
    {
        using var model = new TwoTower(SmallTower, new ItemCatalog());
        Reads(model, TwoTowerVersion1, 0.07479894f, 0.6659249f, 0.0011385381f);
        Written(model).ShouldBe(Convert.FromBase64String(TwoTowerVersion1));
    }

    /// <summary>Of the models that recall MIND has a buffer beside what they all write.</summary>
    [TorchFact]
    public void Version_1_of_models_that_recall()
    {
        using var model = new RecallModel(RecallModels.Find("mind")!, SmallRecall);
        Reads(model, RecallVersion1, 0.5335982f, 0.48012665f, 0.5f);
        Written(model).ShouldBe(Convert.FromBase64String(RecallVersion1));
    }

    private static void Reads(IDeepModel model, string golden, params float[] predictions)
    {
        model.Load(new MemoryStream(Convert.FromBase64String(golden)));
        var found = new float[predictions.Length];
        model.Predict(Batch(), found);
        for (var i = 0; i < found.Length; i++) found[i].ShouldBe(predictions[i], 1e-5f);
    }

    private static byte[] Written(IDeepModel model)
    {
        using var into = new MemoryStream();
        model.Save(into);
        return into.ToArray();
    }

    private static ExampleBatch Batch()
    {
        var batch = new ExampleBatch(2);
        batch.Add(1, 11, [12], 1, 1_700_000_000_000, 5, position: 0, label: 1);
        batch.Add(2, 12, [11, 13], 1, 1_700_000_000_000, 5, position: 0);
        batch.Add(1, 13, [], 0, 1_700_003_600_000, 5, label: 1);
        return batch;
    }

    private const string DinVersion1 =
        "AQEAAAABAAAAAQAAAAEAAAABAAAACAAAAMb5br5hGCa+LNpTPoCFW75Pr7C+DdJ3PvJMxbr/PI++AQAAAMoMM70BAAAAQ4mBPgEAAABPw2U/AQAAAAgiC78SAAAAp5nZvZ4nRz7Y/ZY+YHdrvV3Gkb"
        + "1BgwQ9hIZ7vrGxUj4dSAm9kSeZPFuOOz4V43u+ynSNPo2LE75seS2+nJ3VvVRM/z107zg+AgAAAOFMCb4Nzp+9AgAAABy0RLtYhUQ7AgAAABrg4T6zxCC/AQAAAAGknz4CAAAA3JVEuwAAAAACAAAA"
        + "IhQNvTDdsLwCAAAA9p86P3+gOj8BAAAAurdKuQMAAAAAAAAA+66atQAAAACsdMK0AAAAAKEjVLUAAAAAGuQRsgAAAAC0qncpAAAAADdBwCcAAAAAiGnxKAAAAABWTFkiAAAAAJzoFzgQa2ouKU+Ltm"
        + "YqRStTRJy1cSZ4KcrgKDkU7ZAwYjFTOdTtADoAAAAAec/BOQAAAACT+245AAAAALZCsDmUVPM4KiOXuQWAFLoAAAAAlmr8uQAAAACYVq25AAAAABGb8LlvGxK4pKHyMOZ6KDIAAAAAIvvAMQAAAABk"
        + "RhcxAAAAAOKPnjGNIR8w1aZoMXxtZDIAAAAAX/giMgAAAACcSZoxAAAAAIKLFDIRhd4ubhLpOyABH7wBPwo2SEWBNtAzGTtuyQ67kvZuNAxnUDR6mfG6PqRcugplFDS6/fky5m7JvBT2zjeMXl88AA"
        + "AAAKqh/jYAAAAABAAAAE1dPoUBAQAAAAMAAAABAAAAAwAAAAAAAAALAAAAAAAAAAwAAAAAAAAADQAAAAAAAACAVhzQiwEAAIBWHNCLAQAAgFYc0IsBAABFxi297kKrOsYKFjQAAEBAsRziO2Kb17td"
        + "r/Y1AABAQAerEb0m1YU5AllQNAAAQEAAAAAAAAAAAAAAAAAAAMkqpn4BAQAAAAMAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACwlKngBAQAAAAMAAAABAAAAAgAAAAAAAAABAAAAAAAAAAIAAA"
        + "AAAAAAgFYc0IsBAACAVhzQiwEAAFhbrrsYjiY6oEeoMgAAQEAOzYo8mOnJur5Z0zMAAEBAAAAAAAAAAAAAAAAAAACH9vBzAQEAAAADAAAAAQAAAAMAAAAAAAAA5jngqHQuDHrWFyW6jgWMqUBraBTR"
        + "5p8+gFYc0IsBAACAVhzQiwEAAIBWHNCLAQAAzrk5PZ0HljmMCWQxAABAQNtuerzjb0s7QjrUNAAAQECM7Iu711Kmu+yVjTUAAEBAAAAAAAAAAAAAAAAAAAChcUTQ";

    private const string DinVersion2 =
        "AgEAAAABAAAAAQAAAAEAAAABAAAAAAAAAAgAAADG+W6+YRgmvizaUz6AhVu+T6+wvg3Sdz7yTMW6/zyPvgEAAADKDDO9AQAAAEOJgT4BAAAAT8NlPwEAAAAIIgu/EgAAAKeZ2b2eJ0c+2P2WPmB3a7"
        + "1dxpG9QYMEPYSGe76xsVI+HUgJvZEnmTxbjjs+FeN7vsp0jT6NixO+bHktvpyd1b1UTP89dO84PgIAAADhTAm+Dc6fvQIAAAActES7WIVEOwIAAAAa4OE+s8QgvwEAAAABpJ8+AgAAANyVRLsAAAAA"
        + "AgAAACIUDb0w3bC8AgAAAPafOj9/oDo/AQAAALq3SrkDAAAAAAAAAPuumrUAAAAArHTCtAAAAAChI1S1AAAAABrkEbIAAAAAtKp3KQAAAAA3QcAnAAAAAIhp8SgAAAAAVkxZIgAAAACc6Bc4EGtqLi"
        + "lPi7ZmKkUrU0SctXEmeCnK4Cg5FO2QMGIxUznU7QA6AAAAAHnPwTkAAAAAk/tuOQAAAAC2QrA5lFTzOCojl7kFgBS6AAAAAJZq/LkAAAAAmFatuQAAAAARm/C5bxsSuKSh8jDmeigyAAAAACL7wDEA"
        + "AAAAZEYXMQAAAADij54xjSEfMNWmaDF8bWQyAAAAAF/4IjIAAAAAnEmaMQAAAACCixQyEYXeLm4S6TsgAR+8AT8KNkhFgTbQMxk7bskOu5L2bjQMZ1A0epnxuj6kXLoKZRQ0uv35MuZuybwU9s43jF"
        + "5fPAAAAACqof42AAAAAAQAAABja1QEAQEAAAADAAAAAQAAAAMAAAAAAAAACwAAAAAAAAAMAAAAAAAAAA0AAAAAAAAAgFYc0IsBAACAVhzQiwEAAIBWHNCLAQAARcYtve5CqzrGChY0AABAQLEc4jti"
        + "m9e7Xa/2NQAAQEAHqxG9JtWFOQJZUDQAAEBAAAAAAAAAAAAAAAAAAADJKqZ+AQEAAAADAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAsJSp4AQEAAAADAAAAAQAAAAIAAAAAAAAAAQAAAAAAAA"
        + "ACAAAAAAAAAIBWHNCLAQAAgFYc0IsBAABYW667GI4mOqBHqDIAAEBADs2KPJjpybq+WdMzAABAQAAAAAAAAAAAAAAAAAAAh/bwcwEBAAAAAwAAAAEAAAADAAAAAAAAAOY54Kh0Lgx61hcluo4FjKlA"
        + "a2gU0eafPoBWHNCLAQAAgFYc0IsBAACAVhzQiwEAAM65OT2dB5Y5jAlkMQAAQEDbbnq8429LO0I61DQAAEBAjOyLu9dSprvslY01AABAQAAAAAAAAAAAAAAAAAAAoXFE0A==";

    private const string TwoTowerVersion1 =
        "AQEAAAAEAAAAAQAAAAAAAAADAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMAAAAAAAAATw/EQgAAyEIAAMhCTw/EQjFjeckBAQAAAAIAAAABAAAAAQAAAAoAAAAVNEA+AydVPhU0QD4DJ1"
        + "U+Bnkcvir8VL5W4aI+KvxUvlbhoj53SNC9AgAAAPjyozplhq66BAAAALR3+77IgRM/SuPOvhjvDD8CAAAAAFhhOmp+HbsEAAAA9ifCPgMn1T76h9e+VuEiPwIAAAAAAAAAlAZnOgQAAAC/4Pu+X3sT"
        + "P0urzb4BHw4/AgAAAGgsuLp+5C47AwAAAAAAAADMvzw8AAAAAMy/PDwAAAAAOhSfvldFPLwAAAAAV0U8vAAAAAA9C2M+ssACNwAAAACywAI3AAAAAOZ7eTyurvQ2AAAAAK6u9DYAAAAALZIsPAmlhE"
        + "BRpTnA8K44QFU8AUCs3ce+w7ISvkJnpz7awQM+WpmIPO9IGDvJ/ik8xZi+Otwx5cFhNsVBKGW3QlVRZEIAAAAAAAAAADoKhz4AAAAAAAAAAAAAAAB0EfI7AAAAAAAAAAA1M1XCAAAAAIryk0MAAAAA"
        + "8ncOvgAAAAAzCKG9AAAAAI5RDzsAAAAASLAeOrhXkcKdtqXBObQdRHj82UEDAAAAAMiLSQEBAAAAAwAAAAEAAAADAAAAAAAAAAsAAAAAAAAADQAAAAAAAAAMAAAAAAAAAIBWHNCLAQAAgFYc0IsBAA"
        + "CAVhzQiwEAAGLWw7wwnS8/EjwoPwAAQECmhD68Bb2tQeR1bEIAAEBAqPKFuwCxZUCbJOQ/AABAQAAAAAAAAAAAAAAAAAAAYgmwkgEBAAAAAwAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALCUq"
        + "eAEBAAAAAwAAAAEAAAABAAAAAAAAAAEAAAAAAAAAgFYc0IsBAACigIm9YemvvmjFZTwAAEBAAAAAAAAAAAAAAAAAAACPJzfO";

    private const string RecallVersion1 =
        "AQEAAAAEAAAAAQAAAAAAAAADAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAADAAAAAAAAAAMAAAAAAAAATw/EQgAAyEJPD8RCTw/EQjK6y6wBAQAAAAEAAAACAAAAAQAAAAEAAACYRI2+AQAAAD5XAj8BAA"
        + "AAIv36vgEAAADIMvQ+AQAAAEuzLb8IAAAA1xGtPnZ6+LxFMhc/hGQkP6MsRb+DDIA+7Yu+P5+mVr8BAAAAAACAPwMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACcxnA8stES"
        + "NwEAAADe4x8gAQEAAAADAAAAAQAAAAMAAAADAAAACwAAAAAAAAAMAAAAAAAAAA0AAAAAAAAAgFYc0IsBAACAVhzQiwEAAIBWHNCLAQAAuG7ZvUSJ9T1iyBk6AABAQMLeeT1RMWu9rRkNOQAAQEBLP4"
        + "K9OOF/vcgCJzkAAEBAAAAAAAAAAAAAAAAAAAARmbpQ";
}
