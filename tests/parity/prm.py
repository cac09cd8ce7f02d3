"""An independent PyTorch computation of PRM (Pei et al. 2019): logits and two Adam steps on lists of different lengths.

The encoder blocks are torch.nn.TransformerEncoderLayer, lists go one by one and unpadded. Prints one JSON object: the lists and, with and without the sum with the
base ranker's log-odds, weights, logits and losses. Arguments: a seed. Debian's python3-torch will do (1.13).
"""
import json
import random
import sys

import torch
import torch.nn.functional as F
from torch import nn

seed = int(sys.argv[1])
rng = random.Random(seed)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.manual_seed(seed)

COLUMNS, DIM, HIDDEN, HEADS, BLOCKS, ITEMS, RATE = 5, 8, 12, 2, 2, 7, 0.01

lists = []
for length in [4, 1, 7, 3]:
    labels = [float(rng.randrange(2)) for _ in range(length)]
    labels[rng.randrange(length)] = 1.0
    lists.append({"features": [[round(rng.uniform(-1, 1), 3) for _ in range(COLUMNS)] for _ in range(length)], "labels": labels})


class Prm(nn.Module):
    def __init__(self, adds):
        super().__init__()
        self.adds = adds
        self.place = nn.Parameter(0.1 * torch.randn(ITEMS, COLUMNS))
        self.input = nn.Linear(COLUMNS, DIM)
        self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(DIM, HEADS, HIDDEN, dropout=0.0, batch_first=True) for _ in range(BLOCKS)])
        self.output = nn.Linear(DIM, 1)

    def forward(self, x):
        z = self.input(x + self.place[: len(x)]).unsqueeze(0)
        for block in self.blocks:
            z = block(z)
        logits = self.output(z[0])[:, 0]
        return logits + x[:, -1] if self.adds else logits

    def weights(self):
        """By the names of the network under test."""
        named = {"place": self.place, "input.weight": self.input.weight, "input.bias": self.input.bias, "output.weight": self.output.weight, "output.bias": self.output.bias}
        for b, block in enumerate(self.blocks):
            attention = block.self_attn
            for part, w, bias in zip(["query", "key", "value"], attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)):
                named[f"block{b}.attention.{part}.weight"], named[f"block{b}.attention.{part}.bias"] = w, bias
            pairs = {"attention.output": attention.out_proj, "between": block.norm1, "inner": block.linear1, "outer": block.linear2, "after": block.norm2}
            for name, layer in pairs.items():
                named[f"block{b}.{name}.weight"], named[f"block{b}.{name}.bias"] = layer.weight, layer.bias
        return {name: w.detach().flatten().tolist() for name, w in named.items()}


def run(adds):
    model = Prm(adds)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    before, logits, losses = model.weights(), [], []
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for step in range(3):
        out = [model(torch.tensor(one["features"])) for one in lists]
        logits.append([o.tolist() for o in out])
        if step == 2:
            break
        loss = sum(-(torch.tensor(one["labels"]) * F.log_softmax(o, 0)).sum() for one, o in zip(lists, out)) / len(lists)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"weights": before, "logits": logits, "losses": losses}


print(json.dumps({
    "columns": COLUMNS, "dim": DIM, "hidden": HIDDEN, "heads": HEADS, "blocks": BLOCKS, "items": ITEMS, "rate": RATE,
    "lists": lists, "models": {"plain": run(False), "on_base": run(True)},
}))
