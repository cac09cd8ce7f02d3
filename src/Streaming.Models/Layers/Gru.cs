using TorchSharp;

namespace Streaming.Models.Layers;

/// <summary>
/// A gated recurrent unit, as torch.nn.GRU: r = sigmoid(W_r x + b_r + U_r h + c_r), z likewise, n = tanh(W_n x + b_n + r (U_n h + c_n)), h' = (1 - z) n + z h. With
/// weights a_t it is the AUGRU of DIEN (Zhou et al. 2019, equations 14 to 16): the new state enters by the share a_t (1 - z).
/// </summary>
public sealed class Gru
{
    private readonly Linear _input, _state;
    private readonly int _columns;

    public Gru(string name, int columnsIn, int columns, ulong seed)
    {
        _columns = columns;
        (_input, _state) = (new Linear($"{name}.input", columnsIn, 3 * columns, seed), new Linear($"{name}.state", columns, 3 * columns, seed));
    }

    /// <summary>Gates in the order r, z, n.</summary>
    public IEnumerable<DenseParameter> Parameters => [.. _input.Parameters, .. _state.Parameters];

    /// <summary>The state after every step, each of shape [R, columns]; a step that is masked out leaves it.</summary>
    /// <param name="x">Shape [R, L, in].</param>
    /// <param name="mask">Shape [R, L], 1 or 0.</param>
    /// <param name="first">Shape [R, columns].</param>
    /// <param name="shares">Shape [R, L]: the a_t; null for a plain GRU.</param>
    public torch.Tensor[] Run(torch.Tensor x, torch.Tensor mask, torch.Tensor first, torch.Tensor? shares = null)
    {
        var (rows, length) = (x.shape[0], (int)x.shape[1]);
        var inputs = _input.Forward(x.reshape(rows * length, -1), true).reshape(rows, length, -1);
        var enters = shares is null ? mask : mask * shares;
        var states = new torch.Tensor[length];
        var h = first;
        for (var step = 0; step < length; step++)
        {
            var (given, kept) = (inputs.select(1, step), _state.Forward(h, true));
            torch.Tensor Part(torch.Tensor from, int gate) => from.narrow(1, gate * _columns, _columns);
            var gates = (given.narrow(1, 0, 2 * _columns) + kept.narrow(1, 0, 2 * _columns)).sigmoid();
            var candidate = (Part(given, 2) + Part(gates, 0) * Part(kept, 2)).tanh();
            h = h + (candidate - h) * ((1 - Part(gates, 1)) * enters.narrow(1, step, 1));
            states[step] = h;
        }
        return states;
    }
}
