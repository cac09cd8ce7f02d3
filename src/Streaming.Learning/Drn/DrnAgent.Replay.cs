using Streaming.Core.Ids;

namespace Streaming.Learning.Drn;

/// <summary>Major updates: double Q-learning on replayed lists (van Hasselt et al. 2016).</summary>
public sealed partial class DrnAgent
{
    private float[] _states = [], _actions = [], _targets = [], _next = [], _nextActions = [], _best = [], _judged = [];
    private int[] _rowsOf = [];

    private void MajorUpdate()
    {
        var (rows, nexts) = Sample();
        var (width, length) = (Network.Shape.Action, Network.Shape.State);
        Fit(ref _best, nexts);
        Fit(ref _judged, nexts);
        Network.Predict(_weights, _next.AsSpan(0, nexts * length), _nextActions.AsSpan(0, nexts * width), _best.AsSpan(0, nexts));
        Network.Predict(_target, _next.AsSpan(0, nexts * length), _nextActions.AsSpan(0, nexts * width), _judged.AsSpan(0, nexts));
        AddFuture();
        LastLoss = Network.Gradient(
            _weights, _states.AsSpan(0, rows * length), _actions.AsSpan(0, rows * width), _targets.AsSpan(0, rows), _gradient);
        _adam.Step(_weights, _gradient);
        if (++_major % _settings.TargetSyncEvery == 0) _weights.CopyTo(_target.AsSpan());
    }

    /// <summary>Lays sampled lists out in rows: states, actions and rewards, and their next states and actions.</summary>
    private (int Rows, int Nexts) Sample()
    {
        var (width, length) = (Network.Shape.Action, Network.Shape.State);
        if (_rowsOf.Length != _settings.BatchLists) _rowsOf = new int[_settings.BatchLists];
        int rows = 0, nexts = 0;
        for (var b = 0; b < _rowsOf.Length; b++)
        {
            var list = _replay[_rowsOf[b] = Drawn(b)];
            rows += list.Rewards.Length;
            nexts += list.NextActions.Length / width;
        }
        Fit(ref _states, rows * length);
        Fit(ref _actions, rows * width);
        Fit(ref _targets, rows);
        Fit(ref _next, nexts * length);
        Fit(ref _nextActions, nexts * width);
        (rows, nexts) = (0, 0);
        foreach (var at in _rowsOf)
        {
            var list = _replay[at];
            list.Actions.CopyTo(_actions.AsSpan(rows * width));
            list.Rewards.CopyTo(_targets.AsSpan(rows));
            for (var k = 0; k < list.Rewards.Length; k++, rows++)
            {
                list.State.CopyTo(_states.AsSpan(rows * length));
                _states[rows * length] = PositionFeature(k);
            }
            list.NextActions.CopyTo(_nextActions.AsSpan(nexts * width));
            for (var m = list.NextActions.Length / width; m > 0; m--, nexts++) list.NextState.CopyTo(_next.AsSpan(nexts * length));
        }
        return (rows, nexts);
    }

    /// <summary>Adds to each list's targets gamma times what the target network makes of the action that the current one prefers.</summary>
    private void AddFuture()
    {
        int row = 0, next = 0;
        foreach (var at in _rowsOf)
        {
            var list = _replay[at];
            var count = list.NextActions.Length / Network.Shape.Action;
            var future = (float)_settings.Gamma * DoubleQ.Future(_best.AsSpan(next, count), _judged.AsSpan(next, count));
            for (var k = 0; k < list.Rewards.Length; k++) _targets[row++] += future;
            next += count;
        }
    }

    private int Drawn(int b) =>
        (int)(StableHash.Unit(StableHash.Combine(StableHash.Combine(_seed, (ulong)_major ^ 0x5EED_0000_0000_0000UL), (ulong)b)) * _replay.Count);

    private static void Fit(ref float[] array, int length)
    {
        if (array.Length < length) array = new float[length + length / 4];
    }
}
