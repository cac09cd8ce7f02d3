using System.Text.Json.Nodes;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Node.Sharing;

namespace Streaming.Node.Tests;

/// <summary>A node goes on from the newest checkpoint that is whole, and from nothing else.</summary>
public sealed class CheckpointTests : IDisposable
{
    private static readonly List<ReplayRecord> Source = SyntheticSource.Create(seed: 9, events: 600, users: 80);
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Newest => Directory.GetDirectories(_folder.Sub("checkpoints")).Order(StringComparer.Ordinal).Last();

    private async Task<Outcome> ReplayedAsync() => await NodeRig.ReplayAsync(_folder.Path, Source);

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 0x10;
        File.WriteAllBytes(path, bytes);
    }

    private void Damage(string how, string folder)
    {
        var part = Directory.GetFiles(folder, "*.bin").Order(StringComparer.Ordinal).First();
        var manifest = Path.Combine(folder, "manifest.json");
        switch (how)
        {
            case "torn part": File.WriteAllBytes(part, File.ReadAllBytes(part)[..10]); break;
            case "changed part": Flip(part); break;
            case "missing part": File.Delete(part); break;
            case "torn manifest": File.WriteAllText(manifest, File.ReadAllText(manifest)[..50]); break;
            case "missing manifest": File.Delete(manifest); break;
            case "changed manifest":
                var json = JsonNode.Parse(File.ReadAllText(manifest))!;
                json["Events"]![0] = json["Events"]![0]!.GetValue<long>() + 8;
                File.WriteAllText(manifest, json.ToJsonString());
                break;
            case "missing store":
                var token = JsonNode.Parse(File.ReadAllText(manifest))!["FeedsToken"]!.GetValue<string>();
                foreach (var file in Directory.GetFiles(_folder.Sub("feeds/checkpoints"), $"*{token}*")) File.Delete(file);
                break;
            default: throw new ArgumentException(how);
        }
    }

    [Theory]
    [InlineData("torn part")]
    [InlineData("changed part")]
    [InlineData("missing part")]
    [InlineData("torn manifest")]
    [InlineData("missing manifest")]
    [InlineData("changed manifest")]
    [InlineData("missing store")]
    public async Task A_damaged_one_is_passed_over_for_the_one_before(string how)
    {
        var straight = await ReplayedAsync();
        var newest = long.Parse(Path.GetFileName(Newest));
        Damage(how, Newest);
        await using var rig = await NodeRig.OpenAsync(_folder.Path);
        rig.Node.Restored!.Id.ShouldBe(newest - 1);
        if (how != "missing manifest") rig.Notices.ShouldContain(n => n.Level == NoticeLevel.Warning && n.Message.Contains($"checkpoint {newest}"));
        var runner = new ReplayRunner(rig.Node, 32);
        await runner.RunAsync(Source, "source", null, 1, CancellationToken.None);
        (await rig.OutcomeAsync(runner)).ShouldBe(straight);
        // The damaged one is gone and does not count as kept.
        Directory.GetDirectories(rig.CheckpointDir).Length.ShouldBe(NodeRig.Settings.Node.CheckpointsKept);
    }

    [Theory]
    [InlineData("changed part")]
    [InlineData("torn manifest")]
    [InlineData("changed manifest")]
    public async Task With_none_whole_the_node_refuses_to_start_and_leaves_everything_as_it_is(string how)
    {
        await ReplayedAsync();
        foreach (var folder in Directory.GetDirectories(_folder.Sub("checkpoints"))) Damage(how, folder);
        var before = Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories).Length;
        var problem = await Should.ThrowAsync<InvalidDataException>(() => NodeRig.OpenAsync(_folder.Path));
        problem.Message.ShouldContain("restore a backup, or remove the folder");
        Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories).Length.ShouldBeGreaterThanOrEqualTo(before);
    }

    [Fact]
    public async Task No_more_than_the_kept_ones_stay_and_the_stores_keep_only_theirs()
    {
        await ReplayedAsync();
        Directory.GetDirectories(_folder.Sub("checkpoints")).Length.ShouldBe(NodeRig.Settings.Node.CheckpointsKept);
        foreach (var store in (string[])["users", "feeds"])
            Directory.GetFiles(_folder.Sub($"{store}/checkpoints")).Length.ShouldBe(NodeRig.Settings.Node.CheckpointsKept);
    }

    [Fact]
    public async Task Another_number_of_partitions_is_refused()
    {
        await ReplayedAsync();
        Directory.Delete(_folder.Sub("log"), recursive: true);
        var other = NodeRig.Settings with { Log = NodeRig.Settings.Log with { Partitions = 3 } };
        (await Should.ThrowAsync<InvalidDataException>(() => NodeRig.OpenAsync(_folder.Path, other))).Message.ShouldContain("Log:Partitions cannot change");
    }

    [Fact]
    public async Task A_log_that_ends_before_the_checkpoint_is_refused()
    {
        await ReplayedAsync();
        Directory.Delete(_folder.Sub("log"), recursive: true);
        (await Should.ThrowAsync<InvalidDataException>(() => NodeRig.OpenAsync(_folder.Path))).Message.ShouldContain("part of it is gone");
    }

    [Fact]
    public async Task Other_learning_settings_are_refused()
    {
        await ReplayedAsync();
        var other = NodeRig.Settings with { Learning = NodeRig.Settings.Learning with { FtrlBits = 14 } };
        await Should.ThrowAsync<InvalidDataException>(() => NodeRig.OpenAsync(_folder.Path, other));
    }

    [Fact]
    public void A_manifest_is_written_as_it_always_was()
    {
        var checkpoints = new Checkpoints(_folder.Sub("golden"), kept: 2, _ => { });
        checkpoints.Write(new CheckpointManifest
        {
            Id = 7, CreatedMs = 1_700_000_000_000, UsersToken = "0000000003", FeedsToken = "0000000004", Events = [64, 128], Items = [64, 64],
            Replay = new ReplayProgress("source", 10), Parts = [],
        }, []);
        var path = Path.Combine(_folder.Sub("golden"), "000000000007", "manifest.json");
        JsonNode.Parse(File.ReadAllText(path))!.ToJsonString().ShouldBe(
            """{"Version":1,"Id":7,"CreatedMs":1700000000000,"UsersToken":"0000000003","FeedsToken":"0000000004","Events":[64,128],"Items":[64,64],"Replay":{"Fingerprint":"source","Records":10,"IsFinished":false},"Parts":[],"Check":"c1508d1d5f09258e540825f16a2c023d61eebd47a513f0a048ce758543e2d34d"}""");
        checkpoints.List().ShouldHaveSingleItem().Events.ShouldBe([64L, 128L]);
        // That of a node that shares the users has one thing more.
        var shared = checkpoints.List()[0] with { Id = 8, Shared = new SharedPositions([1, 2], [3, 4], [5, 6]) };
        checkpoints.Write(shared, []);
        JsonNode.Parse(File.ReadAllText(path.Replace("000000000007", "000000000008")))!["Shared"]!.ToJsonString().ShouldBe("""{"Changelog":[1,2],"Examples":[3,4],"Feeds":[5,6]}""");
        checkpoints.List()[0].Shared!.Examples.ShouldBe([3L, 4L]);
    }

    /// <summary>The process ends when a part of the oldest one is gone: what is left of it must not pass for a checkpoint that happens to be damaged.</summary>
    [Fact]
    public void A_removal_that_is_cut_short_leaves_nothing_that_passes_for_a_checkpoint()
    {
        var disk = new FailingDeletions();
        var checkpoints = new Checkpoints(_folder.Sub("cut"), kept: 2, _ => { }, disk);
        for (var id = 1; id <= 3; id++) checkpoints.Write(Draft(id), [new Part("one"), new Part("two")]);
        Should.Throw<IOException>(() => checkpoints.Prune());
        disk.Cut.ShouldBe(1);
        var left = checkpoints.List();
        left.Select(m => m.Id).ShouldBe([3L, 2L]);
        foreach (var manifest in left) checkpoints.Verify(manifest);
        disk.Heals = true;
        checkpoints.Prune();
        Directory.GetDirectories(_folder.Sub("cut")).Length.ShouldBe(2);
    }

    private static CheckpointManifest Draft(long id) =>
        new() { Id = id, CreatedMs = id, UsersToken = $"{id}", FeedsToken = $"{id}", Events = [id], Items = [id], Parts = [] };

    private sealed class Part(string name) : ICheckpointed
    {
        public string Name => name;

        public void Save(Stream into) => into.WriteByte(1);

        public void Load(Stream from)
        {
        }
    }

    /// <summary>Deletes one file of a folder and fails, as a process does that ends there.</summary>
    private sealed class FailingDeletions : IFiles
    {
        private static readonly IFiles Disk = DiskFiles.Instance;

        public bool Heals { get; set; }

        public int Cut { get; private set; }

        public void CreateFolder(string path) => Disk.CreateFolder(path);

        public IReadOnlyList<string> FoldersIn(string path) => Disk.FoldersIn(path);

        public void Write(string path, Action<Stream> write) => Disk.Write(path, write);

        public Stream? Open(string path) => Disk.Open(path);

        public void Move(string from, string to) => Disk.Move(from, to);

        public void DeleteFolder(string path)
        {
            if (!Heals)
            {
                Cut++;
                File.Delete(Directory.GetFiles(path, "*.bin").Order(StringComparer.Ordinal).First());
                throw new IOException("the process ends here");
            }
            Disk.DeleteFolder(path);
        }
    }
}
