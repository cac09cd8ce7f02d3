using Shouldly;

namespace Streaming.Host.Tests;

/// <summary>Which memory is the heap, told from what the kernel lists.</summary>
public sealed class HugePagesTests
{
    private static readonly string[] Maps =
    [
        "555500000000-555500010000 r-xp 00000000 fe:00 123 /usr/bin/dotnet",
        "7e0000000000-7e0000100000 rw-p 00000000 00:00 0 ",
        "7e4000000000-7e4000400000 rw-p 00000000 00:00 0 ",
        "7e4000400000-7e7000000000 ---p 00000000 00:00 0 ",
        "7e7000000000-7e7000001000 rw-s 00000000 00:01 7 /memfd:doublemapper (deleted)",
    ];

    [Fact]
    public void The_heap_is_what_lies_around_an_object_of_it()
    {
        HugePages.Heap(Maps, 0x7e4000000010).ShouldBe([(0x7e4000000000, 0x7e4000400000), (0x7e4000400000, 0x7e7000000000)]);
        HugePages.Heap(Maps, 0x7e4000400000UL).Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(0x7e0000000010UL)] // a mapping of its own, too small for a heap
    [InlineData(0x7e7000000010UL)] // a file's
    [InlineData(0x100UL)]
    public void Nothing_else_is_taken_for_it(ulong address) => HugePages.Heap(Maps, address).ShouldBeEmpty();

    [Fact]
    public void The_kernel_takes_the_advice_for_the_heap_of_this_process()
    {
        var asked = HugePages.Ask();
        if (!OperatingSystem.IsLinux()) asked.ShouldBe(0);
        else if (File.Exists("/sys/kernel/mm/transparent_hugepage/enabled")) asked.ShouldBeGreaterThan(1L << 32);
    }
}
