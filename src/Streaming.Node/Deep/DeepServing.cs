using Streaming.Core.Experiments;
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
using Streaming.Learning.Features;
using Streaming.Learning.Interleaving;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Models.Recall;
using Streaming.Models.Reranking;
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
            "din" => new Din(
                new DinOptions
                {
                    HistoryMax = historyMax, Seed = seed, HiddenColumns = [64, 32], TableRate = 1e-2f, DenseColumns = DenseInputs.ColumnsOf(settings),
                },
                catalog, device),
            // Mini-batches are cut by time, so most are small: the items shown beside the clicked ones make their softmax worth learning from.
            "two_tower" => new TwoTower(
                new TwoTowerOptions { HistoryMax = historyMax, Seed = seed, LogNegatives = true, TableRate = 5e-3f }, catalog, device),
            PrmModel.ModelName => new PrmModel(
                new RankerOptions { Seed = seed }, settings.Deep.PrmItemsMax, settings.Users.AttributionWindowMs + settings.Deep.PrmCloseSlackMs, historyMax,
                DenseInputs.Hashes(settings), catalog, device),
            DrnModel.ModelName => new DrnModel(settings.Deep.Drn, settings.Node.Seed, settings.Users.AttributionWindowMs),
            _ when RecallModels.Find(name) is { } recall => new RecallModel(
                recall, new RecallOptions
                {
                    HistoryMax = historyMax, Seed = seed, RowsMax = settings.Learning.EmbeddingRowsMax, RowExpiryMs = settings.Learning.ItemExpiryMs,
                },
                device),
            _ when Rankers.Live.Contains(name) => new RankerModel(
                name, new RankerOptions { Seed = seed }, historyMax, DenseInputs.ColumnsOf(settings), catalog, device, settings.Users.GoalKinds()),
            _ => throw new ArgumentException($"there is no deep model '{name}'; there are {string.Join(", ", DeepSettings.Known)}", nameof(name)),
        };
    }

    /// <summary>Where a model learns by these settings; null for the CPU.</summary>
    public static torch.Device? DeviceOf(DeepSettings settings) =>
        settings.Device == "cpu" || (settings.Device == "auto" && !torch.cuda.is_available()) ? null : torch.device("cuda");

    /// <summary>What a model's predictions are.</summary>
    public static DeepScores ScoresOf(string name) => name is "din" or PrmModel.ModelName || Rankers.Live.Contains(name) ? DeepScores.Probabilities : DeepScores.Ranking;

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
    /// <summary>Versions that are kept beside the newest at most; each is a copy of its model.</summary>
    private const int PinsMax = 8;

    private readonly StreamingSettings _settings;
    private readonly IItemCatalog _catalog;
    private readonly UserModels _users;
    private readonly IEventLog _log;
    private readonly bool _learnsInRounds;
    private readonly Lock _pinning = new();
    private readonly Dictionary<ModelPin, Pinned> _pins = [];
    private readonly TimeSpan _budget;
    private readonly List<(ModelReplica Replica, IDeepModel Model)> _replicas = [];
    private readonly List<IDisposable> _owned = [];
    private readonly List<RoundLearner> _learners = [];

    /// <param name="settings">Resolved: examples carry the users' past items.</param>
    /// <param name="catalog">The node's.</param>
    /// <param name="users">Ranks in place of a model that has no version yet.</param>
    /// <param name="log">Where versions come from.</param>
    /// <param name="learnsInRounds">Whether the models learn within the rounds, as in a replay.</param>
    public DeepServing(StreamingSettings settings, IItemCatalog catalog, UserModels users, IEventLog log, bool learnsInRounds)
    {
        (_settings, _catalog, _users, _log, _learnsInRounds) = (settings, catalog, users, log, learnsInRounds);
        _budget = TimeSpan.FromMilliseconds(settings.Deep.ApplyMsMax);
        List<ArmPolicy> arms = [];
        List<RetrievalChannel> retrieval = [];
        foreach (var name in settings.Deep.Models)
        {
            var model = DeepZoo.Create(name, settings, catalog);
            var replica = new ModelReplica(model, log, (long)settings.Deep.ReplicaQueueMbMax << 20);
            _replicas.Add((replica, model));
            // On the CPU, where learning again gives the same bits, unless the settings insist.
            var device = learnsInRounds && settings.Deep.Device == "cuda" ? DeepZoo.DeviceOf(settings.Deep) : null;
            if (learnsInRounds)
                _learners.Add(new RoundLearner(() => DeepZoo.Create(name, settings, catalog, device), DeepZoo.ScoresOf(name), settings, replica));
            if (model is Din or RankerModel or PrmModel)
            {
                var ranker = DeepRanker.Of(model, users, () => replica.Version, settings.Users.ActionWeights);
                _owned.Add(ranker);
                arms.Add(new ArmPolicy { Name = name, Ranker = new OnceServed(ranker, users, () => replica.Version > 0), Version = () => $"{name}:{replica.Version}" });
            }
            else if (model is IRetrievalModel retriever)
            {
                var channel = new RetrievalChannel(name, retriever, catalog, settings.Feeds, settings.Users) { Version = () => replica.Version };
                var quotas = new Dictionary<string, int>(settings.Feeds.Quotas) { [name] = settings.Feeds.CandidatesMax / 2 };
                retrieval.Add(channel);
                arms.Add(new ArmPolicy { Name = name, Quotas = quotas, Version = () => VersionsOf(replica, channel) });
            }
            else if (model is DrnModel drn)
            {
                arms.Add(ArmOf(drn, replica, settings.Deep.Drn, users));
            }
        }
        (Arms, Retrieval) = (arms, retrieval);
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

    /// <summary>What learns within the rounds; empty where workers do.</summary>
    public IReadOnlyList<RoundLearner> Learners => _learners;

    /// <summary>The channels of the models that recall.</summary>
    public IReadOnlyList<RetrievalChannel> Retrieval { get; }

    /// <summary>"din:N two_tower:N": versions in force, 0 for none yet.</summary>
    public string Versions => string.Join(' ', _replicas.Select(r => $"{r.Replica.Name}:{r.Replica.Version}"));

    /// <summary>The copies, to look at; only versions and counts while rounds run.</summary>
    public IEnumerable<ModelReplica> Replicas => _replicas.Select(r => r.Replica);

    /// <summary>How the heads of re-rankers do beside their base rankers; between rounds only.</summary>
    internal IReadOnlyList<HeadStatus> Heads() => [.. _replicas.Where(r => r.Model is PrmModel).Select(r => HeadStatus.Of(r.Replica.Name, ((PrmModel)r.Model).Record))];

    /// <summary>Whether there is a model of this name.</summary>
    public bool Has(string name) => _replicas.Exists(r => r.Replica.Name == name);

    internal ModelStamp StampOf(string name) => Replicas.First(r => r.Name == name) is var r ? new ModelStamp(r.Version, r.NewestMs) : default;

    /// <summary>
    /// Sees to it that there are copies of these versions and of no others, and returns their policies. A copy starts from the oldest snapshot that the
    /// topic holds; until it has come to its version, or where the topic no longer holds that, its lists are those of the learned arm, and their
    /// <see cref="ArmPolicy.Version"/> says "din@1200:0". Beyond <see cref="PinsMax"/> none is made, nor in a replay, which has no earlier versions.
    /// Between rounds only.
    /// </summary>
    public IReadOnlyList<ArmPolicy> Pin(IReadOnlyCollection<ModelPin> wanted)
    {
        if (_learnsInRounds) return [];
        lock (_pinning)
        {
            foreach (var gone in _pins.Keys.Except(wanted).ToList())
            {
                _pins[gone].Dispose();
                _pins.Remove(gone);
            }
            foreach (var pin in wanted.Where(p => Has(p.Model)))
                if (_pins.Count < PinsMax && !_pins.ContainsKey(pin)) _pins[pin] = NewPinned(pin);
            return [.. _pins.Values.Select(p => p.Policy)];
        }
    }

    private Pinned NewPinned(ModelPin pin)
    {
        var model = DeepZoo.Create(pin.Model, _settings, _catalog);
        var replica = new ModelReplica(model, _log, (long)_settings.Deep.ReplicaQueueMbMax << 20, pin.Version);
        // What has not come to its version yet must not serve an earlier one under its name.
        bool IsServed() => replica.Version == pin.Version && model is not DrnModel { IsWarm: false };
        IDisposable owner;
        IRanker ranker;
        if (model is Din or RankerModel or PrmModel)
        {
            var own = DeepRanker.Of(model, _users, () => replica.Version, _settings.Users.ActionWeights);
            (owner, ranker) = (own, own);
        }
        else
        {
            var own = new DrnRankers((DrnModel)model, () => _users.Drn!, () => replica.Version);
            (owner, ranker) = (own, own.Current);
        }
        return new Pinned(replica, owner, new ArmPolicy
        {
            Name = pin.ToString(), Ranker = new OnceServed(ranker, _users, IsServed), Version = () => $"{pin}:{(IsServed() ? replica.Version : 0)}",
        });
    }

    private sealed record Pinned(ModelReplica Replica, IDisposable Ranker, ArmPolicy Policy) : IDisposable
    {
        public void Dispose()
        {
            Ranker.Dispose();
            Replica.Dispose();
        }
    }

    /// <summary>Reads and checks what is on the topic; on a thread of its own. Returns the records read.</summary>
    public int Poll()
    {
        var read = _replicas.Sum(r => r.Replica.Poll());
        lock (_pinning) return read + _pins.Values.Sum(p => p.Replica.Poll());
    }

    /// <summary>Takes over what has been read. Nobody may serve meanwhile.</summary>
    public void Apply()
    {
        foreach (var (replica, _) in _replicas) replica.Apply(_budget);
        foreach (var pinned in _pins.Values) pinned.Replica.Apply(_budget);
    }

    /// <summary>"two_tower:17 two_tower.index:12": the version in force, and the one that computed the stalest vector of the index.</summary>
    private static string VersionsOf(ModelReplica tower, RetrievalChannel channel) =>
        $"{tower.Name}:{tower.Version} {tower.Name}.index:{channel.OldestVersion}";

    public void Dispose()
    {
        foreach (var pinned in _pins.Values) pinned.Dispose();
        foreach (var owned in _owned) owned.Dispose();
        foreach (var learner in _learners) learner.Dispose();
        foreach (var (replica, _) in _replicas) replica.Dispose();
    }

    /// <summary>The deep ranker once there is a version of it that may serve; before that the live one.</summary>
    private sealed class OnceServed(IRanker deep, UserModels users, Func<bool> isServed) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores) =>
            Score(user, items, surface, nowMs, GoalFusion.Default, scores);

        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, GoalFusion fusion, Span<float> scores)
        {
            if (isServed())
            {
                deep.Score(user, items, surface, nowMs, fusion, scores);
                return;
            }
            var scorer = users.Scorer;
            scorer.BeginUser(user, nowMs, surface);
            for (var i = 0; i < items.Length; i++) scores[i] = scorer.Score(items[i]);
        }
    }
}
