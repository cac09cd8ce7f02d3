using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Learning.Drn;

/// <summary>Saves and loads everything: an agent that was loaded goes on as the one that was saved, bit for bit. Version 2 has the positions of every list; in version 1 they go from the top.</summary>
public sealed partial class DrnAgent : ICheckpointed
{
    private const byte FormatVersion = 2;

    public string Name => "drn";

    public void Save(Stream into)
    {
        var writer = new CheckpointWriter(into, FormatVersion);
        foreach (var size in (int[])[Network.Shape.State, Network.Shape.Action, Network.Shape.Hidden1, Network.Shape.Hidden2]) writer.Int32(size);
        writer.Int64((long)_seed);
        foreach (var count in (long[])[_chosen, _answered, _major, _minor]) writer.Int64(count);
        writer.Single(LastLoss);
        writer.Values<float>(_weights);
        writer.Values<float>(_target);
        _adam.Save(writer);
        _replay.Save(writer);
        _waiting.Save(writer);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        var reader = new CheckpointReader(from, FormatVersion, "the DRN agent");
        var shape = Network.Shape;
        reader.Expect(shape.State, "state features");
        reader.Expect(shape.Action, "action features");
        reader.Expect(shape.Hidden1, nameof(shape.Hidden1));
        reader.Expect(shape.Hidden2, nameof(shape.Hidden2));
        if (reader.Int64() != (long)_seed) throw new InvalidDataException("the DRN agent was made with another seed");
        var counts = new long[4];
        for (var i = 0; i < counts.Length; i++) counts[i] = reader.Int64();
        var loss = reader.Single();
        var (weights, target, adam) = (new float[Network.Length], new float[Network.Length], NewAdam());
        reader.Values<float>(weights);
        reader.Values<float>(target);
        adam.Load(reader);
        var replay = ReplayBuffer.Load(reader, _settings.ReplayListsMax, shape.State, shape.Action);
        var waiting = WaitingUsers.Load(reader, _settings.WaitingListsMax, shape.State, shape.Action);
        reader.Finish();
        (_chosen, _answered, _major, _minor) = (counts[0], counts[1], counts[2], counts[3]);
        (LastLoss, _weights, _target, _adam, _replay, _waiting) = (loss, weights, target, adam, replay, waiting);
    }
}
