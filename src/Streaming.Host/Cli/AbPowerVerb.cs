using System.CommandLine;
using Streaming.Experiments.Inference;

namespace Streaming.Host.Cli;

/// <summary><c>ab power</c>: how many users and days an experiment takes, or what it can find in those that there are.</summary>
internal static class AbPowerVerb
{
    public static Command Create()
    {
        var command = new Command(
            "power", "Before the start: the users and days that it takes to find an effect (--mde), or the effect that so many users or days find (--users, --days).");
        var baseline = new Option<double>("--baseline") { Description = "The metric's value now: 0.05 for a click rate of 5 %", Required = true };
        var mde = new Option<double?>("--mde") { Description = "Relative effect to find: 0.03 for +3 %" };
        var users = new Option<double?>("--users") { Description = "Users that there are, all arms together" };
        var days = new Option<double?>("--days") { Description = "Days that there are" };
        var perDay = new Option<double?>("--users-per-day") { Description = "New users of the experiment a day, all arms together" };
        var deviation = new Option<double?>("--deviation")
        {
            Description = "Standard deviation of the metric between users (user_deviation of a report's --json); without it each user counts as one yes or no",
        };
        var alpha = new Option<double>("--alpha") { Description = "Chance of a false claim", DefaultValueFactory = _ => 0.05 };
        var power = new Option<double>("--power") { Description = "Chance to find the effect", DefaultValueFactory = _ => 0.8 };
        var share = new Option<double>("--treatment-share") { Description = "Part of the users that the treatment gets; the control has the rest", DefaultValueFactory = _ => 0.5 };
        var comparisons = new Option<int>("--treatments") { Description = "Arms beside the control, each of that share", DefaultValueFactory = _ => 1 };
        var reduction = new Option<double>("--variance-reduction") { Description = "What CUPED takes out (variance_reduction of a report)", DefaultValueFactory = _ => 0 };
        var json = new Option<bool>("--json") { Description = "End with one JSON line on stdout" };
        foreach (var option in (Option[])[baseline, mde, users, days, perDay, deviation, alpha, power, share, comparisons, reduction, json]) command.Options.Add(option);
        command.SetAction((parse, _) => CliApp.GuardAsync(() =>
        {
            var (value, treatments, of) = (parse.GetValue(baseline), parse.GetValue(comparisons), parse.GetValue(share));
            Check("--baseline", value, v => v > 0 && double.IsFinite(v), "must be above 0");
            Check("--alpha", parse.GetValue(alpha), v => v is > 0 and < 1, "must be between 0 and 1");
            Check("--power", parse.GetValue(power), v => v is >= 0.5 and < 1, "must be at least 0.5 and under 1");
            Check("--variance-reduction", parse.GetValue(reduction), v => v is >= 0 and < 1, "must be at least 0 and under 1");
            Check("--treatments", treatments, v => v is >= 1 and <= 19, "must be 1 to 19");
            Check("--treatment-share", of, v => v > 0 && v * treatments < 1, "must be above 0, and leave the control a part");
            if (parse.GetValue(deviation) is null && value >= 1) throw new FormatException($"--baseline is {value}: no share of users; give the metric's --deviation between users");
            Check("--deviation", parse.GetValue(deviation) ?? 1, v => v > 0 && double.IsFinite(v), "must be above 0");
            foreach (var (name, given) in new[] { ("--mde", parse.GetValue(mde)), ("--users", parse.GetValue(users)), ("--days", parse.GetValue(days)), ("--users-per-day", parse.GetValue(perDay)) })
                Check(name, given ?? 1, v => v > 0 && double.IsFinite(v), "must be above 0");
            var plan = new PowerPlan
            {
                Alpha = parse.GetValue(alpha), Power = parse.GetValue(power), Shares = (1 - of * treatments, of), Comparisons = treatments, VarianceReduction = parse.GetValue(reduction),
            };
            var before = parse.GetValue(deviation) is { } sd ? new Baseline(value, sd * sd) : Baseline.OfShare(value);
            Answer(plan, before, parse.GetValue(mde), parse.GetValue(users), parse.GetValue(days), parse.GetValue(perDay), parse.GetValue(json));
            return Task.FromResult(0);
        }));
        return command;
    }

    private static void Answer(PowerPlan plan, Baseline before, double? mde, double? users, double? days, double? perDay, bool json)
    {
        if (mde is null && users is null && !(days is not null && perDay is not null))
            throw new FormatException("give --mde, for the users it takes; or --users, or --days with --users-per-day, for the effect that they find");
        var figures = new List<(string, object?)> { ("baseline", before.Value), ("user_deviation", Math.Sqrt(before.UserVariance)), ("alpha", plan.Alpha), ("power", plan.Power) };
        var said = new List<string>();
        if (mde is { } lift)
        {
            var (once, always) = (Math.Ceiling(plan.UsersFor(before, lift)), Math.Ceiling(plan.UsersForSequential(before, lift)));
            figures.AddRange([("mde", lift), ("users", once), ("users_sequential", always)]);
            said.Add(Say($"To find a change of {100 * lift:0.##} % with {100 * plan.Power:0.#} % chance it takes {once:N0} users if you look once, at the end, and at most {always:N0} if you look all the time and stop when the report says so; then it often ends far earlier."));
            if (perDay is { } daily)
            {
                figures.AddRange([("days", Math.Ceiling(once / daily)), ("days_sequential", Math.Ceiling(always / daily))]);
                said.Add(Say($"At {daily:N0} users a day that is {Math.Ceiling(once / daily):N0} days, or at most {Math.Ceiling(always / daily):N0}. Whole weeks are better: days of the week differ."));
            }
        }
        if ((users ?? days * perDay) is { } there)
        {
            var least = plan.LiftFor(before, there);
            figures.AddRange([("users_given", there), ("mde_found", least)]);
            said.Add(Say($"{there:N0} users find a change of {100 * least:0.##} % with {100 * plan.Power:0.#} % chance in one look at the end; a smaller one will mostly be missed."));
        }
        if (json) JsonLine.Print(figures);
        else foreach (var sentence in said) Console.Out.WriteLine(sentence);
    }

    private static string Say(FormattableString text) => text.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static void Check(string name, double value, Func<double, bool> allowed, string rule)
    {
        if (!allowed(value)) throw new FormatException(Say($"{name} is {value}; it {rule}"));
    }
}
