"""An independent PyTorch computation of the ranking models on rows of fields: predictions, and two optimiser steps on one mini-batch.

Prints one JSON object: the mini-batch and, for each model, predictions and losses. First weights follow from a formula of name and place, which the test
has too. Sums over pairs are written out pair by pair, recurrences with torch's own cells. Arguments: a seed. Debian's python3-torch will do (1.13).
"""
import json
import math
import random
import sys

import torch
import torch.nn.functional as F

seed = int(sys.argv[1])
rng = random.Random(seed)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

KEYS, DIM, FFM_DIM, DENSE, LENGTH, ROWS, HIDDEN = 24, 4, 1, 2, 3, 7, [5, 3]
RATE, TABLE_RATE = 0.01, 0.02
FIELDS = 4  # item, side (a bag), user, pooled sequence; the first two are the target's
VECTORS = FIELDS + DENSE
PLAIN = VECTORS - 1


def bag(most):
    return [[rng.randint(1, KEYS), round(rng.uniform(0.2, 1.0), 3)] for _ in range(rng.randint(1, most))]


def new_row():
    return {
        "fields": [bag(1), bag(2), bag(1), bag(3)], "crosses": bag(2), "steps": [[bag(1), bag(2)] for _ in range(rng.randint(0, LENGTH))],
        "dense": [round(rng.uniform(-1, 1), 3) for _ in range(DENSE)], "label": rng.randint(0, 1), "weight": round(rng.uniform(0.5, 2), 3),
    }


rows = [new_row() for _ in range(ROWS)]
rows[0]["steps"] = []
rows[1]["steps"] = [[bag(1), bag(2)] for _ in range(LENGTH)]

# Labels of several tasks: the first is the others' condition, as a click is a purchase's. Drawn apart, so that the rest of a seed's case stays.
TASKS, MULTI = 3, ["shared_bottom", "esmm", "mmoe", "ple"]
apart = random.Random(seed + 1000)
for row in rows:
    row["labels"] = [float(row["label"])] + [float(row["label"] * apart.randint(0, 1)) for _ in range(TASKS - 1)]


def value(name, i):
    return 0.3 * math.sin(1.0 + 0.7 * i + sum(map(ord, name)))


