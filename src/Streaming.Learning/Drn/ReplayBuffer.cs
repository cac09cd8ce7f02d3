using Streaming.Core.Wire;

namespace Streaming.Learning.Drn;

/// <summary>One answered list, with its user's next request: K transitions that share what comes after.</summary>
internal sealed class ReplayedList
{
    /// <summary>Shape [S]: the user and the context when the list was made, for the first position.</summary>
    public required float[] State { get; init; }

    /// <summary>Shape [K, A]: what was shown, by position.</summary>
    public required float[] Actions { get; init; }

    /// <summary>Shape [K], ascending.</summary>
    public required int[] Positions { get; init; }

    /// <summary>Shape [K].</summary>
    public required float[] Rewards { get; set; }

    /// <summary>Shape [S]; empty where the user did not come back in time.</summary>
    public float[] NextState { get; set; } = [];

    /// <summary>Shape [M, A]: candidates of the next request.</summary>
    public float[] NextActions { get; set; } = [];

    /// <summary>Positions 0 to K - 1.</summary>
    public static int[] FromTheTop(int slots) => [.. Enumerable.Range(0, slots)];
}

/// <summary>The last answered lists, the oldest overwritten first.</summary>
internal sealed class ReplayBuffer(int listsMax)
{
    private readonly List<ReplayedList> _lists = [];
    private int _oldest;

    public int Count => _lists.Count;

    public ReplayedList this[int i] => _lists[i];

    public void Add(ReplayedList list)
    {
        if (_lists.Count < listsMax) _lists.Add(list);
        else
        {
            _lists[_oldest] = list;
            _oldest = (_oldest + 1) % listsMax;
        }
    }

    public void Save(CheckpointWriter into)
    {
        into.Int32(_oldest);
        into.Int32(_lists.Count);
        foreach (var list in _lists) Save(into, list);
    }

    public static void Save(CheckpointWriter into, ReplayedList list)
    {
        foreach (var values in (float[][])[list.State, list.Actions, list.Rewards, list.NextState, list.NextActions])
        {
            into.Int32(values.Length);
            into.Values<float>(values);
        }
        into.Values<int>(list.Positions);
    }

    /// <summary>Reads into a new buffer.</summary>
    public static ReplayBuffer Load(CheckpointReader from, int listsMax, int stateLength, int actionLength)
    {
        var buffer = new ReplayBuffer(listsMax);
        var oldest = from.Count(listsMax);
        for (var left = from.Count(listsMax); left > 0; left--) buffer._lists.Add(LoadList(from, stateLength, actionLength));
        if (oldest > 0 && oldest >= buffer.Count) throw new InvalidDataException($"the replay buffer's oldest list is number {oldest} of {buffer.Count}");
        buffer._oldest = oldest;
        return buffer;
    }

    public static ReplayedList LoadList(CheckpointReader from, int stateLength, int actionLength)
    {
        var (state, actions, rewards, nextState, nextActions) = (Read(), Read(), Read(), Read(), Read());
        var positions = ReplayedList.FromTheTop(rewards.Length);
        if (from.Version > 1) from.Values<int>(positions);
        var list = new ReplayedList { State = state, Actions = actions, Rewards = rewards, NextState = nextState, NextActions = nextActions, Positions = positions };
        if (list.State.Length != stateLength || list.Actions.Length != list.Rewards.Length * actionLength
            || (list.NextState.Length != 0 && list.NextState.Length != stateLength) || list.NextActions.Length % actionLength != 0)
            throw new InvalidDataException("a replayed list does not have the network's shape");
        return list;

        float[] Read()
        {
            var values = new float[from.Count(1 << 20)];
            from.Values<float>(values);
            return values;
        }
    }
}
