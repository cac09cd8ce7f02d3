using System.Diagnostics.Metrics;

namespace Streaming.Core.Metrics;

/// <summary>
/// What a running process tells of itself: one meter and its instruments, the only place where they are named. Exporters
/// (Streaming.Host) prefix the meter's name, so <c>events_total</c> is scraped as <c>streaming_events_total</c>. Every label
/// has a bounded set of values. Recording costs next to nothing while no exporter listens, and allocates nothing then or later.
/// </summary>
/// <remarks>
/// Gauges are observable because prometheus-net's adapter knows no other kind. Times are seconds, as Prometheus has it.
/// </remarks>
public static class StreamingMeters
{
    public const string MeterName = "Streaming";

    /// <summary>What a label becomes once its <see cref="LabelValuesMax"/> distinct values are used up.</summary>
    public const string OtherLabel = "other";

    /// <summary>Distinct values of a label whose values come from input (event types, reasons).</summary>
    public const int LabelValuesMax = 64;

    private static readonly Meter Meter = new(MeterName);

    private static readonly InstrumentAdvice<double> Milliseconds = Buckets(
        .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10);

    private static readonly InstrumentAdvice<double> Microseconds = Buckets(
        .00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1);

    private static readonly InstrumentAdvice<double> Ages = Buckets(.01, .05, .1, .25, .5, 1, 5, 15, 60, 300, 900, 3600, 21600, 86400);

    private static readonly Counter<long> Events = Meter.CreateCounter<long>(
        "events_total", description: "Events applied to a user, by type.");

    private static readonly Counter<long> DeadLetters = Meter.CreateCounter<long>(
        "dead_letters_total", description: "Records set aside, by kind of reason.");

    private static readonly Counter<long> Lookups = Meter.CreateCounter<long>(
        "lookups_total", description: "Feed look-ups, by result: personal, segment, empty, not_yet, error.");

    private static readonly Counter<long> Examples = Meter.CreateCounter<long>(
        "examples_total", description: "Joined examples, by label: positive, negative, correction.");

    /// <summary>Events dropped as repeats of one already applied.</summary>
    public static readonly Counter<long> Repeats = Meter.CreateCounter<long>(
        "repeats_total", description: "Events dropped as repeats of one already applied.");

    public static readonly Counter<long> ListsBuilt = Meter.CreateCounter<long>(
        "lists_built_total", description: "Ranked lists built.");

    public static readonly Counter<long> Restarts = Meter.CreateCounter<long>(
        "actor_restarts_total", description: "User actors restarted after an exception.");

    public static readonly Counter<long> Passivated = Meter.CreateCounter<long>(
        "users_passivated_total", description: "Users moved out of memory into the store.");

    public static readonly Counter<long> Loaded = Meter.CreateCounter<long>(
        "users_loaded_total", description: "Users brought back into memory from the store.");

    public static readonly Counter<long> Rounds = Meter.CreateCounter<long>(
        "rounds_total", description: "Rounds of the node: read, apply, learn, refresh, append.");

    public static readonly Histogram<double> RoundSeconds = Meter.CreateHistogram(
        "round_seconds", "s", "Duration of one round of the node, in seconds.", null, Milliseconds);

    public static readonly Histogram<double> CheckpointSeconds = Meter.CreateHistogram(
        "checkpoint_seconds", "s", "Duration of one checkpoint, in seconds.", null, Milliseconds);

    public static readonly Histogram<double> ClickToListSeconds = Meter.CreateHistogram(
        "click_to_list_seconds", "s", "From accepting a click to the list that has seen it being in the cache, in seconds.", null, Milliseconds);

    public static readonly Histogram<double> LookupSeconds = Meter.CreateHistogram(
        "lookup_seconds", "s", "Duration of one feed look-up inside the server, in seconds.", null, Microseconds);

    private static readonly Histogram<double> RecallSeconds = Meter.CreateHistogram(
        "recall_seconds", "s", "Duration of one recall of candidates for a list, by channel, before filters, in seconds.", null, Microseconds);

    private static readonly Histogram<double> ListBuildSeconds = Meter.CreateHistogram(
        "list_build_seconds", "s", "Duration of making one list, by experiment and arm: recall, filters, ranking, re-ranking, in seconds.", null, Microseconds);

    public static readonly Histogram<double> FeedAgeSeconds = Meter.CreateHistogram(
        "feed_age_seconds", "s", "Age of a list when it is served, in seconds.", null, Ages);

    /// <summary>Prequential AUC of each live model over its sliding window; label: the model's name.</summary>
    public static readonly LabelledGauge PrequentialAuc = new(
        Meter, "prequential_auc", "model", "Prequential AUC of a live model over its sliding window.");

