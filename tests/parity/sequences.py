"""An independent PyTorch computation of SASRec (Kang and McAuley 2018), GRU4Rec (Hidasi et al. 2016) and BERT4Rec (Sun et al. 2019).

Prints one JSON object: weights, histories, and the logits of what comes after each. Every history is computed alone and without padding, with
torch.nn.MultiheadAttention and torch.nn.GRU, so that padding and masks of the C# models are checked too.
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

ITEMS, DIM, HIDDEN, BLOCKS, HEADS, LENGTH = 9, 4, 5, 2, 2, 6


def linear(columns, rows):
    layer = nn.Linear(columns, rows)
    nn.init.normal_(layer.bias, std=0.3)
    return layer


def norm(eps):
    layer = nn.LayerNorm(DIM, eps=eps)
    nn.init.normal_(layer.weight, 1, 0.2)
    nn.init.normal_(layer.bias, std=0.2)
    return layer


def both(layer):
    return [layer.weight, layer.bias]


def attention():
    layer = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    nn.init.normal_(layer.in_proj_bias, std=0.3)
    nn.init.normal_(layer.out_proj.bias, std=0.3)
    return layer


def attention_weights(layer):
    return [part for w, b in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)) for part in (w, b)] + both(layer.out_proj)


class SasRec:
    def __init__(self):
        self.item, self.place = torch.randn(ITEMS + 1, DIM), torch.randn(LENGTH, DIM)
        self.blocks = [(norm(1e-8), attention(), norm(1e-8), linear(DIM, DIM), linear(DIM, DIM)) for _ in range(BLOCKS)]
        self.last = norm(1e-8)

    def weights(self):
        blocks = [w for a, b, c, d, e in self.blocks for w in [*both(a), *attention_weights(b), *both(c), *both(d), *both(e)]]
        return [self.item, self.place, *blocks, *both(self.last)]

    def logits(self, history):
        history = history[-LENGTH:]
        n = len(history)
        x = (self.item[history] * DIM ** 0.5 + self.place[LENGTH - n:]).unsqueeze(0)
        later = torch.ones(n, n).triu(1).bool()
        for before, attend, between, inner, outer in self.blocks:
            q = before(x)
            y = between(q + attend(q, x, x, attn_mask=later)[0])
            x = y + outer(F.relu(inner(y)))
        return self.item[1:] @ self.last(x)[0, -1]


class Gru4Rec:
    def __init__(self):
        self.item, self.bias = torch.randn(ITEMS + 1, DIM), torch.randn(ITEMS)
        self.gru, self.out = nn.GRU(DIM, HIDDEN, batch_first=True), linear(HIDDEN, DIM)

    def weights(self):
        g = self.gru
        return [self.item, self.bias, g.weight_ih_l0, g.bias_ih_l0, g.weight_hh_l0, g.bias_hh_l0, *both(self.out)]

    def logits(self, history):
        h, _ = self.gru(self.item[history[-LENGTH:]].unsqueeze(0))
        return self.item[1:] @ self.out(h[0, -1]) + self.bias


class Bert4Rec:
    def __init__(self):
        self.item, self.place, self.bias = torch.randn(ITEMS + 2, DIM), torch.randn(LENGTH, DIM), torch.randn(ITEMS)
        self.first, self.last, self.out = norm(1e-12), norm(1e-12), linear(DIM, DIM)
        self.blocks = [(attention(), norm(1e-12), linear(DIM, 4 * DIM), linear(4 * DIM, DIM), norm(1e-12)) for _ in range(BLOCKS)]

    def weights(self):
        blocks = [w for a, b, c, d, e in self.blocks for w in [*attention_weights(a), *both(b), *both(c), *both(d), *both(e)]]
        return [self.item, self.place, self.bias, *both(self.first), *blocks, *both(self.out), *both(self.last)]

    def logits(self, history):
        history = history[-(LENGTH - 1):] + [ITEMS + 1]
        x = self.first(self.item[history] + self.place[LENGTH - len(history):]).unsqueeze(0)
        for attend, between, inner, outer, after in self.blocks:
            x = between(x + attend(x, x, x)[0])
            x = after(x + outer(F.gelu(inner(x))))
        return self.item[1:ITEMS + 1] @ self.last(F.gelu(self.out(x[0, -1]))) + self.bias


histories = [[rng.randrange(1, ITEMS + 1) for _ in range(n)] for n in (1, 3, LENGTH, LENGTH + 2)]


def case(model):
    with torch.no_grad():
        return {
            "weights": [w.detach().flatten().tolist() for w in model.weights()],
            "logits": [model.logits(history).tolist() for history in histories],
        }


print(json.dumps({
    "items": ITEMS, "dim": DIM, "hidden": HIDDEN, "blocks": BLOCKS, "heads": HEADS, "length": LENGTH, "histories": histories,
    "models": {"sasrec": case(SasRec()), "gru4rec": case(Gru4Rec()), "bert4rec": case(Bert4Rec())},
}))
