using System.Text;
using System.Text.Json;
using Streaming.Core.Ports;

namespace Streaming.Node.Tests;

/// <summary>However the newest checkpoint is damaged, it is either exactly what was written or passed over for the one before.</summary>
public sealed class DamagedCheckpointTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_cut_and_every_turned_bit_of_a_manifest_is_noticed()
    {
        var warnings = 0;
        var checkpoints = new Checkpoints(_folder.Path, kept: 2, notice => warnings += notice.Level == NoticeLevel.Warning ? 1 : 0);
        for (var id = 1; id <= 2; id++)
            checkpoints.Write(new CheckpointManifest
            {
                Id = id, CreatedMs = 1_700_000_000_000 + id, UsersToken = $"{id:d10}-ab", FeedsToken = $"{id:d10}-cd", Events = [64 * id, 128], Items = [64, 64],
                Replay = new ReplayProgress("source", 10), Parts = [],
            }, [new Part("trainer"), new Part("ftrl")]);
        var newest = Text(checkpoints.List()[0]);
        var path = Path.Combine(_folder.Path, "000000000002", "manifest.json");
        var whole = File.ReadAllBytes(path);
        var (passed, same) = (0, 0);
        for (var cut = 0; cut < whole.Length; cut++) Try(whole[..cut], mayBeSame: false);
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            var turned = (byte[])whole.Clone();
            turned[bit / 8] ^= (byte)(1 << (bit % 8));
            Try(turned, mayBeSame: true);
        }
        passed.ShouldBe(warnings);
        passed.ShouldBeGreaterThan(whole.Length * 8);
        // A turned bit in the name of a member with a default leaves what it says unchanged; anything else would be a hole.
        same.ShouldBeLessThan(whole.Length / 2);

        void Try(byte[] bytes, bool mayBeSame)
        {
            File.WriteAllBytes(path, bytes);
            var first = checkpoints.List()[0];
            if (first.Id == 1) passed++;
            else if (mayBeSame && Text(first) == newest) same++;
            else throw new InvalidDataException($"accepted: {Encoding.UTF8.GetString(bytes)}");
        }
    }

    [Fact]
    public void Every_cut_and_every_turned_bit_of_a_part_is_noticed()
    {
        var checkpoints = new Checkpoints(_folder.Path, kept: 2, _ => { });
        checkpoints.Write(new CheckpointManifest { Id = 1, CreatedMs = 1, UsersToken = "1", FeedsToken = "1", Events = [0], Items = [0], Parts = [] }, [new Part("ftrl")]);
        var manifest = checkpoints.List()[0];
        checkpoints.Verify(manifest);
        var path = Path.Combine(_folder.Path, "000000000001", "ftrl.bin");
        var whole = File.ReadAllBytes(path);
        for (var cut = 0; cut < whole.Length; cut++) ShouldBeNoticed(whole[..cut]);
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            var turned = (byte[])whole.Clone();
            turned[bit / 8] ^= (byte)(1 << (bit % 8));
            ShouldBeNoticed(turned);
        }

        void ShouldBeNoticed(byte[] bytes)
        {
            File.WriteAllBytes(path, bytes);
            Should.Throw<InvalidDataException>(() => checkpoints.Verify(manifest)).Message.ShouldContain("'ftrl'");
        }
    }

    /// <summary>Files of the learners, and those that the stores wrote for the newest checkpoint alone; one damage of each sort.</summary>
    [Fact]
    public async Task A_node_goes_on_from_the_one_before_whichever_file_of_the_newest_is_damaged()
    {
        var origin = _folder.Sub("origin");
        await NodeRig.ReplayAsync(origin, SyntheticSource.Create(seed: 9, events: 600, users: 80));
        var newest = Directory.GetDirectories(Path.Combine(origin, "checkpoints")).Order(StringComparer.Ordinal).Last();
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(newest, "manifest.json")));
        List<string> files = [.. Directory.GetFiles(newest)];
        foreach (var (store, token) in (IEnumerable<(string, string)>)[("users", "UsersToken"), ("feeds", "FeedsToken")])
            files.AddRange(Directory.GetFiles(Path.Combine(origin, store, "checkpoints"), $"*{manifest.RootElement.GetProperty(token).GetString()}*"));
        files.Count.ShouldBeGreaterThan(8);
        var random = new Random(7);
        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            var copy = _folder.Sub("copy");
            TempFolder.Copy(origin, copy);
            var path = Path.Combine(copy, Path.GetRelativePath(origin, file));
            var bytes = File.ReadAllBytes(path);
            if (random.Next(2) == 0) bytes = bytes[..random.Next(bytes.Length)];
            else bytes[random.Next(bytes.Length)] ^= 0x11;
            File.WriteAllBytes(path, bytes);
            await using (var rig = await NodeRig.OpenAsync(copy))
            {
                rig.Node.Restored!.Id.ShouldBe(manifest.RootElement.GetProperty("Id").GetInt64() - 1, file);
                rig.Notices.ShouldContain(n => n.Level == NoticeLevel.Warning && n.Message.Contains("checkpoint"), file);
            }
            Directory.Delete(copy, recursive: true);
        }
    }

    private static string Text(CheckpointManifest manifest) => JsonSerializer.Serialize(manifest);

    private sealed class Part(string name) : ICheckpointed
    {
        public string Name => name;

        public void Save(Stream into) => into.Write("what a learner knows"u8);

        public void Load(Stream from) => throw new NotSupportedException();
    }
}
