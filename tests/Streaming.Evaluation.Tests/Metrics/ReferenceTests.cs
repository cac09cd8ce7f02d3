using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Streaming.Evaluation.Metrics;

namespace Streaming.Evaluation.Tests.Metrics;

/// <summary>The Python that computes references: one with sklearn before one without.</summary>
internal static class Python
{
    private static readonly Lazy<(string? Path, bool HasSklearn)> Found = new(Find);

    public static string? Path => Found.Value.Path;
    public static bool HasSklearn => Found.Value.HasSklearn;

    private static (string?, bool) Find()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator);
        // Debian's own, which is the one that apt's sklearn goes with, may stand behind another on the PATH.
        var all = folders.Append("/usr/bin").Distinct().Select(f => System.IO.Path.Combine(f, "python3")).Where(File.Exists).ToList();
        return all.Find(HasModule) is { } best ? (best, true) : (all.FirstOrDefault(), false);
    }

    private static bool HasModule(string python)
    {
        using var probe = Process.Start(new ProcessStartInfo(
            python, ["-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('sklearn') is None)"]) { RedirectStandardError = true })!;
        probe.WaitForExit();
        return probe.ExitCode == 0;
    }
}

/// <summary>A fact that runs a Python script; skipped, with the reason, where there is no python3.</summary>
public sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute()
    {
        if (Python.Path is null) Skip = "there is no python3 on the PATH to compute the reference with";
    }
}

/// <summary>A fact that compares with sklearn; skipped, with the reason, where there is none.</summary>
public sealed class SklearnFactAttribute : FactAttribute
{
    public SklearnFactAttribute()
    {
        if (!Python.HasSklearn) Skip = "no python3 here has sklearn (Debian: apt-get install python3-sklearn)";
    }
}

/// <summary>The metrics against an independent implementation that goes by the definitions, on seeded cases full of ties.</summary>
public sealed class ReferenceTests
{
    private sealed record Case(double[] Scores, double[] Grades, int K);

    private sealed record Cases(double[] P, bool[] Y, double[] Bids, int[] Groups, Case[] Rankings, int[][] Lists, long[] Counts)
    {
        public static Cases Draw(int seed)
        {
            var draws = new Draws((ulong)seed);
            // Two decimals on 400 rows: many ties within and between the labels.
            var p = Fill(400, () => Math.Round(0.01 + 0.98 * draws.Unit(), 2));
            var y = Array.ConvertAll(p, x => draws.Chance(x));
            var groups = Fill(400, () => draws.Below(40));
            var rankings = Fill(40, () =>
            {
                var n = 3 + draws.Below(4);
                var grades = Fill(n, () => (double)draws.Below(3));
                grades[draws.Below(n)] = 2;
                return new Case(Fill(n, () => (double)draws.Below(3)), grades, 1 + draws.Below(n));
            });
            var bids = Fill(400, () => (double)draws.Below(5));
            var lists = Fill(30, () => Fill(5, () => draws.Below(50)));
            return new Cases(p, y, bids, groups, rankings, lists, Fill(50, () => (long)draws.Below(9)));
        }

        public string Json => JsonSerializer.Serialize(new
        {
            p = P, y = Array.ConvertAll(Y, b => b ? 1 : 0), bids = Bids, groups = Groups, lists = Lists, counts = Counts,
            rankings = Rankings.Select(c => new { scores = c.Scores, grades = c.Grades, k = c.K }),
        });
    }

    /// <summary>A place in a list as a vector, so that intra-list diversity has something to compare.</summary>
    private static float[] VectorOf(int item) => [item % 3, item % 5, 1];

