"""nn.Embedding under PyTorch's optimisers, on one planted stream of mini-batches: what an embedding table must do too.

Prints one JSON object: first rows, mini-batches (keys and the vector that each row is pulled to) and the rows after all of them,
by optimiser. Argument: a seed. Debian's python3-torch will do (1.13); nothing of this project is used.
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
ROWS, DIM, STEPS, BATCH, RATE = 7, 9, 12, 6, 0.05
first = 0.5 * torch.randn(ROWS + 1, DIM)
first[0] = 0
targets = torch.randn(STEPS, BATCH, DIM)
# Padding and repeated keys are in it; some rows come late.
keys = [[rng.randrange(0, 1 + min(ROWS, 3 + s)) for _ in range(BATCH)] for s in range(STEPS)]


def run(sparse, make, all_keys=False):
    table = nn.Embedding(ROWS + 1, DIM, padding_idx=0, sparse=sparse)
    with torch.no_grad():
        table.weight.copy_(first)
    optimizer = make(table)
    for s in range(STEPS):
        optimizer.zero_grad()
        k = torch.tensor(list(range(1, ROWS)) if all_keys else keys[s])
        (0.5 * (table(k) - targets[s]) ** 2).sum().backward()
        optimizer.step()
    return table.weight.detach().tolist()


def by_row():
    """Row-wise Adagrad (Naumov et al. 2019): G += mean(g^2), w -= rate g / sqrt(initial + G)."""
    w, total = first.clone(), torch.zeros(ROWS + 1)
    for s in range(STEPS):
        leaf = w.clone().requires_grad_()
        (0.5 * (leaf[torch.tensor(keys[s])] - targets[s]) ** 2).sum().backward()
        g = leaf.grad
        g[0] = 0
        total += (g ** 2).mean(1)
        w = w - RATE * g / torch.sqrt(0.1 + total).unsqueeze(1)
    return w.tolist()


print(json.dumps({
    "rate": RATE, "dim": DIM, "first": first.tolist(), "keys": keys, "every_key": list(range(1, ROWS)), "targets": targets.tolist(),
    "sgd": run(False, lambda t: torch.optim.SGD(t.parameters(), lr=RATE)),
    "adagrad": run(False, lambda t: torch.optim.Adagrad(t.parameters(), lr=RATE)),
    "adagrad_by_row": by_row(),
    "sparse_adam": run(True, lambda t: torch.optim.SparseAdam(list(t.parameters()), lr=RATE)),
    "adam_every_row": run(False, lambda t: torch.optim.Adam(t.parameters(), lr=RATE), all_keys=True)}))
