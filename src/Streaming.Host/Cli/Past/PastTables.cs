using System.Globalization;
using Spectre.Console;

namespace Streaming.Host.Cli.Past;

/// <summary>The past for people.</summary>
internal static class PastTables
{
    private const int ActionsShown = 10;

    public static string Time(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    public static void Print(PastAnswer answer)
    {
        var console = Tables.Terminal();
        console.WriteLine($"{answer.User}, from {answer.EventsPlayed:N0} events of all users since {Time(answer.LogFromMs)}");
        foreach (var moment in answer.Moments) Print(console, answer.User, moment);
        if (answer.Versus is { } versus) Print(console, versus);
        if (answer.State is { } state) Print(console, state);
        if (answer.Lists is { } lists) Print(console, lists, answer.Versus is null ? ("before", "after") : (answer.Moments[0].List?.Arm ?? "-", answer.Versus.Arm));
    }

    private static void Print(IAnsiConsole console, string user, PastView view)
    {
        console.WriteLine();
        console.WriteLine($"At {Time(view.TimeMs)}");
        if (view.State is not { } state) console.WriteLine($"{user} was not known.");
        else
        {
            console.WriteLine(
                $"{state.Events:N0} events, {state.Impressions:N0} impressions, {state.Positives:N0} positive actions; session of {state.SessionActions} actions since {Time(state.SessionStartMs)}, "
                + $"{state.SessionsClosed:N0} before it; {state.Pending} impressions wait for a click.");
            var table = NewTable("Last actions", "time", "action", "item", "weight");
            foreach (var a in state.History.Take(ActionsShown)) Row(table, Time(a.TimeMs), a.Action, a.Item, Number(a.Weight));
            console.Write(table);
            var interests = NewTable("Long-term interests", "of", "weight");
            foreach (var i in state.Interests.Take(ActionsShown)) Row(interests, i.Of, Number(i.Weight));
            console.Write(interests);
        }
        if (view.List is { } list) Print(console, list);
        else console.WriteLine("No list.");
        console.WriteLine(
            "These versions are the rebuild's, whose models learned the log again. Of the log: deep models published by then: "
            + $"{view.Recorded.Models ?? "none"}; last list sent: {(view.Recorded.Served is { } s ? $"list {s.ListVersion} of arm {s.Arm} at {Time(s.TimeMs)} (request_id {s.RequestId})" : "none")}.");
        var events = NewTable("Events behind it", "position", "time", "event");
        foreach (var e in view.Events) Row(events, e.Position, Time(e.TimeMs), e.Event.GetRawText());
        console.Write(events);
    }

    private static void Print(IAnsiConsole console, PastList list)
    {
        var table = NewTable(
            list.Source == "own" ? $"List {list.Version} of arm {list.Arm}, made anew by {list.Models} as of {Time(list.BuiltMs)}" : $"The popular list: there was none of the user's own by arm {list.Arm}",
            "#", "item", "score", "channel", "because of");
        foreach (var e in list.Items)
            Row(table, $"{e.Position + 1}", e.Item, Number(e.Score), e.Channel, e.Because is { } b ? $"{b.Action} on {b.Item ?? "an item that is gone"} (score without it {Number(b.ScoreWithout)})" : "-");
        console.Write(table);
        if (list.Total > list.Items.Count) console.WriteLine($"The first {list.Items.Count} of {list.Total} items; --limit shows more.");
    }

    private static void Print(IAnsiConsole console, StateDiff diff)
    {
        console.WriteLine();
        console.WriteLine($"Between the two: {diff.Events:N0} events, {diff.Actions.Count} positive actions; cosine of the embeddings {(diff.EmbeddingCosine is { } c ? Number((float)c) : "-")}");
        var table = NewTable("Interests that changed", "of", "before", "after");
        foreach (var i in diff.Interests.Take(ActionsShown)) Row(table, i.Of, Number(i.From), Number(i.To));
        console.Write(table);
    }

    private static void Print(IAnsiConsole console, ListDiff diff, (string First, string Second) names)
    {
        console.WriteLine($"In the list of {names.Second} only: {Names(diff.Entered)}");
        console.WriteLine($"In the list of {names.First} only: {Names(diff.Left)}");
        var table = NewTable("Moved", "item", names.First, names.Second, $"score {names.First}", $"score {names.Second}");
        foreach (var m in diff.Moved) Row(table, m.Item, $"{m.From + 1}", $"{m.To + 1}", Number(m.ScoreFrom), Number(m.ScoreTo));
        console.Write(table);
    }

    private static string Names(IReadOnlyList<string> items) => items.Count == 0 ? "none" : string.Join(", ", items);

    private static Table NewTable(string title, params string[] columns)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(Markup.Escape(title));
        foreach (var column in columns) table.AddColumn(Markup.Escape(column));
        return table;
    }

    private static void Row(Table table, params string[] cells) => table.AddRow([.. cells.Select(Markup.Escape)]);

    private static string Number(float value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
