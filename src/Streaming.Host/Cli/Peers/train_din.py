"""DIN in plain PyTorch, as one writes it: what `./run bench train --model din` measures itself against.

The same model, data, batch, thread count and device as the verb's; nn.Embedding(sparse=True) with SparseAdam for the tables and Adam
for the rest. Each batch is predicted first (eval mode, no gradients) and then learned, as the trainer does.

Reads a folder that the verb wrote: shape.json and little-endian arrays users.i32 [N], items.i32 [N], histories.i32 [N, L] (0 is
padding), session.i32 [N], surfaces.i32 [N], hours.i32 [N], labels.f32 [N], dense.f32 [N, dense], categories.i32 [items + 1]. Prints one JSON object.
"""
import json
import os
import sys
import time

import numpy
import torch
from torch import nn


class Dice(nn.Module):
    """p(s) s + (1 - p(s)) alpha s with p(s) = sigmoid((s - E[s]) / sqrt(Var[s] + eps)), Zhou et al. 2018, section 5.3."""

    def __init__(self, columns, eps=1e-8):
        super().__init__()
        self.norm = nn.BatchNorm1d(columns, eps=eps, momentum=0.01, affine=False)
        self.alpha = nn.Parameter(torch.zeros(columns))

    def forward(self, s):
        p = torch.sigmoid(self.norm(s))
        return p * s + (1 - p) * self.alpha * s


class ActivationUnit(nn.Module):
    def __init__(self, columns, hidden):
        super().__init__()
        self.hidden = nn.Linear(4 * columns, hidden)
        self.act = nn.PReLU(hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, history, target):
        """history [B, L, D], target [B, D] -> weights [B, L], not normalised."""
        t = target.unsqueeze(1).expand_as(history)
        z = self.hidden(torch.cat([history, t, history - t, history * t], dim=-1))
        z = self.act(z.view(-1, z.shape[-1]))
        return self.out(z).view(history.shape[:2])


class Din(nn.Module):
    def __init__(self, shape):
        super().__init__()
        d = shape["dim"]
        def table(rows, padding=None):
            return nn.Embedding(rows, d, padding_idx=padding, sparse=True)
        self.item = table(shape["items"] + 1, 0)
        self.side = table(shape["categories"] + 1, 0)
        self.user = table(shape["users"] + 1)
        self.surface = table(shape["surfaces"] + 1)
        self.hour = table(24)
        self.unit = ActivationUnit(2 * d, shape["unit"])
        widths = [9 * d + shape["dense"]] + shape["hidden"]
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Linear(a, b), Dice(b)]
        self.mlp = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def items(self, ids, categories):
        return torch.cat([self.item(ids), self.side(categories[ids])], dim=-1)

    def forward(self, x, categories):
        history = self.items(x["histories"], categories)
        target = self.items(x["items"], categories)
        weights = self.unit(history, target)
        at = torch.arange(history.shape[1], device=history.device)
        known = x["histories"] != 0
        in_session = at < x["session"].unsqueeze(1)
        session = ((weights * (known & in_session)).unsqueeze(-1) * history).sum(1)
        older = ((weights * (known & ~in_session)).unsqueeze(-1) * history).sum(1)
        return self.mlp(torch.cat(
            [self.user(x["users"]), target, session, older, self.surface(x["surfaces"]), self.hour(x["hours"]), x["dense"]], dim=-1)).squeeze(-1)

    def tables(self):
        return [m.weight for m in self.modules() if isinstance(m, nn.Embedding)]


def load(folder):
    with open(os.path.join(folder, "shape.json"), encoding="utf-8") as file:
        shape = json.load(file)
    data = {}
    for name in ["users", "items", "histories", "session", "surfaces", "hours", "categories"]:
        data[name] = torch.from_numpy(numpy.fromfile(os.path.join(folder, name + ".i32"), "<i4").astype("int64"))
    data["labels"] = torch.from_numpy(numpy.fromfile(os.path.join(folder, "labels.f32"), "<f4"))
    data["dense"] = torch.from_numpy(numpy.fromfile(os.path.join(folder, "dense.f32"), "<f4")).view(-1, shape["dense"])
    data["histories"] = data["histories"].view(-1, shape["history"])
    return shape, data


def main(folder, seconds, device):
    shape, data = load(folder)
    torch.set_num_threads(shape["threads"])
    torch.manual_seed(shape["seed"])
    model = Din(shape).to(device)
    tables = model.tables()
    known = {id(t) for t in tables}
    dense = [p for p in model.parameters() if id(p) not in known]
    optimizers = [torch.optim.SparseAdam(tables, lr=1e-3), torch.optim.Adam(dense, lr=1e-3)]
    loss_of = nn.BCEWithLogitsLoss()
    categories = data.pop("categories").to(device)
    batches = [{k: v[i:i + shape["batch"]] for k, v in data.items()} for i in range(0, len(data["labels"]), shape["batch"])]

    def step(x):
        x = {k: v.to(device) for k, v in x.items()}
        model.eval()
        with torch.no_grad():
            torch.sigmoid(model(x, categories))
        model.train()
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x, categories), x["labels"])
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss.item()

    for x in batches[:shape["warmup"]]:
        step(x)
    losses, at, started = [], shape["warmup"], time.perf_counter()
    while time.perf_counter() - started < seconds:
        losses.append(step(batches[at % len(batches)]))
        at += 1
    elapsed = time.perf_counter() - started
    print(json.dumps({
        "examples": len(losses) * shape["batch"], "seconds": elapsed, "examples_per_s": len(losses) * shape["batch"] / elapsed,
        "loss": sum(losses) / len(losses), "torch": torch.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
