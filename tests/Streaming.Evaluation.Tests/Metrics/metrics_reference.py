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
        "sklearn": None,
    }
    try:
        from sklearn import metrics
        out["sklearn"] = {"auc": metrics.roc_auc_score(y, p), "log_loss": metrics.log_loss(y, p)}
    except ImportError:
        pass
    json.dump(out, sys.stdout)


main()
