"""An independent PyTorch computation of DIN (Zhou et al. 2018): predictions before, between and after two training steps.

Prints one JSON object: the case (weights, rows, mini-batch) and what must come of it. Argument: a seed. Debian's python3-torch
will do (1.13); nothing of this project is used.
"""
import json
import random
import sys

import torch
from torch import nn

seed = int(sys.argv[1])
torch.manual_seed(seed)
rng = random.Random(seed)
torch.set_num_threads(1)

D, UNIT, HIDDEN, HISTORY, POSITIONS, DENSE = 3, 5, [7, 4], 4, 3, 2
RATE, TABLE_RATE = 0.01, 0.02
ITEMS, SIDES, USERS, SURFACES = 9, 6, 4, 2
side_of = [[]] + [sorted(rng.sample(range(SIDES), rng.randrange(4))) for _ in range(ITEMS)]


class Dice(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.norm = nn.BatchNorm1d(n, eps=1e-8, affine=False)
        self.alpha = nn.Parameter(0.3 * torch.randn(n))

    def forward(self, s):
        p = torch.sigmoid(self.norm(s))
        return p * s + (1 - p) * self.alpha * s


class Din(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Embedding(ITEMS + 1, D, padding_idx=0, sparse=True)
        self.side = nn.Embedding(SIDES, D, sparse=True)
        self.user = nn.Embedding(USERS, D, sparse=True)
        self.surface = nn.Embedding(SURFACES, D, sparse=True)
        self.hour = nn.Embedding(24, D, sparse=True)
        self.unit_hidden = nn.Linear(8 * D, UNIT)
        self.unit_act = nn.PReLU(UNIT)
        self.unit_out = nn.Linear(UNIT, 1)
        widths = [9 * D + DENSE] + HIDDEN
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:] + [1]))
        self.dices = nn.ModuleList(Dice(n) for n in HIDDEN)
        self.positions = nn.Parameter(0.2 * torch.randn(POSITIONS))
        self.register_buffer("position_mean", torch.zeros(()))

    def vector(self, i):
        side = self.side(torch.tensor(side_of[i])).mean(0) if side_of[i] else torch.zeros(D)
        return torch.cat([self.item(torch.tensor([i]))[0], side])

    def row(self, r):
        target, session, older = self.vector(r["item"]), torch.zeros(2 * D), torch.zeros(2 * D)
        for j, past in enumerate(r["history"]):
            h = self.vector(past)
            weight = self.unit_out(self.unit_act(self.unit_hidden(torch.cat([h, target, h - target, h * target])).unsqueeze(0)))
            if j < r["in_session"]:
                session = session + weight.squeeze() * h
            else:
                older = older + weight.squeeze() * h
        one = [table(torch.tensor([r[name]]))[0] for name, table in [("user", self.user), ("surface", self.surface), ("hour", self.hour)]]
        return torch.cat([one[0], target, session, older, one[1], one[2], torch.tensor(r["figures"])])

    def forward(self, rows):
        x = torch.stack([self.row(r) for r in rows])
        for linear, dice in zip(self.linears, self.dices):
            x = dice(linear(x))
        x = self.linears[-1](x).squeeze(1)
        if not self.training:
            return x + self.position_mean
        zero = torch.zeros(())
        bias = torch.stack([self.positions[min(r["position"], POSITIONS - 1)] if r["position"] >= 0 else zero for r in rows])
        with torch.no_grad():
            self.position_mean += 0.1 * (bias.mean() - self.position_mean)
        return x + bias


def number(t):
    return t.detach().tolist()


model = Din()
rows = []
for n in range(8):
    length = rng.randrange(HISTORY + 1)
    rows.append({
        "user": rng.randrange(USERS), "item": 1 + rng.randrange(ITEMS), "history": [1 + rng.randrange(ITEMS) for _ in range(length)],
        "in_session": rng.randrange(length + 1), "surface": rng.randrange(SURFACES), "hour": rng.randrange(24), "position": rng.randrange(-1, 5),
        "label": float(rng.randrange(2)), "weight": rng.choice([1.0, 1.0, 4.0]), "figures": [rng.uniform(-2, 2) for _ in range(DENSE)]})

tables = {n: getattr(model, n).weight for n in ["item", "side", "user", "surface", "hour"]}
known = {id(t) for t in tables.values()}
dense = [p for p in model.parameters() if id(p) not in known]


def parts():
    named = [("unit.hidden.weight", model.unit_hidden.weight), ("unit.hidden.bias", model.unit_hidden.bias),
             ("unit.hidden.slope", model.unit_act.weight), ("unit.out.weight", model.unit_out.weight), ("unit.out.bias", model.unit_out.bias)]
    for i, linear in enumerate(model.linears):
        named += [(f"mlp.{i}.weight", linear.weight), (f"mlp.{i}.bias", linear.bias)]
    for i, dice in enumerate(model.dices):
        named += [(f"mlp.{i}.alpha", dice.alpha), (f"mlp.{i}.mean", dice.norm.running_mean), (f"mlp.{i}.variance", dice.norm.running_var)]
    named += [("positions", torch.cat([model.positions, torch.zeros(1)])), ("positions.mean", model.position_mean.reshape(1))]
    return {name: number(t.flatten()) for name, t in named}


case = {"dim": D, "unit": UNIT, "hidden": HIDDEN, "history": HISTORY, "positions": POSITIONS, "figures": DENSE, "rate": RATE, "table_rate": TABLE_RATE,
        "sides": side_of, "rows": rows, "tables": {n: number(t) for n, t in tables.items()}, "dense": parts()}
optimizers = [torch.optim.SparseAdam(list(tables.values()), lr=TABLE_RATE), torch.optim.Adam(dense, lr=RATE)]
labels = torch.tensor([r["label"] for r in rows])
loss_of = nn.BCEWithLogitsLoss(weight=torch.tensor([r["weight"] for r in rows]))
predictions, losses = [], []


def predict():
    model.eval()
    with torch.no_grad():
        predictions.append(number(torch.sigmoid(model(rows))))
    model.train()


predict()
for _ in range(2):
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss = loss_of(model(rows), labels)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    losses.append(loss.item())
    predict()
case["expected"] = {"predictions": predictions, "losses": losses, "dense": parts(), "tables": {n: number(t) for n, t in tables.items()}}
print(json.dumps(case))
