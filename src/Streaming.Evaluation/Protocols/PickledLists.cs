using System.Buffers.Binary;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Reads the one shape of pickle that the published samples have: a dictionary of whole numbers to lists of whole numbers. Only
/// the opcodes that such data needs are known (Python's pickletools names them); a pickle that could run code is refused.
/// </summary>
internal static class PickledLists
{
    private const byte Proto = 0x80, Frame = 0x95, EmptyDict = (byte)'}', EmptyList = (byte)']', Memoize = 0x94, Mark = (byte)'(',
        Int4 = (byte)'J', Int1 = (byte)'K', Int2 = (byte)'M', Append = (byte)'a', Appends = (byte)'e', SetItem = (byte)'s',
        SetItems = (byte)'u', Stop = (byte)'.';

    private static readonly object MarkObject = new();

    /// <exception cref="DataSetException">The file is cut or holds anything else.</exception>
    public static Dictionary<int, List<int>> Read(string file)
    {
        using var stream = LineReader.OpenStream(file);
        using var copy = new MemoryStream();
        try
        {
            stream.CopyTo(copy);
            return Parse(copy.GetBuffer().AsSpan(0, (int)copy.Length), file);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or ArgumentOutOfRangeException or IndexOutOfRangeException
            or InvalidOperationException or InvalidCastException)
        {
            throw new DataSetException(file, 0, "is not a whole pickle of a dictionary of lists of whole numbers: " + e.Message, e);
        }
    }

    private static Dictionary<int, List<int>> Parse(ReadOnlySpan<byte> bytes, string file)
    {
        var stack = new Stack<object>();
        for (var at = 0; ;)
        {
            var code = bytes[at++];
            switch (code)
            {
                case Proto: at++; break;
                case Frame: at += 8; break;
                case Memoize: break;
                case Mark: stack.Push(MarkObject); break;
                case EmptyDict: stack.Push(new Dictionary<int, List<int>>()); break;
                case EmptyList: stack.Push(new List<int>()); break;
                case Int1: stack.Push((int)bytes[at++]); break;
                case Int2:
                    stack.Push((int)BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]));
                    at += 2;
                    break;
                case Int4:
                    stack.Push(BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]));
                    at += 4;
                    break;
                case Append:
                    Extend(stack, [stack.Pop()]);
                    break;
                case Appends:
                    Extend(stack, ToMark(stack));
                    break;
                case SetItem:
                    var value = stack.Pop();
                    Put(stack, [stack.Pop(), value]);
                    break;
                case SetItems:
                    Put(stack, ToMark(stack));
                    break;
                case Stop: return (Dictionary<int, List<int>>)stack.Pop();
                default: throw new DataSetException(file, 0, $"byte {at - 1}: pickle opcode 0x{code:x2} is not of a dictionary of lists of whole numbers");
            }
        }
    }

    /// <summary>What stands above the last mark, in the order of its writing.</summary>
    private static List<object> ToMark(Stack<object> stack)
    {
        var values = new List<object>();
        for (var top = stack.Pop(); top != MarkObject; top = stack.Pop()) values.Add(top);
        values.Reverse();
        return values;
    }

    private static void Extend(Stack<object> stack, List<object> values)
    {
        var list = (List<int>)stack.Peek();
        foreach (var value in values) list.Add((int)value);
    }

    private static void Put(Stack<object> stack, List<object> values)
    {
        var dictionary = (Dictionary<int, List<int>>)stack.Peek();
        for (var i = 0; i < values.Count; i += 2) dictionary[(int)values[i]] = (List<int>)values[i + 1];
    }
}