    /// <summary>Prequential GAUC over the same window: mean of the users' own AUCs, weighted by their examples.</summary>
    public static readonly LabelledGauge PrequentialGauc = new(
        Meter, "prequential_gauc", "model", "Prequential AUC within users, weighted by their examples, over the sliding window.");

    public static readonly LabelledGauge PrequentialLogLoss = new(
        Meter, "prequential_log_loss", "model", "Prequential log-loss over the sliding window, in nats.");

    public static readonly LabelledGauge PrequentialNormalisedEntropy = new(
        Meter, "prequential_normalised_entropy", "model", "Prequential log-loss over that of always predicting the window's base rate.");

    public static readonly LabelledGauge PrequentialCalibration = new(
        Meter, "prequential_calibration", "model", "Sum of predictions over number of positives in the sliding window.");

    /// <summary>Prequential AUC of each further goal of a model of several tasks; labels: the model's name, the goal's.</summary>
    public static readonly LabelledGauge PrequentialGoalAuc = new(
        Meter, "prequential_goal_auc", "model", "Prequential AUC of a model of several tasks for one further goal, over the goal's sliding window.", second: "goal");

    public static readonly LabelledGauge PrequentialGoalNormalisedEntropy = new(
        Meter, "prequential_goal_normalised_entropy", "model",
        "Prequential log-loss for one further goal over that of always predicting the base rate of the goal's window.", second: "goal");

    public static readonly LabelledGauge PrequentialGoalCalibration = new(
        Meter, "prequential_goal_calibration", "model", "Sum of predictions for one further goal over how often it was met in the goal's sliding window.", second: "goal");

    /// <summary>How a re-ranking head does beside its base ranker; labels: the model's name, whose order: base or head.</summary>
    public static readonly LabelledGauge HeadNdcg = new(
        Meter, "head_ndcg", "model", "NDCG@10 of the lists that a re-ranker learns, before it learns them: by its base ranker's order and by its head's.", second: "order");

    /// <summary>Whose order is served of a re-ranker; label: the model's name.</summary>
    public static readonly LabelledGauge HeadServed = new(
        Meter, "head_served", "model", "1 where lists have the order of a re-ranker's head, 0 where that has been worse than its base ranker's, which they then have.");

    /// <summary>Version in force of each deep model in this process; label: the model's name.</summary>
    public static readonly LabelledGauge ModelVersion = new(
        Meter, "model_version", "model", "Version of a deep model that this process makes lists with; 0 for none yet.");

    /// <summary>Prequential AUC of each isolated arm's overlay over its window; label: experiment:arm.</summary>
    public static readonly LabelledGauge OverlayAuc = new(Meter, "overlay_auc", "overlay", "Prequential AUC of an isolated arm's overlay over its sliding window.");

    /// <summary>Weights of its own that an overlay holds; label: experiment:arm.</summary>
    public static readonly LabelledGauge OverlayEntries = new(Meter, "overlay_entries", "overlay", "Weights of its own that an isolated arm's overlay holds.");

    /// <summary>Share of the gradient mass behind what ranks an arm that other arms' traffic brought; label: the arm.</summary>
    public static readonly LabelledGauge ArmContamination = new(
        Meter, "arm_contamination", "arm", "Share of the gradient mass behind what ranks an arm that came from other arms' traffic; 0 for an isolated arm.", max: LabelValuesMax);

    /// <summary>Users in memory, over all shards of the process.</summary>
    public static readonly LabelledGauge ResidentUsers = new(Meter, "resident_users", null, "Users held in memory.");

    /// <summary>Records appended but not yet applied; label: partition of <c>events</c>.</summary>
    public static readonly LabelledGauge LogLagRecords = new(
        Meter, "log_lag_records", "partition", "Records of the event log that are appended but not yet applied, by partition.");

    private static readonly Counter<long> VersionSkews = Meter.CreateCounter<long>(
        "version_skew_total", description: "Lists made by a mismatched pair of versions, by kind: user_index, recall_ranker, ranker_embeddings.");
    private static readonly Counter<long>[] ByArm =
    [
        Meter.CreateCounter<long>("arm_served_total", description: "Look-ups answered with a list, by experiment and arm; the default layer is the experiment \"default\"."),
        Meter.CreateCounter<long>("arm_impressions_total", description: "Items reported as shown under a look-up's request id, by experiment and arm."),
        Meter.CreateCounter<long>("arm_clicks_total", description: "Clicks reported under a look-up's request id, by experiment and arm."),
        Meter.CreateCounter<long>("arm_examples_total", description: "Joined examples without corrections, by experiment and arm."),
        Meter.CreateCounter<long>("arm_positives_total", description: "Joined examples with a positive label, corrections included, by experiment and arm."),
    ];

    private static readonly ArmLabels Arms = new(experimentsMax: LabelValuesMax, armsMax: 4 * LabelValuesMax);

