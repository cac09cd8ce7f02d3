using System.Text;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>What an input did that none may do.</summary>
internal sealed class FuzzFailure(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Something that takes bytes from outside, and what must hold for whatever bytes they are.</summary>
internal abstract class FuzzTarget : IDisposable
{
    /// <summary>Group and part, "codecs/example": also the folder of its inputs under the corpus.</summary>
    public abstract string Name { get; }

    /// <summary>Inputs that are not kept as files because the program can make them.</summary>
    public virtual IEnumerable<byte[]> Seeds => [];

    /// <summary>Pieces that make an input get further.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Longest input that is made.</summary>
    public virtual int BytesMax => 16 * 1024;

    /// <summary>Bytes that one input may allocate on its thread: in proportion to its length, but never by what it says of itself.</summary>
    public virtual long AllocatedMax(int inputBytes) => (4 << 20) + 256L * inputBytes;

    /// <summary>Takes one input. Returns in a few words what came of it: an input with an outcome not seen before is worth building on.</summary>
    /// <exception cref="FuzzFailure">An invariant does not hold.</exception>
    public abstract string Run(byte[] input);

    public virtual void Dispose()
    {
        // Most hold nothing.
    }

    protected static byte[][] Texts(params string[] words) => [.. words.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Runs what may refuse its input in the ways that its documentation names, and in no other.</summary>
    protected static bool Refused(Action read, out string reason)
    {
        try
        {
            read();
            reason = "";
            return false;
        }
        catch (Exception refusal) when (refusal is FormatException or InvalidDataException)
        {
            reason = refusal.Message;
            if (reason.Length is 0 or > 8192) throw new FuzzFailure($"a refusal of {reason.Length} characters helps nobody", refusal);
            return true;
        }
        catch (Exception other) when (other is not FuzzFailure)
        {
            throw new FuzzFailure($"threw {other.GetType().Name}: {other.Message}", other);
        }
    }

    protected static void Hold(bool holds, string what)
    {
        if (!holds) throw new FuzzFailure(what);
    }
}
