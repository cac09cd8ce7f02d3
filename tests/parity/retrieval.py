"""An independent PyTorch computation of item2vec (Barkan and Koenigstein 2016), AutoRec (Sedhain et al. 2015; I-AutoRec of the live path too), TransRec (He et al. 2017), YouTubeDNN
(Covington et al. 2016), DSSM (Huang et al. 2013), MIND (Li et al. 2019) and SDM (Lv et al. 2019).

Prints one JSON object: interactions, weights, a mini-batch with its loss and gradients, and the scores of
all items after some histories. Everything is computed example by example.
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

USERS, ITEMS, DIM, HIDDEN, RECENT = 4, 7, 3, 5, 2
LAMBDA = 0.25
histories = [[rng.randrange(ITEMS) for _ in range(n)] for n in (3, 5, 2, 6)]
grades = [[float(rng.randrange(1, 6)) for _ in h] for h in histories]
# Minutes apart; eleven end a session.
pauses = [[rng.choice([1, 5, 9, 11, 60]) for _ in h] for h in histories]
times = [[100 * u + sum(p[:k + 1]) for k in range(len(p))] for u, p in enumerate(pauses)]
queries = [{"user": u, "history": h} for u, h in enumerate(histories)] + [{"user": USERS, "history": [1, 4, 2]}]


def weight(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def grade_row(user):
    """The last grade of a pair stands."""
    row = torch.zeros(ITEMS)
    for item, grade in zip(histories[user], grades[user]):
        row[item] = grade
    return row


class Item2Vec:
    def __init__(self):
        self.v, self.u = weight(ITEMS, DIM), weight(ITEMS, DIM)
        self.batch = {"centres": [0, 3, 3], "contexts": [1, 2, 6], "negatives": [[1, 4], [5, 0], [2, 3]]}

    def weights(self):
        return [self.v, self.u]

    def loss(self):
        losses = []
        for i, j, drawn in zip(*self.batch.values()):
            one = -torch.log(torch.sigmoid(self.v[i] @ self.u[j]))
            for n in drawn:
                if n != j:
                    one = one - torch.log(torch.sigmoid(-(self.v[i] @ self.u[n])))
            losses.append(one)
        return sum(losses) / len(losses)

    def scores(self, user, history):
        recent = history[-RECENT:]
        mean = sum(self.v[i] / self.v[i].norm() for i in recent) / len(recent)
        return [F.cosine_similarity(mean, self.v[i], dim=0) for i in range(ITEMS)]


class AutoRec:
    def __init__(self, of_items, unseen):
        self.of_items, self.unseen = of_items, unseen
        whole = torch.stack([grade_row(u) for u in range(USERS)])
        self.matrix = whole if unseen == 0 else (whole != 0).float()
        rows, columns = (ITEMS, USERS) if of_items else (USERS, ITEMS)
        self.v, self.mu, self.w, self.b = weight(HIDDEN, columns), weight(HIDDEN), weight(columns, HIDDEN), weight(columns)
        self.rows = rows
        which = [1, 3, 0]
        table = self.matrix.t() if of_items else self.matrix
        self.batch = {"rows": [table[r].tolist() for r in which]}

    def weights(self):
        return [self.v, self.mu, self.w, self.b]

    def out(self, r):
        return self.w @ (1 / (1 + torch.exp(-(self.v @ r + self.mu)))) + self.b

    def loss(self):
        total = 0
        for row in self.batch["rows"]:
            r = torch.tensor(row)
            h = self.out(r)
            for k in range(len(row)):
                total = total + (1 if row[k] != 0 else self.unseen) * (row[k] - h[k]) ** 2
        return total / len(self.batch["rows"]) + LAMBDA / 2 * ((self.w ** 2).sum() + (self.v ** 2).sum()) / self.rows

    def scores(self, user, history):
        if self.of_items:
            columns = torch.stack([self.out(self.matrix[:, i]) for i in range(ITEMS)])
            return list(columns[:, user] if user < USERS else columns.mean(1))
        row, mean = torch.zeros(ITEMS), sum(map(sum, grades)) / sum(map(len, grades))
        for item in history:
            row[item] = 1 if self.unseen else (grade_row(user)[item] if user < USERS else mean)
        return list(self.out(row))


class LiveItemAutoRec:
    """A mini-batch of clicks; items 1 to 6, of which four might have been clicked, and two users, 0 being the padding and nobody."""
    CANDIDATES = 4

    def __init__(self):
        self.sum, self.user, self.encoder, self.mu = weight(ITEMS, HIDDEN), weight(3, HIDDEN + 1), weight(3, HIDDEN), weight(HIDDEN)
        with torch.no_grad():
            self.sum[0], self.user[0], self.encoder[0] = 0, 0, 0
            # The second user has no row yet.
            self.user[2] = 0
        self.batch = {"users": [1, 2, 1], "histories": [[0, 3], [5, 6], [2, 5]], "targets": [2, 1, 1], "read": [1, 0, 1]}

    def weights(self):
        return [self.sum, self.user, self.encoder, self.mu]

    def hidden(self, item, read=()):
        x = self.sum[item] + self.mu
        for user in read:
            x = x + self.encoder[user]
        return 1 / (1 + torch.exp(-x)) - 0.5

    def loss(self):
        clicks, total = list(zip(*self.batch.values())), 0
        for item in range(1, self.CANDIDATES + 1):
            h = self.hidden(item, [u for u, _, target, read in clicks if target == item and read])
            for user in (1, 2):
                w = self.w(user, [past for u, past, _, _ in clicks if u == user][-1])
                w = self.user[user][:HIDDEN] + (w - self.user[user][:HIDDEN]).detach()
                told = any(u == user and (target == item or item in history) for u, history, target, _ in clicks)
                score = w @ h + self.user[user][HIDDEN]
                total = total + (1 if told else 0.5) * (float(told) - score) ** 2
        size = (self.user[:, :HIDDEN] ** 2).sum() + (self.encoder ** 2).sum()
        return total / self.CANDIDATES + LAMBDA / 2 * size / self.CANDIDATES

    def w(self, user, history):
        there = [i for i in history if i > 0]
        return self.user[user][:HIDDEN] + sum(self.hidden(i) for i in there) / len(there)

    def pass_scores(self):
        """By row, less the b of its user: the scores of the candidates."""
        for user, history in zip(self.batch["users"], self.batch["histories"]):
            yield [self.w(user, history) @ self.hidden(i) for i in range(1, self.CANDIDATES + 1)]


class TransRec:
    def __init__(self):
        self.item, self.bias, self.shared, self.user = weight(ITEMS, DIM), weight(ITEMS), weight(1, DIM), weight(USERS, DIM)
        self.batch = {"users": [0, 2, 3], "before": [1, 4, 4], "after": [2, 5, 0], "negatives": [[3, 6], [0, 1], [2, 2]]}

    def weights(self):
        return [self.item, self.bias, self.shared, self.user]

    def g(self, i):
        return self.item[i] / max(1.0, self.item[i].norm())

    def score(self, user, i, j):
        own = self.user[user] if user < USERS else 0
        return self.bias[j] - ((self.g(i) + self.shared[0] + own - self.g(j)) ** 2).sum()

    def loss(self):
        losses, size, n = [], 0, len(self.batch["users"])
        for u, i, j, drawn in zip(*self.batch.values()):
            size = size + (self.user[u] ** 2).sum() + self.bias[j] ** 2
            for k in drawn:
                losses.append(-torch.log(torch.sigmoid(self.score(u, i, j) - self.score(u, i, k))))
                size = size + self.bias[k] ** 2
        return sum(losses) / len(losses) + LAMBDA / 2 * size / n

    def scores(self, user, history):
        return [self.score(user, history[-1], j) for j in range(ITEMS)]


LENGTH, TOWER, POWER, INTERESTS, ROUNDS, SHORT, GAMMA, LABEL_POWER = 4, 4, 0.75, 3, 3, 2, 5.0, 2.0


class Retrieval:
    """The sampled softmax over one target and the items drawn, each logit less the log of its expected draws."""
    batch = {"users": [0, 1, 3, 3], "before": [2, 4, 1, 5], "drawn": [0, 6, 2, 2, histories[3][1]]}
    power = POWER

    def chances(self):
        counts = [sum(h.count(i) for h in histories) for i in range(ITEMS)]
        total = sum((c ** self.power if self.power else 1) for c in counts)
        return [(c ** self.power if self.power else 1) / total for c in counts]

    def loss(self):
        q, n, losses = self.chances(), len(self.batch["drawn"]), []
        for user, at in zip(self.batch["users"], self.batch["before"]):
            target = histories[user][at]
            vector = self.for_target(self.interests(user, histories[user][:at]), self.item(target))
            candidates = [target] + [i for i in self.batch["drawn"] if i != target]
            logits = torch.stack([vector @ self.item(i) - math.log(n * max(q[i], 1e-12 / n)) for i in candidates])
            losses.append(-torch.log_softmax(logits, 0)[0])
        return sum(losses) / len(losses)

    def for_target(self, interests, target):
        return interests[0]

    def item(self, i):
        return self.e[i + 1]

    def scores(self, user, history):
        return [max(v @ self.item(i) for v in self.interests(user, history)) for i in range(ITEMS)]


def known(user, history):
    return user < USERS and histories[user][:len(history)] == history


def dense(x, layer):
    return layer[0] @ x + layer[1]


def layer(columns, rows):
    return weight(rows, columns, scale=0.7), weight(rows, scale=0.3)


class YouTubeDnn(Retrieval):
    def __init__(self):
        self.input, self.e = weight(ITEMS + 1, DIM), weight(ITEMS + 1, DIM)
        self.one, self.two = layer(DIM + 3, TOWER), layer(TOWER, DIM)

    def weights(self):
        return [self.input, self.e, *self.one, *self.two]

    def interests(self, user, history):
        moments = [t for u in times for t in u]
        age = (max(moments) - times[user][len(history) - 1]) / (max(moments) - min(moments)) if known(user, history) else 0.0
        recent = history[-LENGTH:]
        mean = sum(self.input[i + 1] for i in recent) / len(recent)
        x = torch.cat([mean, torch.tensor([age, age ** 2, age ** 0.5])])
        return [dense(F.relu(dense(x, self.one)), self.two)]


class Dssm(Retrieval):
    power = 0

    def __init__(self):
        self.query, self.document = weight(ITEMS + 1, DIM), weight(ITEMS + 1, DIM)
        self.q, self.d = [layer(DIM, TOWER), layer(TOWER, DIM)], [layer(DIM, TOWER), layer(TOWER, DIM)]

    def weights(self):
        return [self.query, self.document, *self.q[0], *self.q[1], *self.d[0], *self.d[1]]

    @staticmethod
    def tower(x, layers):
        x = torch.tanh(x)
        for one in layers:
            x = torch.tanh(dense(x, one))
        return x / x.norm()

    def interests(self, user, history):
        recent = history[-LENGTH:]
        return [GAMMA * self.tower(sum(self.query[i + 1] for i in recent) / len(recent), self.q)]

    def item(self, i):
        return self.tower(self.document[i + 1], self.d)


class Mind(Retrieval):
    def __init__(self):
        self.e, self.s = weight(ITEMS + 1, DIM), weight(DIM, DIM)
        self.one, self.two = layer(DIM, TOWER), layer(TOWER, DIM)
        self.first = torch.randn(INTERESTS, LENGTH)

    def weights(self):
        return [self.e, self.s, *self.one, *self.two]

    @staticmethod
    def squash(z):
        return (z @ z) / (1 + z @ z) * z / z.norm()

    def interests(self, user, history):
        recent = history[-LENGTH:]
        k = max(1, min(INTERESTS, int(math.log2(len(recent)) + 1e-9)))
        c = [self.s @ self.e[i + 1] for i in recent]
        b = self.first[:k, LENGTH - len(recent):].clone()
        for number in range(ROUNDS):
            w = torch.softmax(b, 0)
            if number == ROUNDS - 1:
                capsules = [self.squash(sum(w[j, i] * c[i] for i in range(len(c)))) for j in range(k)]
                return [dense(F.relu(dense(u, self.one)), self.two) for u in capsules]
            still = [x.detach() for x in c]
            u = [self.squash(sum(w[j, i] * still[i] for i in range(len(c)))) for j in range(k)]
            b = b + torch.tensor([[float(u[j] @ still[i]) for i in range(len(c))] for j in range(k)])

    def for_target(self, interests, target):
        near = torch.stack([v @ target for v in interests])
        w = torch.softmax(near.sign() * near.abs() ** LABEL_POWER, 0)
        return sum(w[j] * v for j, v in enumerate(interests))


class Sdm(Retrieval):
    def __init__(self):
        self.e, self.grade, self.user = weight(ITEMS + 1, DIM), weight(6, DIM), weight(USERS + 1, DIM)
        self.lstm, self.attention = nn.LSTM(DIM, DIM), nn.MultiheadAttention(DIM, 1)
        nn.init.normal_(self.attention.in_proj_bias, std=0.3)
        nn.init.normal_(self.attention.out_proj.bias, std=0.3)
        self.long, self.gate = layer(2 * DIM, DIM), [layer(DIM, DIM) for _ in range(3)]
        a = self.attention
        # Leaves of their own for the three maps, so that each has its gradient.
        self.maps = [[w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()]
                     for w, b in zip(a.in_proj_weight.chunk(3), a.in_proj_bias.chunk(3))]

    def weights(self):
        l, a = self.lstm, self.attention
        maps = [p for m in self.maps for p in m]
        return [self.e, self.grade, self.user, l.weight_ih_l0, l.bias_ih_l0, l.weight_hh_l0, l.bias_hh_l0, *maps, a.out_proj.weight, a.out_proj.bias,
                *self.long, *self.gate[0], *self.gate[1], *self.gate[2]]

    @staticmethod
    def attend(rows, e):
        if not rows:
            return torch.zeros(DIM)
        w = torch.softmax(torch.stack([r @ e for r in rows]), 0)
        return sum(w[k] * r for k, r in enumerate(rows))

    def interests(self, user, history):
        sure, start = known(user, history), len(history) - 1
        while start > 0 and len(history) - start < SHORT and (not sure or times[user][start] - times[user][start - 1] <= 10):
            start -= 1
        e = self.user[user + 1] if user < USERS else self.user[0]
        h, _ = self.lstm(torch.stack([self.e[i + 1] for i in history[start:]]))
        n = len(h)
        q, k, v = (h @ w.t() + b for w, b in self.maps)
        a = torch.softmax(q @ k.t() / DIM ** 0.5 + torch.full((n, n), -math.inf).triu(1), 1) @ v
        x = a @ self.attention.out_proj.weight.t() + self.attention.out_proj.bias
        s = self.attend(list(x), e)
        old = range(max(0, len(history) - LENGTH), start)
        z = [self.attend([self.e[history[k] + 1] for k in old], e),
             self.attend([self.grade[int(grades[user][k]) if sure else 0] for k in old], e)]
        p = torch.tanh(dense(torch.cat(z), self.long))
        g = torch.sigmoid(dense(e, self.gate[0]) + dense(s, self.gate[1]) + dense(p, self.gate[2]))
        return [(1 - g) * p + g * s]


def case(model):
    """Scores of the queries; of a model of the live path those of its mini-batch."""
    loss = model.loss()
    gradients = torch.autograd.grad(loss, model.weights())
    return {
        "weights": [w.detach().flatten().tolist() for w in model.weights()], "batch": model.batch, "loss": loss.item(),
        "gradients": [g.flatten().tolist() for g in gradients],
        "scores": [[s.item() for s in row] for row in (
            model.pass_scores() if hasattr(model, "pass_scores") else (model.scores(q["user"], q["history"]) for q in queries))],
    }


mind = Mind()
print(json.dumps({
    "users": USERS, "items": ITEMS, "dim": DIM, "hidden": HIDDEN, "recent": RECENT, "lambda": LAMBDA,
    "histories": histories, "grades": grades, "minutes": times,
    "length": LENGTH, "tower": TOWER, "power": POWER, "interests": INTERESTS, "rounds": ROUNDS, "short": SHORT, "gamma": GAMMA, "label_power": LABEL_POWER,
    "first_logits": mind.first.flatten().tolist(), "queries": queries,
    "models": {
        "item2vec": case(Item2Vec()), "autorec-u": case(AutoRec(False, 0.5)), "autorec-i": case(AutoRec(True, 0.5)),
        "autorec-u-grades": case(AutoRec(False, 0)), "autorec-i-grades": case(AutoRec(True, 0)), "transrec": case(TransRec()),
        "youtube-dnn": case(YouTubeDnn()), "dssm": case(Dssm()), "mind": case(mind), "sdm": case(Sdm()), "autorec-i-live": case(LiveItemAutoRec()),
    },
}))
