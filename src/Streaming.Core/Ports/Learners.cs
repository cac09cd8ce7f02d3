using Streaming.Core.Examples;

namespace Streaming.Core.Ports;

/// <summary>State that goes into the node's checkpoint as one named part. Loading what was saved must give bit-equal behaviour.</summary>
public interface ICheckpointed
{
    /// <summary>File-name safe and unique within a node.</summary>
    string Name { get; }

    /// <summary>Whether a checkpoint may lack it: one of a build that did not know it yet. It then stays as it was made.</summary>
    bool IsOptional => false;

    void Save(Stream into);

    /// <exception cref="InvalidDataException">Torn, corrupt, or from a newer build.</exception>
    void Load(Stream from);
}

/// <summary>
/// Anything that learns from the <c>examples</c> topic: models, item statistics, co-visitation. One thread calls it, in the
/// topic's order; readers run only while it is quiet.
/// </summary>
public interface IStreamLearner : ICheckpointed
{
    void OnExample(Example example);
    void OnInteraction(Interaction interaction);

    /// <summary>Told of <see cref="Example.IsFollowUp"/> in place of <see cref="OnExample"/>, which has had the impression.</summary>
    void OnFollowUp(Example example)
    {
        // Most learn no goals.
    }
}

/// <summary>A model that scores examples: predict first, learn after, so that every prediction is on unseen data.</summary>
public interface IOnlineModel : IStreamLearner
{
    /// <summary>Grows by one with every example learned.</summary>
    long Version { get; }

    /// <summary>Probability of a positive label in (0, 1), after the correction for down-sampled negatives.</summary>
    float Predict(ReadOnlySpan<uint> features, ReadOnlySpan<float> values);
}
