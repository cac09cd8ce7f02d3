"""An independent PyTorch computation of the two-tower model: forward, and two training steps on one mini-batch.

Prints one JSON object: the case (weights, rows, mini-batch) and what must come of it. The test loads the case into the C# model and compares.
Arguments: a seed. Debian's python3-torch will do (1.13); nothing of this project is used.
"""
import json
import math
import random
import sys

import torch
from torch import nn
import torch.nn.functional as F

seed = int(sys.argv[1])
torch.manual_seed(seed)
rng = random.Random(seed)
torch.set_num_threads(1)

DIM, OUT, HIDDEN, HISTORY, DECAY, TAU = 3, 4, [5], 4, 0.8, 0.2
RATE, TABLE_RATE, ALPHA, INITIAL = 0.01, 0.02, 0.1, 20.0
ITEMS, USERS = 9, 4
sides = ["c0", "c1", "a0", "a1", "t0", "t1", "t2"]
items = []
for i in range(ITEMS):
    tags = rng.sample(["t0", "t1", "t2"], rng.randrange(3))
    author = rng.choice(["a0", "a1", None])
    items.append({"id": f"i{i}", "category": rng.choice(["c0", "c1"]), "author": author, "tags": tags})


class Tower(nn.Module):
    def __init__(self, columns):
        super().__init__()
        widths = [columns, *HIDDEN, OUT]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for n, layer in enumerate(self.layers):
            x = layer(x)
            if n + 1 < len(self.layers):
                x = F.relu(x)
        return F.normalize(x, dim=-1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Embedding(ITEMS, DIM)
        self.side = nn.Embedding(len(sides), DIM)
        self.user = nn.Embedding(USERS, DIM)
        self.user_tower = Tower(5 * DIM)
        self.item_tower = Tower(2 * DIM)

    def item_input(self, i):
        it = items[i]
        names = [it["category"]] + ([it["author"]] if it["author"] else []) + it["tags"]
        rows = torch.stack([self.side.weight[sides.index(n)] for n in names])
        return torch.cat([self.item.weight[i], rows.mean(0)])

    def pooled(self, history):
        if not history:
            return torch.zeros(2 * DIM)
        weights = torch.tensor([DECAY ** k for k in range(len(history))])
        return (torch.stack([self.item_input(i) for i in history]) * weights[:, None]).sum(0) / weights.sum()

    def queries(self, rows):
        return self.user_tower(torch.stack([
            torch.cat([self.pooled(r["history"]), self.pooled(r["history"][: r["in_session"]]), self.user.weight[r["user"]]]) for r in rows]))

    def vectors(self, ids):
        return self.item_tower(torch.stack([self.item_input(i) for i in ids]))


rows = []
for b in range(10):
    history = [rng.randrange(ITEMS) for _ in range(rng.randrange(HISTORY + 1))]
    rows.append({
        "user": rng.randrange(USERS), "item": rng.randrange(ITEMS), "history": history, "in_session": rng.randrange(len(history) + 1),
        "label": 1.0 if b % 3 else 0.0, "weight": rng.choice([1.0, 2.5]),
    })
before = [[i for i in range(ITEMS) if rng.random() < (i + 1) / ITEMS] for _ in range(30)]

model = Model()
case = {
    "dim": DIM, "out": OUT, "hidden": HIDDEN, "history": HISTORY, "decay": DECAY, "tau": TAU, "rate": RATE, "table_rate": TABLE_RATE, "alpha": ALPHA,
    "initial": INITIAL, "items": items, "item_rows": model.item.weight.tolist(), "side_rows": {s: model.side.weight[i].tolist() for i, s in enumerate(sides)},
    "user_rows": model.user.weight.tolist(),
    "user_tower": [[l.weight.tolist(), l.bias.tolist()] for l in model.user_tower.layers],
    "item_tower": [[l.weight.tolist(), l.bias.tolist()] for l in model.item_tower.layers],
    "rows": rows, "before": before,
}

# Frequency: intervals between the batches that held an item; the first time only starts the clock.
last, interval, step = {}, {}, 0


def observe(batch):
    global step
    step += 1
    for i in sorted(set(batch)):
        if i in last:
            interval[i] = (1 - ALPHA) * interval.get(i, INITIAL) + ALPHA * (step - last[i])
        last[i] = step


for b in before:
    observe(b)
tables = torch.optim.Adam([model.item.weight, model.side.weight, model.user.weight], lr=TABLE_RATE)
dense = torch.optim.Adam([*model.user_tower.parameters(), *model.item_tower.parameters()], lr=RATE)


def scores():
    with torch.no_grad():
        cosine = (model.queries(rows) * model.vectors([r["item"] for r in rows])).sum(1)
        return ((1 + cosine) / 2).tolist()


positive = [r for r in rows if r["label"] == 1.0]
candidates = sorted({r["item"] for r in positive})
expected = {"scores": [scores()], "losses": []}
for _ in range(2):
    observe(candidates)
    log_p = torch.tensor([math.log(1 / interval.get(i, INITIAL)) for i in candidates])
    logits = model.queries(positive) @ model.vectors(candidates).T / TAU - log_p
    target = torch.tensor([candidates.index(r["item"]) for r in positive])
    weights = torch.tensor([r["weight"] for r in positive])
    loss = (F.cross_entropy(logits, target, reduction="none") * weights).mean()
    tables.zero_grad()
    dense.zero_grad()
    loss.backward()
    tables.step()
    dense.step()
    expected["losses"].append(loss.item())
    expected["scores"].append(scores())
expected["item_rows"] = model.item.weight.tolist()
expected["user_tower_0"] = model.user_tower.layers[0].weight.tolist()
case["expected"] = expected
print(json.dumps(case))
