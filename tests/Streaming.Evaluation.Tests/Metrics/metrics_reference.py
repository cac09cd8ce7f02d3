"""Metrics from their definitions, the slow way: pairs for AUC, every order of the ties for rankings. Reads one JSON object
on stdin, writes one on stdout. Where sklearn is installed, its own figures are written beside them."""
import itertools
import json
import math
import sys


def auc(scores, labels):
    wins = pairs = 0.0
    for s, y in zip(scores, labels):
        for t, z in zip(scores, labels):
            if y and not z:
                pairs += 1
                wins += 1 if s > t else 0.5 if s == t else 0
    return wins / pairs if pairs else None


def csauc(p, labels, bids):
    won = everything = 0.0
    for x, y, b in zip(p, labels, bids):
        for z, w, c in zip(p, labels, bids):
            gap = b * y - c * w
            if gap > 0:
                everything += gap
                won += gap if b * x > c * z else gap / 2 if b * x == c * z else 0
    return won / everything


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def diversity(items):
    vectors = [(i % 3, i % 5, 1) for i in items]
    pairs = list(itertools.combinations(vectors, 2))
    return sum(1 - cosine(a, b) for a, b in pairs) / len(pairs)


def gini(counts):
    # Mean absolute difference over twice the mean.
    n = len(counts)
    return sum(abs(a - b) for a in counts for b in counts) / (2 * n * sum(counts))


def log_loss(p, labels):
    return -math.fsum(math.log(x if y else 1 - x) for x, y in zip(p, labels)) / len(p)


def ece(p, labels, bins):
    total = 0.0
    for b in range(bins):
        rows = [(x, y) for x, y in zip(p, labels) if min(int(x * bins), bins - 1) == b]
        if rows:
            total += abs(sum(x for x, _ in rows) / len(rows) - sum(y for _, y in rows) / len(rows)) * len(rows) / len(p)
    return total


def one_order(grades, k):
    relevant = sum(g > 0 for g in grades)
    top = grades[:k]
    hits = sum(g > 0 for g in top)
    found = 0
    ap = 0.0
    rr = 0.0
    for i, g in enumerate(top):
        if g > 0:
            found += 1
            ap += found / (i + 1)
            if rr == 0:
                rr = 1 / (i + 1)
    dcg = sum((2 ** g - 1) / math.log2(i + 2) for i, g in enumerate(top))
    ideal = sum((2 ** g - 1) / math.log2(i + 2) for i, g in enumerate(sorted(grades, reverse=True)[:k]))
    precision, recall = hits / k, hits / relevant
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return [float(hits > 0), precision, recall, f1, ap / min(k, relevant), rr, dcg / ideal]


def ranking(scores, grades, k):
    groups = {}
    for s, g in zip(scores, grades):
        groups.setdefault(s, []).append(g)
    groups = [groups[s] for s in sorted(groups, reverse=True)]
    rows = [one_order(list(itertools.chain(*order)), k) for order in itertools.product(*(itertools.permutations(g) for g in groups))]
    return [math.fsum(r[c] for r in rows) / len(rows) for c in range(7)]


def novelty(lists, counts):
    counts = [max(1, c) for c in counts]
    shown = [i for l in lists for i in l]
    return sum(-math.log2(counts[i] / sum(counts)) for i in shown) / len(shown)


def sklearn_figures(metrics, case):
    p, y, g = case["p"], case["y"], case["groups"]
    group_aucs = []
    for group in sorted(set(g)):
        rows = [i for i in range(len(g)) if g[i] == group]
        if len({y[i] for i in rows}) == 2:
            group_aucs.append(metrics.roc_auc_score([y[i] for i in rows], [p[i] for i in rows]))
    rankings = []
    for r in case["rankings"]:
        scores, grades, k = r["scores"], r["grades"], r["k"]
        untied = [s + at * 1e-3 for at, s in enumerate(scores)]
        relevant = [int(grade > 0) for grade in grades]
        top = sorted(range(len(untied)), key=lambda i: -untied[i])[:k]
        taken = [int(i in top) for i in range(len(untied))]
        rankings.append([
            metrics.ndcg_score([grades], [scores], k=k), metrics.precision_score(relevant, taken),
            metrics.recall_score(relevant, taken), metrics.f1_score(relevant, taken), metrics.average_precision_score(relevant, untied)])
    return {
        "auc": metrics.roc_auc_score(y, p), "log_loss": metrics.log_loss(y, p), "group_aucs": group_aucs, "rankings": rankings,
        "rmse": math.sqrt(metrics.mean_squared_error(case["bids"], p)), "mae": metrics.mean_absolute_error(case["bids"], p),
    }


def main():
    case = json.load(sys.stdin)
    p, y, g = case["p"], case["y"], case["groups"]
    per_group = []
    for group in sorted(set(g)):
        rows = [i for i in range(len(g)) if g[i] == group]
        a = auc([p[i] for i in rows], [y[i] for i in rows])
        if a is not None:
            per_group.append((a, len(rows)))
    rate = sum(y) / len(y)
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    out = {
        "auc": auc(p, y),
        "gauc": sum(a * n for a, n in per_group) / sum(n for _, n in per_group),
        "uauc": sum(a for a, _ in per_group) / len(per_group),
        "log_loss": log_loss(p, y),
        "ne": log_loss(p, y) / entropy,
        "ece": ece(p, y, 10),
        "rankings": [ranking(r["scores"], r["grades"], r["k"]) for r in case["rankings"]],
        "csauc": csauc(p, y, case["bids"]),
        "calibration": sum(p) / sum(y),
        "rmse": math.sqrt(sum((a - b) ** 2 for a, b in zip(p, case["bids"])) / len(p)),
        "mae": sum(abs(a - b) for a, b in zip(p, case["bids"])) / len(p),
        "coverage": len({i for l in case["lists"] for i in l}) / len(case["counts"]),
        "novelty": novelty(case["lists"], case["counts"]),
        "gini": gini(case["counts"]),
        "diversity": sum(diversity(l) for l in case["lists"]) / len(case["lists"]),
        "sklearn": None,
    }
    try:
        from sklearn import metrics
        out["sklearn"] = sklearn_figures(metrics, case)
    except ImportError:
        pass
    json.dump(out, sys.stdout)


main()
