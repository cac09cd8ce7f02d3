using Streaming.Models.Layers;
using Streaming.Suites;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Models.Tests.Layers;

public sealed class TensorFileTests
{
    /// <summary>Version 1, packed by Python's struct and a bitwise CRC-32C; must stay readable and be written back byte for byte.</summary>
    private const string Golden =
        "U1RURgEEAAAAAQAAAHcGAgAAAAIAAAAAAAAAAwAAAAAAAAAAAIA/AAAAwAAAAD8AAEBAAACAQAAAoEAFAAAAc3RlcHMEAAAAAACGO6EBAAAABA"
        + "AAAG1hc2sLAQAAAAIAAAAAAAAAAQAHAAAAbm90aGluZwYCAAAAAAAAAAAAAAAEAAAAAAAAAL04Wck=";

    [TorchFact]
    public void Version_1()
    {
        using var scope = NewDisposeScope();
        var bytes = Convert.FromBase64String(Golden);

        var all = TensorFile.Load(new MemoryStream(bytes));

        all.Select(t => t.Name).ShouldBe(["w", "steps", "mask", "nothing"]);
        all[0].Tensor.shape.ShouldBe([2, 3]);
        all[0].Tensor.data<float>().ToArray().ShouldBe([1, -2, 0.5f, 3, 4, 5]);
        all[1].Tensor.ndim.ShouldBe(0);
        all[1].Tensor.item<long>().ShouldBe(7_000_000_000);
        all[2].Tensor.data<bool>().ToArray().ShouldBe([true, false]);
        all[3].Tensor.shape.ShouldBe([0, 4]);
        Saved(all).ShouldBe(bytes);
    }

    [TorchFact]
    public void Views_and_gradients_are_stored_by_value()
    {
        using var scope = NewDisposeScope();
        var matrix = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3], requires_grad: true);

        var read = TensorFile.Load(new MemoryStream(Saved([("t", matrix.T), ("d", matrix.detach().to_type(ScalarType.Float64))])));

        read[0].Tensor.data<float>().ToArray().ShouldBe([1, 4, 2, 5, 3, 6]);
        read[0].Tensor.requires_grad.ShouldBeFalse();
        read[1].Tensor.data<double>().ToArray().ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [TorchFact]
    public void Every_cut_and_every_flipped_bit_is_noticed()
    {
        using var scope = NewDisposeScope();
        var bytes = Convert.FromBase64String(Golden);

        for (var length = 0; length < bytes.Length; length++)
            Should.Throw<InvalidDataException>(() => TensorFile.Load(new MemoryStream(bytes, 0, length)));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var torn = bytes.ToArray();
            torn[bit / 8] ^= (byte)(1 << (bit % 8));
            Should.Throw<InvalidDataException>(() => TensorFile.Load(new MemoryStream(torn)), $"bit {bit}");
        }
        scope.DisposablesCount.ShouldBe(0);
    }

    [TorchFact]
    public void What_cannot_be_stored_is_refused_before_anything_is_written()
    {
        using var scope = NewDisposeScope();
        var into = new MemoryStream();

        Should.Throw<ArgumentException>(() => TensorFile.Save(into, [("a", ones(1)), ("a", ones(1))])).Message.ShouldContain("twice");
        Should.Throw<ArgumentException>(() => TensorFile.Save(into, [("", ones(1))]));
        Should.Throw<ArgumentException>(() => TensorFile.Save(into, [("h", ones(1).to_type(ScalarType.Float16))])).Message.ShouldContain("'h'");
        into.Length.ShouldBe(0);
    }

    private static byte[] Saved(IReadOnlyList<(string, Tensor)> tensors)
    {
        var into = new MemoryStream();
        TensorFile.Save(into, tensors);
        return into.ToArray();
    }
}
