using Streaming.Core.Feeds;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Feeds;
using Streaming.Feeds.Building;
using Streaming.Feeds.Recall;
using Streaming.Learning;
using Streaming.Learning.Deep;
using Streaming.Learning.Drn;
using Streaming.Learning.Interleaving;
using Streaming.Models.Deep;
using Streaming.Users;
using TorchSharp;

namespace Streaming.Node.Deep;

/// <summary>The deep models that a node can learn and serve, by the names that settings use.</summary>
public static class DeepZoo
{
    /// <summary>Makes a model; the same settings give an equal one.</summary>
    /// <param name="name">One of <see cref="DeepSettings.Known"/>.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public static IDeepModel Create(string name, StreamingSettings settings, IItemCatalog catalog, torch.Device? device = null)
    {
        var seed = (ulong)settings.Node.Seed;
        var historyMax = settings.Users.ExampleHistoryMax;
        return name switch
        {
            "din" => new Din(new DinOptions { HistoryMax = historyMax, Seed = seed, HiddenColumns = [64, 32], TableRate = 1e-2f }, catalog, device),
            // Mini-batches are cut by time, so most are small: the items shown beside the clicked ones make their softmax worth learning from.
            "two_tower" => new TwoTower(
                new TwoTowerOptions { HistoryMax = historyMax, Seed = seed, LogNegatives = true, TableRate = 5e-3f }, catalog, device),
            DrnModel.ModelName => new DrnModel(settings.Deep.Drn, settings.Node.Seed, settings.Users.AttributionWindowMs),
            _ => throw new ArgumentException($"there is no deep model '{name}'; there are {string.Join(", ", DeepSettings.Known)}", nameof(name)),
        };
    }

    /// <summary>What a model's predictions are.</summary>
    public static DeepScores ScoresOf(string name) => name == "din" ? DeepScores.Probabilities : DeepScores.Ranking;

    /// <summary>Whether a model computes in tensors, and so learns only where there is libtorch.</summary>
    public static bool NeedsTensors(string name) => name != DrnModel.ModelName;
}

/// <summary>
/// The node's copies of its deep models, and what serves from them: an arm of experiments for each, named as the model. Versions
/// are taken over by <see cref="Apply"/> only, between rounds. Until a copy has its first version, its arm's lists are those of the
/// learned arm.
/// </summary>
public sealed class DeepServing : IDisposable
{
    private readonly TimeSpan _budget;
    private readonly List<(ModelReplica Replica, IDeepModel Model)> _replicas = [];
    private readonly List<IDisposable> _owned = [];

    /// <param name="settings">Resolved: examples carry the users' past items.</param>
    /// <param name="catalog">The node's.</param>
    /// <param name="users">Ranks in place of a model that has no version yet.</param>
    /// <param name="log">Where versions come from.</param>
    public DeepServing(StreamingSettings settings, IItemCatalog catalog, UserModels users, IEventLog log)
    {
        _budget = TimeSpan.FromMilliseconds(settings.Deep.ApplyMsMax);
        List<ArmPolicy> arms = [];
        foreach (var name in settings.Deep.Models)
        {
            var model = DeepZoo.Create(name, settings, catalog);
            var replica = new ModelReplica(model, log, (long)settings.Deep.ReplicaQueueMbMax << 20);
            _replicas.Add((replica, model));
            if (model is Din din)
            {
                var ranker = new DinRanker(din, () => replica.Version);
                _owned.Add(ranker);
                arms.Add(new ArmPolicy { Name = name, Ranker = new OnceServed(ranker, users, () => replica.Version > 0), Version = () => $"{name}:{replica.Version}" });
            }
            else if (model is TwoTower tower)
            {
                TwoTower = new TwoTowerChannel(tower, catalog, settings.Feeds, settings.Users);
                var quotas = new Dictionary<string, int>(settings.Feeds.Quotas) { [FeedChannels.TwoTower] = settings.Feeds.CandidatesMax / 2 };
                arms.Add(new ArmPolicy { Name = name, Quotas = quotas, Version = () => $"{name}:{replica.Version}" });
            }
            else if (model is DrnModel drn)
            {
                arms.Add(ArmOf(drn, replica, settings.Deep.Drn, users));
            }
        }
        Arms = arms;
    }

    /// <summary>Each list is interleaved of Q's ranking and that of its own perturbation; the duel is all of the arm's exploration.</summary>
    private ArmPolicy ArmOf(DrnModel drn, ModelReplica replica, DrnSettings settings, UserModels users)
    {
        var rankers = new DrnRankers(drn, () => users.Drn!, () => replica.Version);
        _owned.Add(rankers);
        bool IsServed() => replica.Version > 0 && drn.IsWarm;
        return new ArmPolicy
        {
            Name = DrnModel.ModelName, Explores = false, Ranker = new OnceServed(rankers.Current, users, IsServed),
            Version = () => DrnModel.VersionText(IsServed() ? replica.Version : 0),
            Interleaving = settings.Exploration == DrnExploration.None
                ? null
                : new InterleavingPolicy(new OnceServed(rankers.Perturbed, users, IsServed), () => new ProbabilisticInterleave(settings.InterleaveSharpness)),
        };
    }

    /// <summary>One for each model.</summary>
    public IReadOnlyList<ArmPolicy> Arms { get; }

    /// <summary>Null without a two-tower model.</summary>
    public TwoTowerChannel? TwoTower { get; }

    /// <summary>"din:N two_tower:N": versions in force, 0 for none yet.</summary>
    public string Versions => string.Join(' ', _replicas.Select(r => $"{r.Replica.Name}:{r.Replica.Version}"));

    /// <summary>The version in force of a model; 0 for none yet.</summary>
    public long VersionOf(string name) => _replicas.First(r => r.Replica.Name == name).Replica.Version;

    /// <summary>Reads and checks what is on the topic; on a thread of its own. Returns the records read.</summary>
    public int Poll() => _replicas.Sum(r => r.Replica.Poll());

    /// <summary>Takes over what has been read. Nobody may serve meanwhile.</summary>
    public void Apply()
    {
        foreach (var (replica, _) in _replicas) replica.Apply(_budget);
    }

    public void Dispose()
    {
        foreach (var owned in _owned) owned.Dispose();
        foreach (var (replica, _) in _replicas) replica.Dispose();
    }

    /// <summary>The deep ranker once there is a version of it that may serve; before that the live one.</summary>
    private sealed class OnceServed(IRanker deep, UserModels users, Func<bool> isServed) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            if (isServed())
            {
                deep.Score(user, items, surface, nowMs, scores);
                return;
            }
            var scorer = users.Scorer;
            scorer.BeginUser(user, nowMs, surface);
            for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
        }
    }
}
