using System.Text.Json;
using System.Text.Json.Serialization;
using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Host.Cli.Past;

/// <summary>A user, their list and what is behind both, as of a moment.</summary>
internal sealed record PastView(long TimeMs, StateView? State, PastList? List, RecordedView Recorded, IReadOnlyList<PastEventView> Events);

/// <summary>What the log itself says of the moment; the list beside it is made again, by models that learned again, and its versions are the rebuild's.</summary>
/// <param name="Models">The newest versions of the deep models that were published by then, as a list names those that made it; null for none.</param>
/// <param name="Served">The last list that the user was sent on the surface; null for none.</param>
internal sealed record RecordedView(string? Models, PastServed? Served);

/// <summary>A user's state in names. <c>Embedding</c> is the matrix factorisation's vector.</summary>
internal sealed record StateView(
    long Events, long Impressions, long Positives, long LastEventMs, long SessionStartMs, int SessionActions, long SessionsClosed, int Pending,
    IReadOnlyList<PastActionView> History, IReadOnlyList<InterestView> Interests, float[] Embedding);

internal sealed record PastActionView(string Item, string Action, float Weight, long TimeMs);

/// <summary>A long-term interest, decayed to the moment.</summary>
internal sealed record InterestView(string Of, float Weight);

/// <summary>A list as the rebuilt node makes it, with the reason for its first items: the past action whose omission costs them most.</summary>
/// <param name="Version">The rebuild's, as <c>Models</c> are.</param>
/// <param name="Total">Items of the whole list.</param>
/// <param name="Items">The first of them.</param>
/// <param name="Whole">All of them in order.</param>
internal sealed record PastList(
    string Surface, string Arm, string Source, long Version, long BuiltMs, string Models, int Total, IReadOnlyList<PastEntry> Items,
    [property: JsonIgnore] IReadOnlyList<FeedEntry> Whole);

internal sealed record PastEntry(string Item, int Position, float Score, string Channel, ReasonView? Because);

internal sealed record ReasonView(string? Item, string Action, long TimeMs, float ScoreWithout, string? ChannelWithout);

internal sealed record PastEventView(string Position, long TimeMs, JsonElement Event);

/// <summary>What is asked of a moment.</summary>
internal sealed record PastQuestion(string User, string Surface, string? Arm, int Limit, UsersSettings Settings);

/// <summary>Reads a rebuilt node.</summary>
internal static class PastReader
{
    private const int Shown = 50;

    public static async Task<PastView> ReadAsync(TimeTravel travel, PastQuestion question, CancellationToken cancel)
    {
        var keys = await travel.AskAsync(question.User, state => state is null ? null : Keys(state), cancel).ConfigureAwait(false);
        StateView? state = null;
        if (keys is not null)
        {
            var items = await travel.AskModelsAsync(models => Names(models.Catalog), cancel).ConfigureAwait(false);
            state = await travel.AskAsync(question.User, s => s is null ? null : StateOf(s, items, question.Settings, travel.ClockMs), cancel).ConfigureAwait(false);
        }
        return new PastView(
            travel.ClockMs, state, await ListAsync(travel, question, cancel).ConfigureAwait(false),
            new RecordedView(travel.Published.Count == 0 ? null : string.Join(' ', travel.Published.Select(m => $"{m.Key}:{m.Value}")), travel.ServedOn(question.Surface)),
            [.. travel.Behind.Select(e => new PastEventView(e.Position.ToString(), e.TimeMs, Parsed(e.Json)))]);
    }

    public static async Task<PastList?> ListAsync(TimeTravel travel, PastQuestion question, CancellationToken cancel)
    {
        if (await travel.ListAsync(question.User, question.Surface, question.Arm, cancel).ConfigureAwait(false) is not { } found) return null;
        var (list, own) = found;
        var ids = list.Entries.Take(question.Limit).Select(e => e.Item).ToList();
        // A list that is not the user's own knows nothing of them.
        var reasons = own ? await travel.ExplainAsync(question.User, list.Surface, list.Arm, ids, cancel).ConfigureAwait(false) : null;
        return new PastList(
            list.Surface, list.Arm, own ? "own" : "segment", own ? list.Version : 0, list.BuiltMs, list.Models, list.Entries.Length,
            [.. list.Entries.Take(question.Limit).Select((e, i) => new PastEntry(e.Item, i, e.Score, e.Channel, reasons is null ? null : ReasonOf(reasons[i])))],
            list.Entries);
    }

    private static ReasonView? ReasonOf(ExplainedItem explained)
    {
        if (explained.Explanation.Reason is not { } reason) return null;
        return new ReasonView(
            explained.Omitted[0]?.Id, ActionOf(reason.Action), reason.Action.TimeMs, reason.Without.Score, reason.Without.IsFound ? reason.Without.Channel : null);
    }

    private static string ActionOf(PastAction action) => action.Action == EventKind.Custom ? "custom" : EventKinds.Name(action.Action);

    private static HashSet<ulong> Keys(UserState state) => [.. state.History.Select(a => a.ItemKey)];

    /// <summary>States hold keys; the catalogue of that moment has the names.</summary>
    private static Dictionary<ulong, string> Names(ItemCatalog catalog)
    {
        var names = new Dictionary<ulong, string>();
        foreach (var item in catalog.All)
        {
            names[item.Key] = item.Id;
            foreach (var tag in item.Tags) names[InterestKey.Tag(tag)] = $"tag {tag}";
            foreach (var category in item.Categories) names[InterestKey.Category(category)] = $"category {category}";
            if (item.Author is { } author) names[InterestKey.Author(author)] = $"author {author}";
        }
        return names;
    }

    private static StateView StateOf(UserState state, Dictionary<ulong, string> names, UsersSettings settings, long nowMs) => new(
        state.Events, state.Impressions, state.Positives, state.LastEventMs, state.Session.StartMs, state.Session.Actions.Count, state.SessionsClosed, state.Pending.Count,
        [.. state.History.TakeLast(Shown).Reverse().Select(a => new PastActionView(NameOf(a.ItemKey, names), ActionOf(a), a.Weight, a.TimeMs))],
        [.. state.Interests.Select(i => new InterestView(NameOf(i.Key, names), UserInterests.WeightAt(i.Value, settings, nowMs)))
            .OrderByDescending(i => i.Weight).ThenBy(i => i.Of, StringComparer.Ordinal).Take(Shown)],
        [.. state.Embedding]);

    private static string NameOf(ulong key, Dictionary<ulong, string> names) => names.TryGetValue(key, out var name) ? name : key.ToString("x16");

    /// <summary>What was no JSON was set aside, and is shown as text.</summary>
    private static JsonElement Parsed(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(json);
        }
    }
}
