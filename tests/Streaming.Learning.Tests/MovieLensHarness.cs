using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Learning.Metrics;
using Streaming.Users;

namespace Streaming.Learning.Tests;

/// <summary>
/// The live path in small: users act in rounds of a few hundred events. Within a round the user's side (state, embedding)
/// moves at once while the items' side is frozen; features are captured before the state changes; at the round's end the
/// trainer predicts, scores and learns the round's examples in order.
/// </summary>
public sealed class MovieLensHarness
{
    private readonly StreamingSettings _settings;
    private readonly MovieLens _data;
    private readonly int _roundEvents;
    private readonly LearningRig _rig;
    private readonly Dictionary<int, UserState> _users = [];
    private readonly float[] _vector;

    public MovieLensHarness(StreamingSettings settings, MovieLens data, int roundEvents)
    {
        (_settings, _data, _roundEvents) = (settings, data, roundEvents);
        _rig = new LearningRig(settings, data.Catalog);
        _vector = new float[settings.Learning.EmbeddingDim];
    }

    /// <summary>Runs the whole stream; returns the figures of the ranker, the item mean, and user mean + item mean.</summary>
    public IReadOnlyList<PrequentialFigures> Run()
    {
        var round = new List<(Example Example, Interaction Interaction)>();
        for (var i = 0; i < _data.Ratings.Count; i++)
        {
            round.Add(Act(_data.Ratings[i], i));
            if (round.Count < _roundEvents && i < _data.Ratings.Count - 1) continue;
            foreach (var (example, interaction) in round)
            {
                _rig.Trainer.OnExample(example);
                _rig.Trainer.OnInteraction(interaction);
            }
            round.Clear();
        }
        return _rig.Trainer.Figures();
    }

    private (Example, Interaction) Act(MovieRating rating, int offset)
    {
        if (!_users.TryGetValue(rating.User, out var user))
        {
            user = _rig.NewUser(rating.User.ToString(CultureInfo.InvariantCulture));
            user.Profile = _data.Profiles[rating.User];
            _users.Add(rating.User, user);
        }
        var item = new Item(rating.Item).Key;
        var label = rating.Rating >= _settings.Users.RatingPositiveAt ? 1f : 0f;
        var example = _rig.Example(user, item, label, offset, rating.TimeMs, EventKind.Rating);
        var interaction = LearningRig.Interaction(example, label);
        _rig.Models.LearnUser(user, item, label, 1f);
        Update(user, item, rating, label);
        return (example, interaction);
    }

    private void Update(UserState user, ulong itemKey, MovieRating rating, float label)
    {
        user.Events++;
        user.LastEventMs = rating.TimeMs;
        user.Impressions++;
        user.RatingCount++;
        user.RatingSum += rating.Rating;
        user.Marks[itemKey] = new ItemMarks(0, 1, 0, false, false, rating.TimeMs);
        if (label < 0.5f) return;
        user.RatingPositives++;
        user.Positives++;
        user.History.Add(new PastAction(itemKey, EventKind.Rating, 1f, rating.TimeMs));
        if (user.Session.LastMs + _settings.Users.SessionGapMs < rating.TimeMs) user.Session.Actions.Clear();
        user.Session.LastMs = rating.TimeMs;
        user.Session.Actions.Add(new PastAction(itemKey, EventKind.Rating, 1f, rating.TimeMs));
        if (_data.Catalog.TryGet(itemKey, out var item))
            foreach (var key in item.TagKeys)
            {
                var old = user.Interests.GetValueOrDefault(key);
                var decay = Math.Pow(0.5, (rating.TimeMs - old.TimeMs) / (double)_settings.Users.LongHalfLifeMs);
                user.Interests[key] = new Interest((float)(old.Weight * decay) + 1f, rating.TimeMs, old.Count + 1);
            }
        if (!_rig.Models.TryItemVector(itemKey, _vector)) return;
        (user.ShortWeight, user.ShortMs) =
            Blend(user.ShortVector, user.ShortWeight, user.ShortMs, rating.TimeMs, _settings.Users.ShortHalfLifeMs);
        (user.LongWeight, user.LongMs) =
            Blend(user.LongVector, user.LongWeight, user.LongMs, rating.TimeMs, _settings.Users.LongHalfLifeMs);
    }

    /// <summary>Moves a decayed mean by the item's vector.</summary>
    private (float Weight, long TimeMs) Blend(float[] mean, float weight, long lastMs, long nowMs, long halfLifeMs)
    {
        var decayed = (float)(weight * Math.Pow(0.5, (nowMs - lastMs) / (double)halfLifeMs));
        for (var i = 0; i < mean.Length; i++) mean[i] = (mean[i] * decayed + _vector[i]) / (decayed + 1f);
        return (decayed + 1f, nowMs);
    }
}
