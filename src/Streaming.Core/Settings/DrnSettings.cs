namespace Streaming.Core.Settings;

/// <summary>How DRN explores.</summary>
public enum DrnExploration
{
    /// <summary>The best list by Q.</summary>
    None,

    /// <summary>Each slot shows, with a small probability, any other item.</summary>
    EpsilonGreedy,

    /// <summary>Dueling-bandit gradient descent (Yue and Joachims 2009): the list is interleaved with that of a perturbed network.</summary>
    DuelingBandit,
}

/// <summary>DRN (Zheng et al. 2018). Defaults are the paper's where it gives them.</summary>
public sealed record DrnSettings
{
    /// <summary>Discount of the next request's value.</summary>
    public double Gamma { get; init; } = 0.4;

    /// <summary>Beta: weight of user activeness in the reward.</summary>
    public double ActivenessWeight { get; init; } = 0.05;

    public DrnExploration Exploration { get; init; } = DrnExploration.DuelingBandit;

    /// <summary>Alpha: the perturbation is alpha x rand(-1, 1) x W.</summary>
    public double PerturbationScale { get; init; } = 0.1;

    /// <summary>Eta: the share of a winning perturbation that is kept.</summary>
    public double MinorRate { get; init; } = 0.05;

    /// <summary>Interleaving draws the item of rank r with a probability in proportion to r^-sharpness (Hofmann et al. 2011 take 3).</summary>
    public double InterleaveSharpness { get; init; } = 3;

    /// <summary>Of <see cref="DrnExploration.EpsilonGreedy"/>.</summary>
    public double Epsilon { get; init; } = 0.1;

    public int Hidden1 { get; init; } = 64;
    public int Hidden2 { get; init; } = 32;

    /// <summary>Adam's step size of the major updates.</summary>
    public double LearningRate { get; init; } = 0.001;

    /// <summary>Lists in the replay buffer at most; the oldest go.</summary>
    public int ReplayListsMax { get; init; } = 2000;

    /// <summary>Lists sampled for a major update.</summary>
    public int BatchLists { get; init; } = 24;

    /// <summary>Answered lists between two major updates.</summary>
    public int MajorEveryLists { get; init; } = 2;

    /// <summary>Major updates between two copies of the weights into the target network.</summary>
    public int TargetSyncEvery { get; init; } = 100;

    /// <summary>Items of the next request, the best by Q, over which the target takes its maximum.</summary>
    public int NextActionsMax { get; init; } = 16;

    /// <summary>Answered lists that wait for their user's next request at most.</summary>
    public int WaitingListsMax { get; init; } = 100_000;

    /// <summary>T0: the time in which an active user, in the long run, comes back once, ms. Scales the decay of activeness.</summary>
    public long ActivenessPeriodMs { get; init; } = 86_400_000;

    /// <summary>In the node: how long after its attribution window a list waits for the last of its examples, event time, ms.</summary>
    public int ListCloseSlackMs { get; init; } = 1_000;

    /// <summary>In the node: lists whose outcome is not known yet at most; the oldest are learned as they are.</summary>
    public int OpenListsMax { get; init; } = 20_000;

    /// <summary>In the node: slots of a list that are learned at most.</summary>
    public int SlotsMax { get; init; } = 50;

    /// <summary>In the node: major updates before lists are made with the network; until then the live ranker makes them.</summary>
    public int WarmUpUpdates { get; init; } = 200;

    public void Validate(SettingsProblems problems, string at = "Drn")
    {
        problems.InRange($"{at}:Gamma", Gamma, 0, 0.999);
        problems.InRange($"{at}:ActivenessWeight", ActivenessWeight, 0, 10);
        problems.InRange($"{at}:PerturbationScale", PerturbationScale, 0, 10);
        problems.InRange($"{at}:MinorRate", MinorRate, 0, 1);
        problems.InRange($"{at}:InterleaveSharpness", InterleaveSharpness, 0.1, 100);
        problems.InRange($"{at}:Epsilon", Epsilon, 0, 1);
        problems.InRange($"{at}:Hidden1", Hidden1, 1, 4096);
        problems.InRange($"{at}:Hidden2", Hidden2, 1, 4096);
        problems.InRange($"{at}:LearningRate", LearningRate, 1e-9, 1);
        problems.InRange($"{at}:ReplayListsMax", ReplayListsMax, 1, 1_000_000);
        problems.InRange($"{at}:BatchLists", BatchLists, 1, 10_000);
        problems.InRange($"{at}:MajorEveryLists", MajorEveryLists, 1, 1_000_000);
        problems.InRange($"{at}:TargetSyncEvery", TargetSyncEvery, 1, 1_000_000);
        problems.InRange($"{at}:NextActionsMax", NextActionsMax, 1, 1000);
        problems.InRange($"{at}:WaitingListsMax", WaitingListsMax, 1, 10_000_000);
        problems.InRange($"{at}:ActivenessPeriodMs", ActivenessPeriodMs, 1, 3650L * 86_400_000);
        problems.InRange($"{at}:ListCloseSlackMs", ListCloseSlackMs, 0, 3_600_000);
        problems.InRange($"{at}:OpenListsMax", OpenListsMax, 1, 1_000_000);
        problems.InRange($"{at}:SlotsMax", SlotsMax, 1, 1000);
        problems.InRange($"{at}:WarmUpUpdates", WarmUpUpdates, 0, 10_000_000);
    }
}
