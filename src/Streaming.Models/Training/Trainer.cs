using System.Diagnostics;
using Streaming.Models.Optimizers;
using TorchSharp;

namespace Streaming.Models.Training;

/// <summary>
/// Trains offline: mini-batches with Adam under a schedule of step sizes, a validation metric after every epoch, early stopping, and the
/// parameters of the best epoch in the end. With a checkpoint file, a training that was cut goes on at the epoch it was in, bit for
/// bit on the CPU. With a time limit the schedule is drawn together so that it ends where the time does (Li et al. 2020, "Budgeted
/// Training": a step size that reaches 0 within the budget is most of what a longer training gains).
/// </summary>
/// <param name="options">How.</param>
/// <param name="device">Where it computes; null for the CPU.</param>
public sealed class Trainer(TrainerOptions options, torch.Device? device = null)
{
    private readonly torch.Device _device = device ?? torch.CPU;

    /// <param name="task">What to train.</param>
    /// <param name="progress">Told after every mini-batch and every epoch; null for nobody.</param>
    /// <param name="cancel">Stops between mini-batches; the checkpoint of the last whole epoch stays.</param>
    /// <exception cref="InvalidOperationException">The loss is no longer finite: the step size is too large.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or of another model.</exception>
    public TrainingResult Run(ITrainingTask task, Action<TrainingProgress>? progress = null, CancellationToken cancel = default)
    {
        options.Check();
        var optimizer = new DenseAdam(task.Parameters, options.Rate);
        var state = new TrainingState(task.Parameters, optimizer);
        if (options.CheckpointFile is { } file && File.Exists(file)) state.Load(file);
        var (clock, first) = (Stopwatch.StartNew(), state.Epochs);
        var budget = new TrainingBudget(options, first);
        while (state.Epochs < options.EpochsMax && state.Epochs - state.BestEpoch < options.Patience && budget.Allows(clock.Elapsed))
        {
            var epoch = state.Epochs;
            budget.BeginEpoch(clock.Elapsed);
            var batches = task.BeginEpoch(epoch);
            double sum = 0;
            TrainingProgress Now(int done, double validation)
            {
                var share = (epoch + (double)done / batches) / options.EpochsMax;
                var own = share - (double)first / options.EpochsMax;
                return new TrainingProgress(epoch + 1, share, sum / done, validation, own > 0 ? clock.Elapsed * ((1 - share) / own) : TimeSpan.MaxValue);
            }
            for (var batch = 0; batch < batches; batch++)
            {
                cancel.ThrowIfCancellationRequested();
                optimizer.Rate = options.RateAt(budget.Place((double)batch / batches));
                var loss = Step(task, optimizer, batch);
                if (!float.IsFinite(loss)) throw new InvalidOperationException($"epoch {epoch + 1}, mini-batch {batch + 1} of {batches}: the loss is {loss}");
                sum += loss;
                progress?.Invoke(Now(batch + 1, double.NaN));
            }
            var metric = Validate(task);
            state.EndEpoch(batches == 0 ? 0 : sum / batches, metric);
            if (options.CheckpointFile is { } into) state.Save(into);
            progress?.Invoke(Now(batches, metric) with { EpochEnded = true });
        }
        return state.Finish();
    }

    private float Step(ITrainingTask task, DenseAdam optimizer, int batch)
    {
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in task.Parameters) parameter.Begin(_device, learning: true);
        var loss = task.Loss(batch, _device);
        loss.backward();
        optimizer.Step();
        return loss.item<float>();
    }

    private double Validate(ITrainingTask task)
    {
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in task.Parameters) parameter.Begin(_device, learning: false);
        return task.Validate(_device);
    }
}
