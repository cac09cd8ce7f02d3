using Streaming.Core.Events;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;

namespace Streaming.Core.Tests.Experiments;

public sealed class ArmKeyTests
{
    [Fact]
    public void A_key_names_the_base_and_every_assignment()
    {
        var key = ArmKey.Format("din", [("rank", "new"), ("mmr", "wide"), ("q4", ArmKey.Held)]);
        key.ShouldBe("din~mmr:wide~q4:held~rank:new");
        ArmKey.PartsOf(key).ShouldBe([("default", "din"), ("mmr", "wide"), ("q4", "held"), ("rank", "new")]);
        ArmKey.BaseOf(key).ToString().ShouldBe("din");
        ArmKey.TryArmOf(key, "mmr", out var arm).ShouldBeTrue();
        arm.ToString().ShouldBe("wide");
        ArmKey.TryArmOf(key, "rank", out arm).ShouldBeTrue();
        arm.ToString().ShouldBe("new");
        ArmKey.TryArmOf(key, "default", out arm).ShouldBeTrue();
        arm.ToString().ShouldBe("din");
        ArmKey.TryArmOf(key, "ran", out _).ShouldBeFalse();
        ArmKey.TryArmOf("learned", "mmr", out _).ShouldBeFalse();
        ArmKey.PartsOf("learned").ShouldBe([("default", "learned")]);
    }

    [Theory]
    [InlineData("mmr-2_x", true)]
    [InlineData("a.b", false)]
    [InlineData("a~b", false)]
    [InlineData("a:b", false)]
    [InlineData("Upper", false)]
    [InlineData("", false)]
    [InlineData("a23456789012345678901234567890123", false)]
    public void Names_hold_no_separator(string name, bool sound) => ArmKey.IsName(name).ShouldBe(sound);

    /// <summary>The longest key there can be still fits a request id, and comes back from one.</summary>
    [Fact]
    public void The_longest_key_fits_a_request_id()
    {
        var longest = new string('x', ArmKey.NameCharsMax);
        var parts = ExperimentDefinitions.LayersPerDomainMax + ExperimentDefinitions.HoldoutsMax;
        var key = ArmKey.Format(longest, Enumerable.Repeat((longest, longest), parts));
        var id = RequestId.Format(key, long.MaxValue, ulong.MaxValue);
        id.Length.ShouldBeLessThanOrEqualTo(EventLimits.IdCharsMax);
        RequestId.TryParse(id, out var arm, out _, out _).ShouldBeTrue();
        arm.ToString().ShouldBe(key);
    }
}
