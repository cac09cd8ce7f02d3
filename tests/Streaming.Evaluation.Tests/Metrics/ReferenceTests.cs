using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Streaming.Evaluation.Metrics;

namespace Streaming.Evaluation.Tests.Metrics;

/// <summary>A fact that runs a Python script; skipped, with the reason, where there is no python3.</summary>
public sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute()
    {
        var paths = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!paths.Any(p => File.Exists(Path.Combine(p, "python3")))) Skip = "there is no python3 on the PATH to compute the reference with";
    }
}

/// <summary>The metrics against an independent implementation that goes by the definitions, on seeded cases full of ties.</summary>
public sealed class ReferenceTests
{
    private sealed record Case(double[] Scores, double[] Grades, int K);

    [PythonFact]
    public void All_metrics_equal_the_reference()
    {
        var draws = new Draws(42);
        // Two decimals on 400 rows: many ties within and between the labels.
        var p = Fill(400, () => Math.Round(0.01 + 0.98 * draws.Unit(), 2));
        var y = Array.ConvertAll(p, x => draws.Chance(x));
        var groups = Fill(400, () => draws.Below(40));
        var cases = Fill(40, () =>
        {
            var n = 3 + draws.Below(4);
            var grades = Fill(n, () => (double)draws.Below(3));
            grades[draws.Below(n)] = 2;
            return new Case(Fill(n, () => (double)draws.Below(3)), grades, 1 + draws.Below(n));
        });

        using var reference = Ask(JsonSerializer.Serialize(new
        {
            p, y = Array.ConvertAll(y, b => b ? 1 : 0), groups, rankings = cases.Select(c => new { scores = c.Scores, grades = c.Grades, k = c.K }),
        }));
        double Of(string name) => reference.RootElement.GetProperty(name).GetDouble();

        BinaryMetrics.Auc(p, y).ShouldBe(Of("auc"), 1e-12);
        var grouped = BinaryMetrics.GroupAuc(groups, p, y);
        grouped.Weighted.ShouldBe(Of("gauc"), 1e-12);
        grouped.Unweighted.ShouldBe(Of("uauc"), 1e-12);
        BinaryMetrics.LogLoss(p, y).ShouldBe(Of("log_loss"), 1e-12);
        BinaryMetrics.NormalisedEntropy(p, y).ShouldBe(Of("ne"), 1e-12);
        BinaryMetrics.ExpectedCalibrationError(p, y).ShouldBe(Of("ece"), 1e-12);
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
        if (reference.RootElement.GetProperty("sklearn") is { ValueKind: JsonValueKind.Object } sklearn)
        {
            BinaryMetrics.Auc(p, y).ShouldBe(sklearn.GetProperty("auc").GetDouble(), 1e-9);
            BinaryMetrics.LogLoss(p, y).ShouldBe(sklearn.GetProperty("log_loss").GetDouble(), 1e-9);
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
        using var python = Process.Start(new ProcessStartInfo("python3", [script])
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
