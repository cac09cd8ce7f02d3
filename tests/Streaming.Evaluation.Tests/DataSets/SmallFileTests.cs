using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Streaming.Core.Events;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Replay;
using Sets = Streaming.Evaluation.DataSets.DataSets;

namespace Streaming.Evaluation.Tests.DataSets;

/// <summary>Readers on made-up files: recognition, and what is said when something is wrong.</summary>
public sealed class SmallFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-sets-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string text, bool zip = false)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using Stream file = zip ? new GZipStream(File.Create(path), CompressionLevel.Fastest) : File.Create(path);
        file.Write(Encoding.UTF8.GetBytes(text));
        return path;
    }

    private static DataSetException Fails(Func<IDataSet> open) => Should.Throw<DataSetException>(() => open().Events(0).Count());

    private static DataSetOptions Columns(string text) => new() { Columns = DataSetOptions.ParseColumns(text) };

    [Fact]
    public void Nothing_there_or_nothing_known_says_so_and_lists_what_is_supported()
    {
        Fails(() => Sets.Open(Path.Combine(_folder, "nowhere"))).Message.ShouldContain("there is no such file or folder");
        Write("notes.bin", "\0\u0001");
        var e = Fails(() => Sets.Open(_folder));
        e.Message.ShouldContain("notes.bin");
        e.Message.ShouldContain("MovieLens");
        Fails(() => Sets.Open(Write("t.csv", "a,b\n1,2\n"))).Message.ShouldContain("user=#1,item=#2,time=#3");
    }

    [Fact]
    public void A_bad_row_is_named_by_file_and_line()
    {
        Write("u.data", "1\t2\t3\t874724710\n1\t2\tx\t874724711\n");
        var e = Fails(() => Sets.Open(_folder));
        e.File.ShouldEndWith("u.data");
        e.Line.ShouldBe(2);
        e.Message.ShouldContain("u.data:2: rating is 'x', expected a whole number");
        Write("u.data", "1\t2\t3\n");
        Fails(() => Sets.Open(_folder)).Message.ShouldContain("expected 4 fields separated by");
    }

    [Fact]
    public void A_torn_gzip_is_an_error_of_the_data_set_and_not_a_crash()
    {
        var path = Write("UserBehavior.csv", string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i},{i * 7919},3,pv,{1511544070 + i * 31}\n")), zip: true);
        Sets.Open(path).Events(0).Count().ShouldBe(5000, "the name does not matter, the content does");
        using (var file = File.OpenWrite(path)) file.SetLength(file.Length / 2);
        var e = Should.Throw<DataSetException>(() => new TaobaoBehavior(path).Events(0).Count());
        e.Line.ShouldBeGreaterThan(1);
        using (var file = File.OpenWrite(path))
        {
            file.Position = 20;
            file.Write(new byte[200]);
        }
        Should.Throw<DataSetException>(() => new TaobaoBehavior(path).Events(0).Count());
    }

    [Fact]
    public void Taobao_rows_are_sorted_by_time_with_ties_in_file_order()
    {
        var set = Sets.Open(Write("b.csv", "1,10,5,pv,1511544072\n1,11,5,buy,1511544070\n2,12,5,fav,1511544070\n2,13,5,ca"));
        set.Events(0).Select(e => (e.EventId, e.Kind)).ShouldBe(
            [("taobao-behavior:2", EventKind.Purchase), ("taobao-behavior:3", EventKind.Like), ("taobao-behavior:1", EventKind.Click)]);
        set.SkippedRows.ShouldBe(1);
    }

    [Fact]
    public void The_original_ratings_file_of_MovieLens_1M_brings_its_own_times()
    {
        Write("ratings.dat", "1::1193::5::978300760\n2::661::3::978302109\n1::914::3::978300760\n");
        var set = Sets.Open(_folder);
        set.TimeNote.ShouldBeNull();
        set.Events(3).Select(e => (e.User, e.Item, e.Value, e.TimeMs)).ShouldBe(
            [("1", "1193", 5, 978300760000), ("1", "914", 3, 978300760000), ("2", "661", 3, 978302109000)]);
    }

    [Fact]
    public void Csv_columns_are_declared_by_name_or_number()
    {
        var file = Write("log.csv", "who,what,when,clicked,note\na,\"x, y\",2024-01-02T03:04:05Z,1,\na,z,2024-01-02T03:04:06Z,0,\"say \"\"hi\"\"\"\n");
        var events = Sets.Open(file, Columns("user=who,item=what,time=when,label=clicked")).Events(0).ToList();
        events.Select(e => (e.Kind, e.Item, e.TimeMs, e.EventId)).ShouldBe(
        [
            (EventKind.Impression, "x, y", 1_704_164_645_000, "log:1"), (EventKind.Click, "x, y", 1_704_164_645_000, "log:1:click"),
            (EventKind.Impression, "z", 1_704_164_646_000, "log:2"),
        ]);
        var rated = Sets.Open(Write("r.tsv", "u\ti\t1511544070\t4.5\n"), Columns("user=#1,item=#2,time=#3,value=#4")).Events(0).Single();
        (rated.Kind, rated.Value, rated.TimeMs).ShouldBe((EventKind.Rating, 4.5, 1_511_544_070_000));
        var kinds = Write("t.csv", "u,i,1511544070123,add_to_cart\nu,i,1511544070123456,wave\n");
        var typed = Sets.Open(kinds, Columns("user=#1,item=#2,time=#3,type=#4")).Events(0).ToList();
        typed.Select(e => (e.Kind, e.Type, e.TimeMs)).ShouldBe(
            [(EventKind.AddToCart, "add_to_cart", 1_511_544_070_123), (EventKind.Custom, "wave", 1_511_544_070_123)]);
    }

    [Fact]
    public void Csv_mistakes_are_named()
    {
        var file = Write("log.csv", "who,what,when\na,b,tomorrow\n\"a,b,c\n");
        Fails(() => Sets.Open(file, Columns("user=who,item=what"))).Message.ShouldContain("needs a column for 'time'");
        Fails(() => Sets.Open(file, Columns("user=who,item=what,time=then"))).Message.ShouldContain("has no column 'then'; it has who, what, when");
        Fails(() => Sets.Open(file, Columns("user=who,item=what,time=when,mood=x"))).Message.ShouldContain("'mood' is no role");
        Fails(() => Sets.Open(file, Columns("user=who,item=what,time=when"))).Message.ShouldContain(":2: time is 'tomorrow'");
        File.WriteAllText(file, "who,what,when\n\"a,b,c\n");
        Fails(() => Sets.Open(file, Columns("user=who,item=what,time=when"))).Message.ShouldContain("a quoted field does not end");
        Should.Throw<FormatException>(() => DataSetOptions.ParseColumns("user"));
    }

    [Fact]
    public void A_csv_value_that_is_no_number_of_its_kind_is_named_with_its_line()
    {
        var columns = Columns("user=u,item=i,time=t,value=v,position=p");
        foreach (var (row, reason) in ((string, string)[])
                 [
                     ("a,b,NaN,1,0", "time is 'NaN', expected a number or an ISO 8601 date and time"), ("a,b,Infinity,1,0", "time is 'Infinity'"),
                     ("a,b,,1,0", "the time is empty"), ("a,b,1511544070,NaN,0", "value is 'NaN', expected a number"),
                     ("a,b,1511544070,1,1.5", "position is '1.5', expected a whole number"), (",b,1511544070,1,0", "the user is empty"),
                     ("a,b,1511544070", "has 3 fields, 'value' is field 4"),
                 ])
            Fails(() => Sets.Open(Write("v.csv", $"u,i,t,v,p\na,b,1511544070,1,0\n{row}\n"), columns)).Message.ShouldContain($"v.csv:3: {reason}");
    }

    [Fact]
    public void Json_lines_of_any_form_are_declared_by_member()
    {
        const string lines = """
            {"who":{"id":7},"what":"x","at":"2024-01-02T03:04:05Z","shown":true,"clicked":true,"extra":[1,2]}

            {"who":{"id":8},"what":"y","at":1704164646.5,"clicked":false}

            """;
        var columns = Columns("user=who.id,item=what,time=at,label=clicked");
        foreach (var zip in (bool[])[false, true])
        {
            var set = Sets.Open(Write(zip ? "odd.jsonl.gz" : "odd.jsonl", lines, zip), columns).ShouldBeOfType<JsonEvents>();
            double.IsNaN(set.ReadShare).ShouldBeTrue();
            set.Events(0).Select(e => (e.Kind, e.User, e.Item, e.TimeMs, e.EventId)).ShouldBe(
            [
                (EventKind.Impression, "7", "x", 1_704_164_645_000, "odd:1"), (EventKind.Click, "7", "x", 1_704_164_645_000, "odd:1:click"),
                (EventKind.Impression, "8", "y", 1_704_164_646_500, "odd:3"),
            ]);
            (set.RowCount, set.SkippedRows, set.ReadShare).ShouldBe((3, 1, 1));
        }
        foreach (var (line, reason) in ((string, string)[])
                 [
                     ("{", "the line is not valid JSON"), ("{} {}", "the line is not valid JSON"), ("[]", "expected an object, found Array"),
                     ("{\"what\":\"x\"}", "the user is empty"), ("{\"who\":{\"id\":[]}}", "who.id is Array, expected"),
                     ("{\"who\":{\"id\":1},\"at\":\"soon\"}", "time is 'soon'"),
                 ])
            Fails(() => Sets.Open(Write("bad.jsonl", lines + line + "\n"), columns)).Message.ShouldContain($"bad.jsonl:4: {reason}");
    }

    [Fact]
    public void A_file_beside_the_data_declares_its_columns()
    {
        var file = Write("log.csv", "who,what,when\na,b,1511544070\n");
        Write("log.csv.columns", "user=who, item=what\ntime=when\n");
        Sets.Open(file).Events(0).Single().User.ShouldBe("a");
        Sets.Open(_folder).Events(0).Single().Item.ShouldBe("b", "also where the folder stands for its only file");
        Sets.Open(file, Columns("user=what,item=who,time=when")).Events(0).Single().User.ShouldBe("b", "the caller knows better");
        Write("log.csv.columns", "user");
        Fails(() => Sets.Open(file)).Message.ShouldContain("log.csv.columns: 'user' is not role=column");
    }

    [Fact]
    public void Event_lines_reach_a_replay_as_they_are_malformed_ones_included()
    {
        string[] lines = ["""{"type":"click","user":"u","item":"i","time":1700000000000}""", "{broken", "\u00ff not json"];
        foreach (var zip in (bool[])[false, true])
        {
            var file = Write(zip ? "e.jsonl.gz" : "e.jsonl", string.Join("\r\n", lines) + "\n\n", zip);
            var set = Sets.Open(file).ShouldBeOfType<JsonLines>();
            var records = new ReplaySource(set, 0).Records().ToList();
            records.Select(r => Encoding.UTF8.GetString(r.Json.Span)).ShouldBe(lines);
            records.ShouldAllBe(r => r.Key.IsEmpty);
            new ReplaySource(set, 0).Records(from: 2).Single().Index.ShouldBe(2);
            set.RowCount.ShouldBe(3);
            var e = Should.Throw<DataSetException>(() => set.Events(0).Count());
            e.Line.ShouldBe(2);
        }
    }

    [Fact]
    public void Event_lines_may_bring_a_catalogue()
    {
        var items = Write("items.jsonl", """{"id":"i","tags":["a","b"],"time":1700000000000}""" + "\n");
        var set = Sets.Open(Write("e.jsonl", ""), new DataSetOptions { ItemsFile = items });
        set.Items().Single().Item!.Tags.ShouldBe(["a", "b"]);
        set.Files.Count.ShouldBe(2);
        File.AppendAllText(items, "{}\n");
        Should.Throw<DataSetException>(() => set.Items().Count()).Line.ShouldBe(2);
    }

    private const string GloboHeader =
        "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,"
        + "click_environment,click_deviceGroup,click_os,click_country,click_region,click_referrer_type\n";

    [Fact]
    public void Globo_reads_hours_in_name_order_from_an_archive_or_a_folder()
    {
        var second = Write("h/clicks_hour_001.csv", GloboHeader + "9,3,1,1,50,1506830000000,4,3,20,1,20,2\n");
        var first = Write("h/clicks_hour_000.csv", GloboHeader + "8,1,1,2,51,1506826858020,4,3,20,1,20,2\n8,2,1,2,52,1506826828020,4,1,17,1,9,2\n");
        var tar = Path.Combine(_folder, "clicks.tar");
        using (var writer = new TarWriter(File.Create(tar)))
        {
            // The order of a real archive: any.
            writer.WriteEntry(second, "clicks/clicks_hour_001.csv");
            writer.WriteEntry(first, "clicks/clicks_hour_000.csv");
        }
        foreach (var path in (string[])[tar, Path.Combine(_folder, "h")])
        {
            var set = Sets.Open(path).ShouldBeOfType<Globo>();
            set.Events(0).Select(e => e.Item).ShouldBe(["52", "51", "50"]);
        }
        Directory.EnumerateFiles(_folder, "*.unpacked").ShouldBeEmpty();
        File.WriteAllText(first, GloboHeader + "8,1,1\n");
        Fails(() => Sets.Open(Path.Combine(_folder, "h"))).Message.ShouldContain("clicks_hour_000.csv:2: expected 12 fields");
        using (var file = File.OpenWrite(tar)) file.SetLength(700);
        Fails(() => new Globo(tar, _folder)).Message.ShouldContain("clicks.tar");
        Directory.EnumerateFiles(_folder, "*.unpacked").ShouldBeEmpty("the copy goes with the reader, also after an error");
    }

    [Fact]
    public void A_broken_zstd_archive_fails_with_a_reason()
    {
        var path = Path.Combine(_folder, "clicks.tar.zst");
        File.WriteAllBytes(path, [0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3, 4, 5, 6, 7, 8]);
        // With zstd: its own complaint; without: what to install.
        Fails(() => new Globo(path, _folder)).Message.ShouldContain("zstd");
    }
}
