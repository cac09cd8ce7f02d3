"""An independent PyTorch computation of GMF, MLP and NeuMF (He et al. 2017): forward, and two steps of Adam on one mini-batch.

Prints one JSON object: the case (weights, mini-batch) and what must come of it. The test loads the case into the C# models and compares.
Arguments: a seed. Debian's python3-torch will do (1.13); nothing of this project is used.
"""
import json
import random
import sys

import torch
from torch import nn
import torch.nn.functional as F

seed = int(sys.argv[1])
torch.manual_seed(seed)
rng = random.Random(seed)
torch.set_num_threads(1)

USERS, ITEMS, DIM, MLP_DIM, HIDDEN, RATE, ROWS = 5, 7, 3, 2, [4, 3], 0.01, 12


class Gmf(nn.Module):
    def __init__(self):
        super().__init__()
        self.user, self.item = nn.Embedding(USERS, DIM), nn.Embedding(ITEMS, DIM)
        self.out = nn.Linear(DIM, 1)

    def forward(self, u, i):
        return self.out(self.user(u) * self.item(i))[:, 0]

    def weights(self):
        return [self.user.weight, self.item.weight, self.out.weight, self.out.bias]


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.user, self.item = nn.Embedding(USERS, MLP_DIM), nn.Embedding(ITEMS, MLP_DIM)
        widths = [2 * MLP_DIM, *HIDDEN]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(HIDDEN[-1], 1)

    def trunk(self, u, i):
        x = torch.cat([self.user(u), self.item(i)], dim=-1)
        for layer in self.layers:
            x = F.relu(layer(x))
        return x

    def forward(self, u, i):
        return self.out(self.trunk(u, i))[:, 0]

    def trunk_weights(self):
        return [w for layer in self.layers for w in (layer.weight, layer.bias)]

    def weights(self):
        return [self.user.weight, self.item.weight, *self.trunk_weights(), self.out.weight, self.out.bias]


class NeuMf(nn.Module):
    def __init__(self):
        super().__init__()
        self.gmf, self.mlp = Gmf(), Mlp()
        self.out = nn.Linear(DIM + HIDDEN[-1], 1)

    def forward(self, u, i):
        return self.out(torch.cat([self.gmf.user(u) * self.gmf.item(i), self.mlp.trunk(u, i)], dim=-1))[:, 0]

    def weights(self):
        g, m = self.gmf, self.mlp
        return [g.user.weight, m.user.weight, g.item.weight, m.item.weight, *m.trunk_weights(), self.out.weight, self.out.bias]


users = [rng.randrange(USERS) for _ in range(ROWS)]
items = [rng.randrange(ITEMS) for _ in range(ROWS)]
labels = [float(rng.randrange(2)) for _ in range(ROWS)]
u, i, y = torch.tensor(users), torch.tensor(items), torch.tensor(labels)


def run(model):
    def flat():
        return [w.detach().flatten().tolist() for w in model.weights()]

    before, logits, losses = flat(), [], []
    optimizer = torch.optim.Adam(model.weights(), lr=RATE)
    for step in range(3):
        z = model(u, i)
        logits.append(z.tolist())
        if step == 2:
            break
        loss = F.binary_cross_entropy(torch.sigmoid(z), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"weights": before, "logits": logits, "losses": losses, "after": flat()}


print(json.dumps({
    "users": USERS, "items": ITEMS, "dim": DIM, "mlp_dim": MLP_DIM, "hidden": HIDDEN, "rate": RATE,
    "rows": {"users": users, "items": items, "labels": labels},
    "models": {"gmf": run(Gmf()), "mlp": run(Mlp()), "neumf": run(NeuMf())},
}))
