using System.Diagnostics;
using System.Runtime.InteropServices;
using Streaming.Core.Ids;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Streaming.Models.Benchmarks;

/// <summary>What <see cref="TensorSoak"/> saw.</summary>
/// <param name="Held">What was held after each tenth of the steps; the first of them is after the warm-up.</param>
/// <param name="Growth">The last minus the first.</param>
/// <param name="Loss">Mean log-loss of the last tenth: falls, so the steps did learn.</param>
public sealed record TensorSoakResult(long Steps, double Seconds, IReadOnlyList<long> Held, long Growth, double FirstLoss, double Loss);

/// <summary>
/// Training steps as the deep models make them, one after another: whether native memory stays where it is. Batches vary in size, tensors are
/// moved between scopes, handed to the caller and left to the finalizer, and now and then an operation fails half-way.
/// </summary>
public static class TensorSoak
{
    private const int Rows = 32, Columns = 16, Hidden = 64;

    /// <param name="steps">Steps measured; a fifth as many go before, in which the runtime takes the memory that it keeps.</param>
    /// <param name="seed">Of the data.</param>
    /// <param name="held">What the process holds now: resident bytes, or tensors.</param>
    /// <param name="cancel">Ends it with <see cref="OperationCanceledException"/>.</param>
    /// <param name="progress">Told the share of the steps that are done, 0 to 1.</param>
    public static TensorSoakResult Run(long steps, ulong seed, Func<long> held, CancellationToken cancel = default, Action<double>? progress = null)
    {
        manual_seed((long)(seed & long.MaxValue));
        using var weights = NewDisposeScope();
        Tensor[] parameters =
        [
            randn(Hidden, Columns).mul(0.1).requires_grad_(), zeros(Hidden).requires_grad_(),
            randn(1, Hidden).mul(0.1).requires_grad_(), zeros(1).requires_grad_(),
        ];
        var seen = new List<long>();
        double first = 0, loss = 0;
        var clock = new Stopwatch();
        var part = Math.Max(1, steps / 10);
        var warm = steps / 5;
        for (var step = -warm; step < steps; step++)
        {
            if (step == 0)
            {
                seen.Add(held());
                clock.Start();
            }
            if (step % part == 0)
            {
                cancel.ThrowIfCancellationRequested();
                loss = 0;
            }
            if (step % 256 == 0) progress?.Invoke((double)(step + warm) / (steps + warm));
            loss += Step(parameters, StableHash.Combine(seed, (ulong)(step + warm)), step);
            if (step < 0 || (step + 1) % part != 0) continue;
            if (first == 0) first = loss / part;
            seen.Add(held());
        }
        return new TensorSoakResult(steps, clock.Elapsed.TotalSeconds, seen, seen[^1] - seen[0], first, loss / part);
    }

    private static float Step(Tensor[] parameters, ulong draw, long step)
    {
        var rows = 1 + (int)(draw % Rows);
        using var scope = NewDisposeScope();
        Tensor x, y;
        using (var inner = NewDisposeScope())
        {
            var columns = empty(rows, Columns);
            Fill(columns, draw);
            y = columns.sum(1, keepdim: true).gt(Columns / 2.0).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
            x = inner.Detach(columns);
        }
        var hidden = F.relu(F.linear(x, parameters[0], parameters[1]));
        var loss = F.binary_cross_entropy_with_logits(F.linear(hidden, parameters[2], parameters[3]), y);
        loss.backward();
        using (no_grad())
        {
            foreach (var parameter in parameters)
            {
                var gradient = parameter.grad!;
                parameter.add_(gradient, -0.1);
                gradient.zero_();
            }
        }
        if (step % 100 == 0) Fail(hidden);
        // Most are disposed; every 64th is left to the finalizer.
        if (step % 64 != 0) x.Dispose();
        return loss.item<float>();
    }

    private static void Fill(Tensor into, ulong draw)
    {
        var values = MemoryMarshal.Cast<byte, float>(into.bytes);
        for (var i = 0; i < values.Length; i++) values[i] = (float)StableHash.Unit(StableHash.Combine(draw, (ulong)i));
    }

    /// <summary>An error after part of the work was done.</summary>
    private static void Fail(Tensor hidden)
    {
        try
        {
            hidden.mul(2).matmul(zeros(Hidden + 1, 1));
            throw new InvalidOperationException("a product of matrices that do not fit was computed");
        }
        catch (ExternalException)
        {
            // What was asked for.
        }
    }
}
