using System.Diagnostics;
using Streaming.Core.Ids;
using Streaming.Core.Settings;

namespace Streaming.Learning.Benchmarks;

/// <summary>What <see cref="FtrlBench"/> measured: predict and learn, on one thread, features ready made.</summary>
public sealed record FtrlBenchResult(long Examples, int Features, double Seconds, double ExamplesPerSecond, double LogLoss);

/// <summary>Throughput of <see cref="FtrlModel.PredictAndLearn"/> on planted data whose features are spread over all slots.</summary>
public static class FtrlBench
{
    private const int Prepared = 65_536;

    /// <param name="examples">Examples to predict and learn; a tenth as many go before, unmeasured.</param>
    /// <param name="features">Features of an example.</param>
    /// <param name="seed">Of the planted data.</param>
    /// <param name="cancel">Ends it with <see cref="OperationCanceledException"/>.</param>
    /// <param name="progress">Told the share that is learned, 0 to 1.</param>
    public static FtrlBenchResult Run(long examples, int features, long seed, CancellationToken cancel = default, Action<double>? progress = null)
    {
        var (hashes, labels) = Plant(features, (ulong)seed);
        var values = new float[features];
        Array.Fill(values, 1f);
        var model = new FtrlModel(new LearningSettings());
        Pass(model, hashes, values, labels, examples / 10, null, cancel);
        var clock = Stopwatch.StartNew();
        var loss = Pass(model, hashes, values, labels, examples, progress, cancel);
        var seconds = clock.Elapsed.TotalSeconds;
        return new FtrlBenchResult(examples, features, seconds, examples / seconds, loss / examples);
    }

    private static double Pass(FtrlModel model, uint[] hashes, float[] values, float[] labels, long examples, Action<double>? progress, CancellationToken cancel)
    {
        var loss = 0.0;
        var features = values.Length;
        for (long i = 0; i < examples; i++)
        {
            var row = (int)(i % Prepared);
            if (row == 0)
            {
                cancel.ThrowIfCancellationRequested();
                progress?.Invoke((double)i / examples);
            }
            var p = model.PredictAndLearn(hashes.AsSpan(row * features, features), values, labels[row]);
            loss -= MathF.Log(labels[row] > 0.5f ? p : 1f - p);
        }
        return loss;
    }

    private static (uint[] Hashes, float[] Labels) Plant(int features, ulong seed)
    {
        var hashes = new uint[Prepared * features];
        var labels = new float[Prepared];
        for (var row = 0; row < Prepared; row++)
        {
            var logit = 0.0;
            for (var f = 0; f < features; f++)
            {
                // Half of the features have few values, half very many, as context and ids have.
                var cardinality = f % 2 == 0 ? 32UL : 200_000UL;
                var value = StableHash.Combine((ulong)f, StableHash.Finalise(seed ^ (ulong)(row * features + f)) % cardinality);
                hashes[row * features + f] = (uint)(value >> 32);
                logit += StableHash.Unit(StableHash.Finalise(value)) - 0.5;
            }
            labels[row] = StableHash.Unit(StableHash.Finalise(seed + (ulong)row)) < 1 / (1 + Math.Exp(-logit)) ? 1f : 0f;
        }
        return (hashes, labels);
    }
}
