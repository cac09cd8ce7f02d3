using Streaming.Suites;
using System.Diagnostics.Metrics;
using Streaming.Core.Metrics;

namespace Streaming.Core.Tests.Metrics;

public sealed class LabelsTests
{
    [Fact]
    public void The_first_values_stand_for_themselves_and_later_ones_become_other()
    {
        var label = new BoundedLabel(2);

        label.Of("a").ShouldBe("a");
        label.Of("b").ShouldBe("b");
        label.Of("c").ShouldBe("other");
        label.Of("a").ShouldBe("a");
    }

    [Fact]
    public void A_sentence_is_labelled_by_its_beginning()
    {
        var label = new BoundedLabel(8);

        label.OfSentence("bad time: 17 is before 1990").ShouldBe("bad time");
        label.OfSentence("bad time 17 is before 1990").ShouldBe("bad time");
        label.OfSentence("unknown type 'x'").ShouldBe("unknown type");
        label.OfSentence("no user").ShouldBe("no user");
    }

    [Fact]
    public void Counting_allocates_nothing_once_a_label_is_known()
    {
        StreamingMeters.CountEvents("click");
        StreamingMeters.CountDeadLetters("bad time: 1");
        StreamingMeters.CountLookup(LookupResult.Personal);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++)
            {
                StreamingMeters.CountEvents("click");
                StreamingMeters.CountDeadLetters("bad time: 1");
                StreamingMeters.CountLookup(LookupResult.Personal);
                StreamingMeters.ClickToListSeconds.Record(0.01);
            }
        }).ShouldBe(0);
    }

    [Fact]
    public void A_gauge_reports_what_was_set_until_it_is_removed()
    {
        StreamingMeters.PrequentialAuc.Set("labels-test", 0.75);
        Read("prequential_auc", "labels-test").ShouldBe(0.75);

        StreamingMeters.PrequentialAuc.Set("labels-test", 0.5);
        Read("prequential_auc", "labels-test").ShouldBe(0.5);

        StreamingMeters.PrequentialAuc.Remove("labels-test");
        Read("prequential_auc", "labels-test").ShouldBeNull();
    }

    [Fact]
    public void A_gauge_of_two_labels_keeps_their_pairs_apart()
    {
        StreamingMeters.PrequentialGoalAuc.Set("labels-test", "like", 0.75);
        StreamingMeters.PrequentialGoalAuc.Set("labels-test", "purchase", 0.25);
        Read("prequential_goal_auc", "labels-test", "like").ShouldBe(0.75);
        Read("prequential_goal_auc", "labels-test", "purchase").ShouldBe(0.25);
        StreamingMeters.PrequentialGoalAuc.Remove("labels-test", "like");
        StreamingMeters.PrequentialGoalAuc.Remove("labels-test", "purchase");
        Read("prequential_goal_auc", "labels-test", "like").ShouldBeNull();
    }

    [Fact]
    public void Counters_are_named_total_and_times_are_named_seconds()
    {
        // Touches the type, so that its instruments exist before the listener starts.
        StreamingMeters.Rounds.Add(0);
        var seen = new List<Instrument>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == StreamingMeters.MeterName) seen.Add(instrument);
            },
        };
        listener.Start();

        seen.Count.ShouldBeGreaterThan(10);
        foreach (var instrument in seen)
        {
            instrument.Description.ShouldNotBeNullOrWhiteSpace(instrument.Name);
            instrument.Name.EndsWith("_total").ShouldBe(instrument is Counter<long>, instrument.Name);
            instrument.Name.EndsWith("_seconds").ShouldBe(instrument is Histogram<double>, instrument.Name);
            if (instrument is Histogram<double> histogram)
                histogram.Advice!.HistogramBucketBoundaries!.ShouldBeInOrder();
        }
    }

    private static double? Read(string instrument, params string[] labels)
    {
        double? found = null;
        using var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter.Name == StreamingMeters.MeterName && i.Name == instrument) l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) =>
        {
            if (tags.Length != labels.Length) return;
            for (var i = 0; i < labels.Length; i++)
                if ((string?)tags[i].Value != labels[i]) return;
            found = value;
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return found;
    }
}
