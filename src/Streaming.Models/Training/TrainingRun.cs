using TorchSharp;

namespace Streaming.Models.Training;

/// <summary>What one run of a training may use: the machine's side, where <see cref="TrainerOptions"/> is the model's.</summary>
public sealed record TrainingRun
{
    /// <summary>Where it computes; null for the model's own choice, which is the CPU.</summary>
    public torch.Device? Device { get; init; }

    /// <summary>Time after which no further epoch begins, one being run in any case; null for none. The schedule of step sizes ends with the time (<see cref="Trainer"/>).</summary>
    public TimeSpan? TimeMax { get; init; }

    /// <summary>As <see cref="TrainerOptions.CheckpointFile"/>; null for the model's own.</summary>
    public string? CheckpointFile { get; init; }

    /// <summary>The options with this run's limits.</summary>
    public TrainerOptions With(TrainerOptions options) => options with
    {
        TimeMax = TimeMax ?? options.TimeMax, CheckpointFile = CheckpointFile ?? options.CheckpointFile,
    };
}
