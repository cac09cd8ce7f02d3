using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Streaming.Evaluation.DataSets;
using Streaming.Suites;

namespace Streaming.Evaluation.Tests.DataSets;

/// <summary>Sets by name, where they lie, and files by hash.</summary>
public sealed class KnownSetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-roots-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public void The_table_is_whole()
    {
        KnownSets.All.Select(s => s.Name).Distinct().Count().ShouldBe(KnownSets.All.Count);
        foreach (var set in KnownSets.All)
        {
            Uri.TryCreate(set.Url, UriKind.Absolute, out _).ShouldBeTrue(set.Name);
            set.Terms.ShouldEndWith(".");
            set.Places.ShouldNotBeEmpty();
            set.Files.ShouldAllBe(f => f.Sha256.Length == 64 && f.Sha256.All(char.IsAsciiHexDigitLower));
        }
        var hashes = KnownSets.All.SelectMany(s => s.Files).Select(f => f.Sha256).ToList();
        hashes.Distinct().Count().ShouldBe(hashes.Count);
        KnownSets.Find("ML-1M")!.Name.ShouldBe("ml-1m");
    }

    [Fact]
    public void A_path_that_is_there_wins_and_is_named_by_its_file()
    {
        var roots = new DataRoots(_folder);
        var log = Write("mine/log.2024.csv.gz", "");
        roots.Locate(log).ShouldBe(new DataPlace("log", log));
        roots.Locate(Path.GetDirectoryName(log)! + "/").Name.ShouldBe("mine");
        var events = Write("ranklens/events.jsonl", "");
        roots.Locate(events).ShouldBe(new DataPlace("ranklens", events), "the place of a known set has its name");
    }

    [Fact]
    public void A_short_name_is_looked_for_under_the_roots_in_order()
    {
        Write("a/movielens/ml-1m/users.dat", "");
        Write("b/ml-1m/users.dat", "");
        Write("b/open-bandit/bts/men.csv", "");
        var roots = new DataRoots(Path.Combine(_folder, "a"), Path.Combine(_folder, "b"));
        roots.Locate("ml-1m").ShouldBe(new DataPlace("ml-1m", Path.Combine(_folder, "a/movielens/ml-1m")));
        roots.Locate("open-bandit/bts").ShouldBe(new DataPlace("open-bandit/bts", Path.Combine(_folder, "b/open-bandit/bts")));
        Should.Throw<DataSetException>(() => roots.Locate("open-bandit/random")).Message.ShouldContain("there is no 'random' in");
    }

    [Fact]
    public void An_absent_set_says_where_to_get_it()
    {
        var roots = new DataRoots(_folder);
        var message = Should.Throw<DataSetException>(() => roots.Locate("ml-100k")).Message;
        message.ShouldContain("https://files.grouplens.org/datasets/movielens/ml-100k.zip");
        message.ShouldContain(Path.Combine(_folder, "ml-100k"));
        message.ShouldContain("no redistribution");
        Should.Throw<DataSetException>(() => roots.Locate("/nowhere/ml-100k/")).Message.ShouldContain("grouplens.org");
        Should.Throw<DataSetException>(() => roots.Locate("ml-10k")).Message.ShouldContain("did you mean the set 'ml-100k'?");
        Should.Throw<DataSetException>(() => roots.Locate("/nowhere/at/all.csv")).Message.ShouldNotContain("did you mean");
        Should.Throw<DataSetException>(() => DataRoots.Default(Path.Combine(_folder, "none"))).Message.ShouldContain("the data root is not there");
    }

    [Fact]
    public void A_hash_is_that_of_the_content_unpacked()
    {
        var plain = Write("notes.txt", "abc");
        const string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        DataCheck.Run(plain, null, default).Single().ShouldBe(new CheckedFile(plain, abc, null, null));
        var zipped = Path.Combine(_folder, "notes.txt.gz");
        using (var zip = new GZipStream(File.Create(zipped), CompressionLevel.Fastest)) zip.Write("abc"u8);
        DataCheck.Run(zipped, null, default).Single().Sha256.ShouldBe(abc);
        var tar = Path.Combine(_folder, "notes.tar");
        using (var writer = new TarWriter(File.Create(tar)))
        {
            writer.WriteEntry(Write("2", "c"), "2");
            writer.WriteEntry(Write("1", "ab"), "1");
        }
        DataCheck.Run(tar, null, default).Single().Sha256.ShouldBe(abc, "members count in name order");
        using (var file = File.OpenWrite(zipped)) file.SetLength(file.Length - 6);
        Should.Throw<DataSetException>(() => DataCheck.Run(zipped, null, default)).Message.ShouldContain("notes.txt.gz");
        Should.Throw<DataSetException>(() => DataCheck.Run(Path.Combine(_folder, "none"), null, default));
    }

    [Fact]
    public void A_file_with_a_known_name_and_another_content_is_told()
    {
        Write("ml-100k/u.data", "1\t2\t3\t4\n");
        Write("ml-100k/mine.txt", "");
        var file = DataCheck.Run(Path.Combine(_folder, "ml-100k"), null, default).ShouldHaveSingleItem("files without a known name are passed over");
        file.IsOther.ShouldBeTrue();
        file.Set!.Name.ShouldBe("ml-100k");
        file.Sha256.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("1\t2\t3\t4\n"))));
    }

    [DataFact("movielens/ml-100k")]
    public void The_shared_sets_are_what_the_table_says()
    {
        var told = 0.0;
        foreach (var (place, set, count) in ((string, string, int)[])[("movielens/ml-100k", "ml-100k", 6), ("ranklens", "ranklens", 1), ("open-bandit", "open-bandit", 8)])
        {
            if (SharedData.Find(place) is not { } path) continue;
            var files = DataCheck.Run(path, share => told = share, default);
            files.Count.ShouldBe(count);
            files.ShouldAllBe(f => f.Set!.Name == set && f.File != null);
            told.ShouldBe(1);
        }
    }
}