class Model:
    def __init__(self, name):
        self.name, self.dense, self.tables = name, {}, {}
        self.v = VECTORS * FFM_DIM if name == "ffm" else 2 * DIM if name == "neumf" else DIM

    def weight(self, name, *shape):
        if name not in self.dense:
            n = math.prod(shape)
            self.dense[name] = torch.tensor([value(name, i) for i in range(n)]).reshape(shape).requires_grad_()
        return self.dense[name]

    def table(self, name, columns):
        if name not in self.tables:
            flat = [0.0] * columns + [value(name, i) for i in range(columns, (KEYS + 1) * columns)]
            self.tables[name] = torch.tensor(flat).reshape(KEYS + 1, columns).requires_grad_()
        return self.tables[name]

    def linear(self, name, x, out, bias=True):
        w = self.weight(name + ".weight", out, x.shape[-1])
        return F.linear(x, w, self.weight(name + ".bias", out) if bias else None)

    def mlp(self, x):
        for i, width in enumerate(HIDDEN):
            x = F.relu(self.linear(f"mlp.{i}", x, width))
        return self.linear(f"mlp.{len(HIDDEN)}", x, 1)[..., 0]

    def pooled(self, table, bag):
        return sum((w * table[k] for k, w in bag), torch.zeros(table.shape[1]))

    def first_order(self, row):
        table = self.table("linear", 1)
        total = sum(self.pooled(table, b)[0] for b in row["fields"] + [row["crosses"]])
        return total + torch.tensor(row["dense"]) @ self.weight("dense.weights", DENSE, 1)[:, 0]

    def vectors(self, row):
        table = self.table("vectors", self.v)
        dense = self.weight("dense.vectors", DENSE, self.v)
        return [self.pooled(table, b) for b in row["fields"]] + [row["dense"][i] * dense[i] for i in range(DENSE)]

    def steps(self, row):
        table = self.table("vectors", self.v)
        return [torch.cat([self.pooled(table, b) for b in step]) for step in row["steps"]]

    def plain(self, row):
        v = self.vectors(row)
        return torch.cat(v[:3] + v[4:])

    def target(self, row):
        return torch.cat(self.vectors(row)[:2])

    def bias(self):
        return self.weight("bias", 1)[0]

    def logit(self, row):
        return getattr(self, self.name)(row)

    def lr(self, row):
        return self.first_order(row) + self.bias()

    def pairs(self, v):
        return [(v[i], v[j]) for i in range(len(v)) for j in range(i + 1, len(v))]

    def fm(self, row):
        return self.first_order(row) + self.bias() + sum(a @ b for a, b in self.pairs(self.vectors(row)))

    def ffm(self, row):
        v, total = self.vectors(row), self.first_order(row) + self.bias()
        for i in range(VECTORS):
            for j in range(i + 1, VECTORS):
                total = total + v[i][j * FFM_DIM:(j + 1) * FFM_DIM] @ v[j][i * FFM_DIM:(i + 1) * FFM_DIM]
        return total

    def fwfm(self, row):
        v, r = self.vectors(row), self.weight("pairs", VECTORS, VECTORS)
        return self.first_order(row) + self.bias() + sum(r[i, j] * (v[i] @ v[j]) for i in range(VECTORS) for j in range(i + 1, VECTORS))

    def ipnn(self, row):
        v = self.vectors(row)
        products = [v[i] @ v[j] if j > i else torch.tensor(0.0) for i in range(VECTORS) for j in range(VECTORS)]
        return self.mlp(torch.cat([*v, torch.stack(products)]))

    def opnn(self, row):
        v = self.vectors(row)
        return self.mlp(torch.cat([*v, torch.outer(sum(v), sum(v)).flatten()]))

    def wide_deep(self, row):
        return self.first_order(row) + self.mlp(torch.cat(self.vectors(row)))

    def deepfm(self, row):
        v = self.vectors(row)
        return self.first_order(row) + sum(a @ b for a, b in self.pairs(v)) + self.mlp(torch.cat(v))

    def nfm(self, row):
        return self.first_order(row) + self.mlp(sum(a * b for a, b in self.pairs(self.vectors(row))))

    def afm(self, row):
        pairs = torch.stack([a * b for a, b in self.pairs(self.vectors(row))])
        scores = self.linear("attention.score", F.relu(self.linear("attention.hidden", pairs, DIM)), 1)[:, 0]
        return self.first_order(row) + self.bias() + F.softmax(scores, 0) @ pairs @ self.weight("projection", DIM, 1)[:, 0]

    def autoint(self, row):
        e = torch.stack(self.vectors(row))
        for layer in range(2):
            def part(name):
                return e @ self.weight(f"attention.{layer}.{name}", DIM, DIM).T
            q, k, v, half = part("query"), part("key"), part("value"), DIM // 2
            heads = [F.softmax(q[:, h * half:(h + 1) * half] @ k[:, h * half:(h + 1) * half].T, 1) @ v[:, h * half:(h + 1) * half] for h in range(2)]
            e = F.relu(torch.cat(heads, 1) + part("residual"))
        return self.linear("out", e.flatten(), 1)[0]

    def dcn_v2(self, row):
        first = x = torch.cat(self.vectors(row))
        for layer in range(3):
            x = first * self.linear(f"cross.{layer}", x, len(first)) + x
        return self.mlp(x)

    def mean_step(self, row):
        steps = self.steps(row)
        return sum(steps) / len(steps) if steps else torch.zeros(2 * DIM)

    def mean_pooling(self, row):
        return self.mlp(torch.cat([self.plain(row), self.mean_step(row)]))

    def din(self, row):
        t, steps, scores = self.target(row), self.steps(row), []
        for h in steps:
            z = self.linear("unit.hidden", torch.cat([h, t, h - t, h * t]), 36)
            z = F.prelu(z.unsqueeze(0), self.weight("unit.hidden.slope", 36))[0]
            scores.append(self.linear("unit.out", z, 1)[0])
        interest = F.softmax(torch.stack(scores), 0) @ torch.stack(steps) if steps else torch.zeros(2 * DIM)
        return self.mlp(torch.cat([self.plain(row), self.mean_step(row), self.mean_step(row) * t, interest]))

    def cell(self, name, x, h):
        parts = [self.weight(f"{name}.input.weight", 6 * DIM, 2 * DIM), self.weight(f"{name}.state.weight", 6 * DIM, 2 * DIM),
                 self.weight(f"{name}.input.bias", 6 * DIM), self.weight(f"{name}.state.bias", 6 * DIM)]
        return torch._VF.gru_cell(x.unsqueeze(0), h.unsqueeze(0), *parts)[0]

    def extracted(self, row):
        h, states = torch.zeros(2 * DIM), []
        for x in self.steps(row):
            h = self.cell("extractor", x, h)
            states.append(h)
        return states

    def dien(self, row):
        states, h = self.extracted(row), torch.zeros(2 * DIM)
        if states:
            e = self.target(row) @ self.weight("attention", 2 * DIM, 2 * DIM)
            shares = F.softmax(torch.stack([s @ e for s in states]), 0)
            for s, a in zip(states, shares):
                # The cell's own step is (1 - z) (n - h); AUGRU takes the share a of it.
                h = h + a * (self.cell("evolution", s, h) - h)
        return self.mlp(torch.cat([self.plain(row), self.mean_step(row), self.mean_step(row) * self.target(row), h]))

    def part(self, name, x, out):
        for i, width in enumerate(HIDDEN[:-1]):
            x = F.relu(self.linear(f"{name}.{i}", x, width))
        return F.relu(self.linear(f"{name}.{len(HIDDEN) - 1}", x, out))

    def tower(self, k, x):
        return self.linear(f"tower.{k}.1", F.relu(self.linear(f"tower.{k}.0", x, HIDDEN[-1])), 1)[0]

    def shared_bottom(self, row):
        shared = self.part("bottom", torch.cat(self.vectors(row)), HIDDEN[-1])
        return torch.sigmoid(torch.stack([self.tower(k, shared) for k in range(TASKS)]))

    def esmm(self, row):
        own = []
        for k in range(TASKS):
            x = torch.cat(self.vectors(row))
            for i, width in enumerate(HIDDEN):
                x = F.relu(self.linear(f"tower.{k}.{i}", x, width))
            own.append(torch.sigmoid(self.linear(f"tower.{k}.{len(HIDDEN)}", x, 1)[0]))
        return torch.stack([own[0]] + [own[0] * p for p in own[1:]])

    def mixed(self, gate, x, experts):
        shares = torch.softmax(self.linear(gate, x, len(experts)), 0)
        return sum(s * e for s, e in zip(shares, experts))

    def mmoe(self, row):
        x = torch.cat(self.vectors(row))
        experts = [self.part(f"expert.{i}", x, HIDDEN[-1]) for i in range(4)]
        return torch.sigmoid(torch.stack([self.tower(k, self.mixed(f"gate.{k}", x, experts)) for k in range(TASKS)]))

    def ple(self, row):
        x = [torch.cat(self.vectors(row))] * (TASKS + 1)
        for level in range(2):
            experts = [[self.part(f"level.{level}.{s}.expert.{i}", x[s], HIDDEN[-1]) for i in range(2)] for s in range(TASKS + 1)]
            shared = [self.mixed(f"level.{level}.{TASKS}.gate", x[TASKS], sum(experts, []))] if level == 0 else []
            x = [self.mixed(f"level.{level}.{k}.gate", x[k], experts[k] + experts[TASKS]) for k in range(TASKS)] + shared
        return torch.sigmoid(torch.stack([self.tower(k, x[k]) for k in range(TASKS)]))

    def pair(self, row):
        v = self.vectors(row)
        return v[2], v[0]

    def factorised(self, u, i):
        return self.weight("gmf.weight", 1, DIM)[0] @ (u * i) + self.weight("gmf.bias", 1)[0]

    def gmf(self, row):
        return self.factorised(*self.pair(row))

    def ncf_mlp(self, row):
        return self.mlp(torch.cat(self.pair(row)))

    def neumf(self, row):
        u, i = self.pair(row)
        z = self.part("mlp", torch.cat([u[DIM:], i[DIM:]]), HIDDEN[-1])
        return self.linear("output", torch.cat([u[:DIM] * i[:DIM], z]), 1)[0]

    def auxiliary(self):
        total, count = 0.0, 0
        w = self.weight("next", 2 * DIM, 2 * DIM)
        for i, row in enumerate(rows):
            states, own, other = self.extracted(row), self.steps(row), self.steps(rows[i - len(rows) // 2])
            for t in range(1, len(own)):
                if t < len(other) and torch.equal(own[t], other[t]):
                    continue
                count += 1
                total = total - F.logsigmoid(states[t - 1] @ w @ own[t])
                if t < len(other):
                    total = total - F.logsigmoid(-(states[t - 1] @ w @ other[t]))
        return 0.5 * total / max(count, 1)

    def logits(self):
        return torch.stack([self.logit(row) for row in rows])


class Ftrl:
    def __init__(self, weights, alpha):
        self.w, self.alpha = weights, alpha
        self.z, self.n = torch.zeros_like(weights), torch.zeros_like(weights)

    def zero_grad(self):
        self.w.grad = None

    def step(self):
        with torch.no_grad():
            g = self.w.grad
            sigma = ((self.n + g * g).sqrt() - self.n.sqrt()) / self.alpha
            self.z += g - sigma * self.w
            self.n += g * g
            new = -self.z / ((0.01 + self.n.sqrt()) / self.alpha)
            self.w.copy_(torch.where(g != 0, new, self.w))


def run(name):
    model = Model(name)
    labels = torch.tensor([float(r["label"]) for r in rows])
    weights = torch.tensor([r["weight"] for r in rows])
    several = name in MULTI
    if several:
        labels = torch.tensor([r["labels"] for r in rows])

    def probabilities():
        return model.logits() if several else torch.sigmoid(model.logits())

    predictions, losses = [probabilities().tolist()], []
    if name == "dien":
        model.auxiliary()
    dense, tables = list(model.dense.values()), model.tables
    if name == "wide_deep":
        optimizers = [Ftrl(tables["linear"], 5 * TABLE_RATE), torch.optim.Adagrad([tables["vectors"]], TABLE_RATE),
                      torch.optim.Adagrad(dense, 10 * RATE)]
    else:
        optimizers = [torch.optim.Adam(dense, RATE), torch.optim.Adam(list(tables.values()), TABLE_RATE)]
    for _ in range(2):
        for optimizer in optimizers:
            optimizer.zero_grad()
        if several:
            p = probabilities()
            loss = -((labels * p.log() + (1 - labels) * (1 - p).log()) * weights[:, None]).sum(1).mean()
        else:
            loss = F.binary_cross_entropy_with_logits(model.logits(), labels, weights)
        losses.append(loss.item())
        (loss + model.auxiliary() if name == "dien" else loss).backward()
        for optimizer in optimizers:
            optimizer.step()
        predictions.append(probabilities().tolist())
    return {"predictions": predictions, "losses": losses}


names = ["lr", "fm", "ffm", "fwfm", "ipnn", "opnn", "wide_deep", "deepfm", "nfm", "afm", "autoint", "dcn_v2", "mean_pooling", "din", "dien", *MULTI, "gmf", "ncf_mlp", "neumf"]
print(json.dumps({"dim": DIM, "dense": DENSE, "length": LENGTH, "hidden": HIDDEN, "rate": RATE, "table_rate": TABLE_RATE, "keys": KEYS, "tasks": TASKS, "rows": rows,
                  "models": {name: run(name) for name in names}}))
