using System.Text;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;
using Streaming.Suites.Fakes;

namespace Streaming.Learning.Tests.Deep;

/// <summary>A clock that stands until it is moved.</summary>
public sealed class ManualTime : TimeProvider
{
    public long NowMs { get; set; } = 1_767_225_600_000;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(NowMs);
}

/// <summary>A folder that goes with the test.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("streaming-deep-").FullName;

    public string Sub(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>A log with planted examples, and what learns from it.</summary>
public sealed class DeepRig
{
    public const int Users = 60;
    public const int Items = 40;
    private const long StartMs = 1_767_225_600_000;

    private readonly Random _random;
    private long _made;

    public DeepRig(int seed = 1, StreamingSettings? settings = null)
    {
        _random = new Random(seed);
        Settings = settings ?? DefaultSettings;
        Settings.Validate().ShouldBeEmpty();
        Log = new MemoryEventLog(Settings.Log);
    }

    public static StreamingSettings DefaultSettings { get; } = new()
    {
        Log = new LogSettings { Partitions = 3, RecordBytesMax = 1 << 16 },
        Learning = new LearningSettings { PrequentialWindowMax = 500 },
        Deep = new DeepSettings
        {
            BatchSizeMax = 32, BatchWaitMs = 0, PublishIntervalMs = 100, DenseIntervalMs = 250, SnapshotIntervalMs = 2_000,
            CheckpointIntervalMs = 700, CanaryExamples = 64,
        },
    };

    public StreamingSettings Settings { get; }
    public MemoryEventLog Log { get; }
    public ManualTime Time { get; } = new();
    public List<string> Notices { get; } = [];

    /// <summary>Examples appended, repeats not counted.</summary>
    public long Made => _made;

    /// <summary>Appends examples of users and items in groups: alike groups click four times of five, others one of five. Now and then one stands there twice.</summary>
    public void Append(int count, bool flipped = false, bool repeats = true, int without = -1)
    {
        var entries = new List<LogEntry>();
        for (var i = 0; i < count; i++)
        {
            var (user, item) = (_random.Next(Users), _random.Next(Items));
            if (user == without) continue;
            var clicks = _random.NextDouble() < (user % 3 == item % 3 ? 0.8 : 0.2);
            var partition = user % Settings.Log.Partitions;
            var into = new ByteWriter();
            if (_random.Next(20) == 0) ExampleCodec.Write(Interaction(user, item), into);
            else ExampleCodec.Write(Example(user, item, clicks != flipped), into);
            _made++;
            for (var times = repeats && _random.Next(15) == 0 ? 2 : 1; times > 0; times--)
                entries.Add(new LogEntry(Encoding.UTF8.GetBytes($"u{user}"), into.WrittenMemory.ToArray(), Time.NowMs, partition));
        }
        Log.AppendAsync(Topics.Examples, entries.ToArray()).AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Appends the deletion of a user.</summary>
    public void AppendForgotten(int user)
    {
        var into = new ByteWriter();
        var partition = user % Settings.Log.Partitions;
        ExampleCodec.Write(new Forgotten { Source = new LogPosition(partition, _made++), User = StableHash.Of($"u{user}") }, into);
        Log.AppendAsync(Topics.Examples, new[] { new LogEntry(default, into.WrittenMemory.ToArray(), Time.NowMs, partition) }).AsTask().GetAwaiter().GetResult();
    }

    public DeepWorkerParts Parts(string folder, Action<string>? at = null, Action<LogisticModel>? onModel = null, IEventLog? log = null) => new()
    {
        Name = "logistic", Scores = DeepScores.Probabilities, Settings = Settings, Log = log ?? Log, Folder = folder, Time = Time, Notice = Notices.Add, At = at,
        Create = _ =>
        {
            var model = new LogisticModel();
            onModel?.Invoke(model);
            return model;
        },
    };

    public ModelReplica Replica(string name = "logistic") => new(new LogisticModel(name), Log, 64 << 20);

    /// <summary>Pumps until nothing is left to do.</summary>
    public static void Drain(DeepWorker worker)
    {
        while (worker.Pump())
        {
            // Until nothing is left.
        }
    }

    /// <summary>Reads and takes over all that is there.</summary>
    public static void CatchUp(ModelReplica replica)
    {
        while (replica.Poll() > 0) replica.Apply(TimeSpan.MaxValue);
        replica.Apply(TimeSpan.MaxValue);
    }

    public static byte[] StateOf(IDeepModel model)
    {
        var into = new MemoryStream();
        model.Save(into);
        return into.ToArray();
    }

    /// <summary>All rows by key, and the dense values: equal texts mean bit-equal weights.</summary>
    public static string WeightsOf(IDeepModel model)
    {
        var text = new StringBuilder();
        foreach (var (name, table) in model.Weights.Tables)
            foreach (var key in table.Keys.Order())
                text.Append(name).Append(key).Append(':').AppendLine(Convert.ToHexString(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Row(table, key))));
        foreach (var dense in model.Weights.Dense)
        {
            var values = new float[dense.Length];
            dense.CopyTo(values);
            text.AppendLine(Convert.ToHexString(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan())));
        }
        return text.ToString();
    }

    /// <summary>Predictions over all pairs of users and items.</summary>
    public static float[] Predictions(Action<ExampleBatch, float[]> predict)
    {
        var batch = new ExampleBatch(0);
        for (var u = 0; u < Users; u++)
            for (var i = 0; i < Items; i++) batch.Add(StableHash.Of($"u{u}"), (ulong)(i + 1), [], 0, 0, 0);
        var into = new float[batch.Count];
        predict(batch, into);
        return into;
    }

    private static ReadOnlySpan<float> Row(EmbeddingTable table, ulong key) => table.TryGet(key, out var row) ? row : throw new InvalidOperationException();

    private Example Example(int user, int item, bool clicked) => new()
    {
        Source = new LogPosition(user % Settings.Log.Partitions, _made), Ordinal = 0, User = $"u{user}", ItemKey = (ulong)(item + 1), ShownMs = StartMs + _made * 100,
        LabelMs = StartMs + _made * 100 + 50, Label = clicked ? 1 : 0, Features = [], Values = [], ItemId = item == 7 ? "seven" : null,
        IsCorrection = clicked && _made % 50 == 0,
    };

    private Interaction Interaction(int user, int item) => new()
    {
        Source = new LogPosition(user % Settings.Log.Partitions, _made), Ordinal = 0, User = $"u{user}", ItemKey = (ulong)(item + 1),
        Action = Core.Events.EventKind.Click, Weight = 1, TimeMs = StartMs + _made * 100,
    };
}