    private static readonly BoundedLabel EventTypes = new(LabelValuesMax);
    private static readonly BoundedLabel Reasons = new(LabelValuesMax);

    /// <summary>Counts applied events of one type.</summary>
    public static void CountEvents(string type, long count = 1) =>
        Events.Add(count, new KeyValuePair<string, object?>("type", EventTypes.Of(type)));

    /// <summary>
    /// Counts records set aside; the label is the beginning of the reason (<see cref="BoundedLabel.OfSentence"/>).
    /// </summary>
    public static void CountDeadLetters(string reason, long count = 1) =>
        DeadLetters.Add(count, new KeyValuePair<string, object?>("reason", Reasons.OfSentence(reason)));

    /// <summary>Counts one look-up.</summary>
    public static void CountLookup(LookupResult result) =>
        Lookups.Add(1, new KeyValuePair<string, object?>("result", LookupNames[(int)result]));

    /// <summary>Whether anybody listens to <see cref="RecordRecall"/>: else nobody need look at a clock.</summary>
    public static bool IsRecallTimed => RecallSeconds.Enabled;

    /// <summary>Records how long a channel took to find candidates for a list.</summary>
    /// <param name="channel">One of <see cref="Feeds.FeedChannels.All"/>.</param>
    /// <param name="took">Of the recall alone.</param>
    public static void RecordRecall(string channel, TimeSpan took) =>
        RecallSeconds.Record(took.TotalSeconds, new KeyValuePair<string, object?>("channel", channel));

    /// <summary>Whether anybody listens to <see cref="RecordListBuild"/>.</summary>
    public static bool IsListBuildTimed => ListBuildSeconds.Enabled;

    /// <summary>Records how long a list took to make, for every experiment that its arm takes part in.</summary>
    /// <param name="arm">As for <see cref="CountArm"/>.</param>
    /// <param name="took">From the recall on.</param>
    public static void RecordListBuild(ReadOnlySpan<char> arm, TimeSpan took)
    {
        foreach (var (experiment, of) in Arms.Of(arm))
            ListBuildSeconds.Record(took.TotalSeconds, new KeyValuePair<string, object?>("experiment", experiment), new KeyValuePair<string, object?>("arm", of));
    }

    /// <summary>Counts lists that a mismatched pair of versions has made.</summary>
    public static void CountVersionSkew(SkewKind kind, long count) =>
        VersionSkews.Add(count, new KeyValuePair<string, object?>("kind", SkewNames[(int)kind]));

    /// <summary>Counts joined examples.</summary>
    public static void CountExamples(ExampleLabel label, long count = 1) =>
        Examples.Add(count, new KeyValuePair<string, object?>("label", ExampleNames[(int)label]));

    /// <summary>Counts for every experiment that an arm (<see cref="Experiments.ArmKey"/>) takes part in; an empty arm is nobody's.</summary>
    public static void CountArm(ArmMoment moment, ReadOnlySpan<char> arm, long count = 1)
    {
        if (arm.IsEmpty) return;
        var counter = ByArm[(int)moment];
        if (!counter.Enabled) return;
        foreach (var (experiment, of) in Arms.Of(arm))
            counter.Add(count, new KeyValuePair<string, object?>("experiment", experiment), new KeyValuePair<string, object?>("arm", of));
    }

    private static readonly string[] LookupNames = ["personal", "segment", "empty", "not_yet", "error"];
    private static readonly string[] SkewNames = ["user_index", "recall_ranker", "ranker_embeddings"];
    private static readonly string[] ExampleNames = ["positive", "negative", "correction"];

    private static InstrumentAdvice<double> Buckets(params double[] upperBounds) => new() { HistogramBucketBoundaries = upperBounds };
}

/// <summary>What is counted per arm.</summary>
public enum ArmMoment
{
    Served,
    Impression,
    Click,
    Example,
    Positive,
}

/// <summary>How a feed look-up ended.</summary>
public enum LookupResult
{
    /// <summary>The user's own list.</summary>
    Personal,
    /// <summary>The popular list of the user's segment.</summary>
    Segment,
    /// <summary>There was nothing to serve.</summary>
    Empty,
    /// <summary>The list does not yet hold the event that the caller asked for.</summary>
    NotYet,
    Error,
}

/// <summary>The label of an example, for counting.</summary>
public enum ExampleLabel
{
    Positive,
    Negative,
    /// <summary>A late click turned an earlier negative.</summary>
    Correction,
}

/// <summary>Which two versions of a list do not go together.</summary>
public enum SkewKind
{
    /// <summary>The user's vector and the vectors of the index that it is compared with.</summary>
    UserIndex,
    /// <summary>The model that found the candidates and the one that ranked them.</summary>
    RecallRanker,
    /// <summary>The ranker and the embeddings among its features.</summary>
    RankerEmbeddings,
}
