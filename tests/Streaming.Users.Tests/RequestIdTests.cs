using Streaming.Core.Feeds;

namespace Streaming.Users.Tests;

public sealed class RequestIdTests
{
    [Fact]
    public void Arm_version_and_nonce_come_back()
    {
        RequestId.Format("learned", 0x1a2b, 255).ShouldBe("learned.1a2b.ff");
        RequestId.TryParse("learned.1a2b.ff", out var arm, out var version, out var nonce).ShouldBeTrue();
        (arm.ToString(), version, nonce).ShouldBe(("learned", 0x1a2bL, 255UL));
        RequestId.TryParse(RequestId.Format("x", long.MaxValue, ulong.MaxValue), out _, out version, out nonce).ShouldBeTrue();
        (version, nonce).ShouldBe((long.MaxValue, ulong.MaxValue));
    }

    [Theory]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("a.b")]
    [InlineData(".1.1")]
    [InlineData("a..1")]
    [InlineData("a.1.")]
    [InlineData("a.1A.1")]
    [InlineData("a.01.1")]
    [InlineData("a.g.1")]
    [InlineData("a.1.1.1")]
    [InlineData("a.8000000000000000.1")]
    [InlineData("a.11111111111111111.1")]
    public void Other_ids_are_not_ours(string id) => RequestId.TryParse(id, out _, out _, out _).ShouldBeFalse();

    [Fact]
    public void An_arm_has_no_dot() => Should.Throw<ArgumentException>(() => RequestId.Format("a.b", 1, 1));
}