    [PythonFact]
    public void All_metrics_equal_the_reference()
    {
        var c = Cases.Draw(42);
        var (p, y, cases) = (c.P, c.Y, c.Rankings);
        using var reference = Ask(c.Json);
        double Of(string name) => reference.RootElement.GetProperty(name).GetDouble();

        BinaryMetrics.Auc(p, y).ShouldBe(Of("auc"), 1e-12);
        var grouped = BinaryMetrics.GroupAuc(c.Groups, p, y);
        grouped.Weighted.ShouldBe(Of("gauc"), 1e-12);
        grouped.Unweighted.ShouldBe(Of("uauc"), 1e-12);
        CpmSensitiveAuc.Compute(p, y, c.Bids).ShouldBe(Of("csauc"), 1e-12);
        BinaryMetrics.LogLoss(p, y).ShouldBe(Of("log_loss"), 1e-12);
        BinaryMetrics.NormalisedEntropy(p, y).ShouldBe(Of("ne"), 1e-12);
        BinaryMetrics.ExpectedCalibrationError(p, y).ShouldBe(Of("ece"), 1e-12);
        BinaryMetrics.CalibrationRatio(p, y).ShouldBe(Of("calibration"), 1e-12);
        RegressionMetrics.Rmse(p, c.Bids).ShouldBe(Of("rmse"), 1e-12);
        RegressionMetrics.Mae(p, c.Bids).ShouldBe(Of("mae"), 1e-12);
        ListMetrics.Coverage(c.Lists, 50).ShouldBe(Of("coverage"), 1e-12);
        ListMetrics.Novelty(c.Lists, c.Counts).ShouldBe(Of("novelty"), 1e-12);
        ListMetrics.Gini(c.Counts).ShouldBe(Of("gini"), 1e-12);
        c.Lists.Average(l => ListMetrics.IntraListDiversity([.. l.Select(VectorOf)])).ShouldBe(Of("diversity"), 1e-12);
        var rankings = reference.RootElement.GetProperty("rankings");
        for (var i = 0; i < cases.Length; i++)
        {
            var r = RankingMetrics.Evaluate(cases[i].Scores, cases[i].Grades, cases[i].K, Gain.Exponential);
            double[] ours = [r.HitRate, r.Precision, r.Recall, r.F1, r.AveragePrecision, r.ReciprocalRank, r.Ndcg];
            for (var m = 0; m < ours.Length; m++)
            {
                // The reference averages F1 over orders; ours is of the same hits, linear in them, so the two agree too.
                ours[m].ShouldBe(rankings[i][m].GetDouble(), 1e-10, $"case {i}, metric {m}");
            }
        }
    }

    [SklearnFact]
    public void What_sklearn_has_equals_sklearn()
    {
        var c = Cases.Draw(43);
        using var reference = Ask(c.Json);
        var sklearn = reference.RootElement.GetProperty("sklearn");
        double Of(string name) => sklearn.GetProperty(name).GetDouble();

        BinaryMetrics.Auc(c.P, c.Y).ShouldBe(Of("auc"), 1e-9);
        BinaryMetrics.LogLoss(c.P, c.Y).ShouldBe(Of("log_loss"), 1e-9);
        RegressionMetrics.Rmse(c.P, c.Bids).ShouldBe(Of("rmse"), 1e-9);
        RegressionMetrics.Mae(c.P, c.Bids).ShouldBe(Of("mae"), 1e-9);
        var perGroup = sklearn.GetProperty("group_aucs").EnumerateArray().Select(a => a.GetDouble()).ToList();
        BinaryMetrics.GroupAuc(c.Groups, c.P, c.Y).Unweighted.ShouldBe(perGroup.Average(), 1e-9);
        for (var i = 0; i < c.Rankings.Length; i++)
        {
            var (scores, grades, k) = c.Rankings[i];
            var row = sklearn.GetProperty("rankings")[i];
            RankingMetrics.Evaluate(scores, grades, k).Ndcg.ShouldBe(row[0].GetDouble(), 1e-9, $"ndcg of case {i}");
            // sklearn's precision, recall, F1 and AP know no expectation over ties: they are compared on scores without any.
            var untied = scores.Select((s, at) => s + at * 1e-3).ToArray();
            var r = RankingMetrics.Evaluate(untied, grades, k);
            r.Precision.ShouldBe(row[1].GetDouble(), 1e-9);
            r.Recall.ShouldBe(row[2].GetDouble(), 1e-9);
            r.F1.ShouldBe(row[3].GetDouble(), 1e-9);
            RankingMetrics.Evaluate(untied, grades, grades.Length).AveragePrecision.ShouldBe(row[4].GetDouble(), 1e-9);
        }
    }

    private static T[] Fill<T>(int count, Func<T> make)
    {
        var values = new T[count];
        for (var i = 0; i < count; i++) values[i] = make();
        return values;
    }

    private static JsonDocument Ask(string question, [CallerFilePath] string here = "")
    {
        var script = Path.Combine(Path.GetDirectoryName(here)!, "metrics_reference.py");
        using var python = Process.Start(new ProcessStartInfo(Python.Path!, [script])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        var complaint = python.StandardError.ReadToEndAsync();
        python.StandardInput.Write(question);
        python.StandardInput.Close();
        var answer = python.StandardOutput.ReadToEnd();
        python.WaitForExit();
        python.ExitCode.ShouldBe(0, complaint.Result);
        return JsonDocument.Parse(answer);
    }
}
