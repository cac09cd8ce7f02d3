using Streaming.Core.Events;

namespace Streaming.Evaluation.Simulation;

/// <summary>What one user does with one page: an impression of the whole list, then clicks with their dwell, likes, shares, carts and purchases, dislikes and hides.</summary>
internal sealed class Reaction
{
    /// <summary>An item below this appeal may be hidden.</summary>
    private const double Unappealing = 0.05;

    private readonly AudienceSettings _settings;
    private readonly SimUser _user;
    private readonly ServedPage _page;
    private readonly List<UserEvent> _events = [];
    private long _timeMs;

    public Reaction(AudienceSettings settings, SimUser user, ServedPage page, long nowMs)
    {
        _settings = settings;
        _user = user;
        _page = page;
        _timeMs = nowMs;
        Add(EventKind.Impression, null, -1, double.NaN, page.Items);
    }

    public IReadOnlyList<UserEvent> Events => _events;
    public int Clicks { get; private set; }

    /// <summary>Expected clicks, by the truth.</summary>
    public double Expected { get; private set; }

    /// <summary>Shown items that were gone.</summary>
    public int Gone { get; set; }

    /// <summary>Draws the user's reaction to one shown item.</summary>
    /// <param name="appeal">True appeal, in (0, 1).</param>
    /// <param name="click">True click probability.</param>
    /// <param name="examine">Probability of a look; at least <paramref name="click"/>.</param>
    /// <param name="price">What a purchase costs.</param>
    public void To(ShownItem shown, double appeal, double click, double examine, double price)
    {
        Expected += click;
        var draw = _user.Draws.Unit();
        if (draw < click)
        {
            Clicks++;
            _user.Remember(shown.Item, clicked: true);
            Add(EventKind.Click, shown.Item, shown.Position);
            // Dwell is log-normal, longer on what appeals: median 10 s to 60 s.
            Add(EventKind.Dwell, shown.Item, shown.Position, Math.Round(Math.Exp(Math.Log(10 + 50 * appeal) + 0.6 * _user.Draws.Normal()), 1));
            if (_user.Draws.Chance(_settings.LikeAfterClick * appeal)) Add(EventKind.Like, shown.Item, shown.Position);
            After(shown, appeal, price);
        }
        else if (draw < examine)
        {
            _user.Remember(shown.Item, clicked: false);
            if (appeal < Unappealing && _user.Draws.Chance(_settings.HideUnappealing)) Add(EventKind.Hide, shown.Item, shown.Position);
            if (appeal < Unappealing && _user.Afterthoughts.Chance(_settings.DislikeUnappealing)) Add(EventKind.Dislike, shown.Item, shown.Position);
        }
    }

    /// <summary>What may follow a click besides its dwell and a like; all the rarer, the less the item appeals.</summary>
    private void After(ShownItem shown, double appeal, double price)
    {
        ref var draws = ref _user.Afterthoughts;
        if (draws.Chance(_settings.ShareAfterClick * appeal)) Add(EventKind.Share, shown.Item, shown.Position);
        if (!draws.Chance(_settings.CartAfterClick * appeal)) return;
        Add(EventKind.AddToCart, shown.Item, shown.Position);
        if (draws.Chance(_settings.PurchaseAfterCart)) Add(EventKind.Purchase, shown.Item, shown.Position, price);
    }

    private void Add(EventKind kind, string? item, int position, double value = double.NaN, IReadOnlyList<ShownItem>? items = null) =>
        _events.Add(new UserEvent
        {
            Kind = kind, Type = EventKinds.Name(kind), User = _user.Id, Item = item, Items = items ?? [], Position = position, Value = value,
            // A millisecond apart, so that sorting by time keeps the order.
            TimeMs = _timeMs++, EventId = $"{_user.Id}:{++_user.Sent}", RequestId = _page.RequestId, SessionId = _user.SessionId,
            Surface = _settings.Surface,
        });
}
