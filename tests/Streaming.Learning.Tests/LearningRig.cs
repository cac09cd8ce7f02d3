using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Learning.Features;
using Streaming.Learning.Isolation;
using Streaming.Learning.Statistics;
using Streaming.Users;

namespace Streaming.Learning.Tests;

/// <summary>All parts of the learner, wired as a node wires them.</summary>
public sealed class LearningRig
{
    private readonly FeatureBuffer _buffer = new();

    public LearningRig(StreamingSettings settings, IItemCatalog catalog)
    {
        Settings = settings;
        Ranker = new FtrlModel(settings.Learning, settings.Users.NegativeSampleRate);
        Factors = new MatrixFactorisation(settings.Learning, settings.Node.Seed);
        Statistics = new ItemStatistics(settings.Learning, catalog);
        Features = new FeatureExtractor(settings, catalog, Statistics, Factors, Ranker);
        Models = new UserModels(Features);
        Trainer = new Trainer(settings.Learning, Ranker, new ArmOverlays(Ranker, settings), Factors, Statistics);
    }

    public StreamingSettings Settings { get; }
    public FtrlModel Ranker { get; }
    public MatrixFactorisation Factors { get; }
    public ItemStatistics Statistics { get; }
    public FeatureExtractor Features { get; }
    public UserModels Models { get; }
    public Trainer Trainer { get; }

    public UserState NewUser(string user) => new(user, Settings.Learning.EmbeddingDim);

    /// <summary>What the user machine releases for one labelled item; the features are as of now.</summary>
    public Example Example(UserState user, ulong item, float label, long offset, long timeMs, EventKind action = EventKind.Click)
    {
        Models.Features(user, item, new ShownContext(timeMs, "", -1), _buffer);
        return new Example
        {
            Source = new LogPosition(0, offset), Ordinal = 0, User = user.User, ItemKey = item, ShownMs = timeMs, LabelMs = timeMs,
            Label = label, Action = action, ModelVersion = Models.Versions,
            Features = _buffer.Features.ToArray(), Values = _buffer.Values.ToArray(), UserVector = [.. user.Embedding],
        };
    }

    public static Interaction Interaction(Example of, float weight = 1f) => new()
    {
        Source = of.Source, Ordinal = of.Ordinal + 1, User = of.User, ItemKey = of.ItemKey, Action = of.Action, Weight = weight,
        TimeMs = of.LabelMs, Surface = of.Surface,
    };

    public byte[] Save()
    {
        var stream = new MemoryStream();
        foreach (var part in Trainer.Parts) part.Save(stream);
        return stream.ToArray();
    }

    public void Load(byte[] bytes)
    {
        var stream = new MemoryStream(bytes);
        foreach (var part in Trainer.Parts) part.Load(stream);
        stream.Position.ShouldBe(stream.Length);
    }

    public static byte[] Bytes(ICheckpointed part)
    {
        var stream = new MemoryStream();
        part.Save(stream);
        return stream.ToArray();
    }
}
