"""DRN in PyTorch, independent of the C# code: a dueling double DQN, one TD step.

Reads nothing, prints one JSON object: sizes, inputs, weights, Q, targets, loss, gradients, and the weights after one step of Adam and
after a second one on the same batch. Zheng et al. 2018, "DRN: A Deep Reinforcement Learning Framework for News Recommendation";
y = r + gamma Q'(s', argmax_a Q(s', a)), loss = mean (Q(s, a) - y)^2.

    python3 tests/parity/drn.py > tests/parity/drn.json
"""
import json
import random

import torch
from torch import nn

STATE, ACTION, HIDDEN1, HIDDEN2 = 4, 3, 6, 5
ROWS, NEXT, GAMMA, RATE = 6, 4, 0.4, 0.01

torch.set_num_threads(1)
draws = random.Random(20180423)


class Dueling(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Sequential(nn.Linear(STATE, HIDDEN1), nn.ReLU(), nn.Linear(HIDDEN1, 1))
        self.advantage = nn.Sequential(
            nn.Linear(STATE + ACTION, HIDDEN1), nn.ReLU(), nn.Linear(HIDDEN1, HIDDEN2), nn.ReLU(), nn.Linear(HIDDEN2, 1))

    def forward(self, state, action):
        return (self.value(state) + self.advantage(torch.cat([state, action], dim=-1))).squeeze(-1)

    def layers(self):
        return {"value.0": self.value[0], "value.1": self.value[2],
                "advantage.0": self.advantage[0], "advantage.1": self.advantage[2], "advantage.2": self.advantage[4]}

    def values(self, what=lambda parameter: parameter):
        return {f"{name}.{part}": numbers(what(getattr(layer, part))) for name, layer in self.layers().items() for part in ("weight", "bias")}


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().reshape(-1).tolist()]


def drawn(*shape):
    count = 1
    for size in shape:
        count *= size
    return torch.tensor([draws.uniform(-1, 1) for _ in range(count)], dtype=torch.float32).reshape(shape)


def network():
    made = Dueling()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(drawn(*parameter.shape))
    return made


online, target = network(), network()
states, actions = drawn(ROWS, STATE), drawn(ROWS, ACTION)
rewards = torch.tensor([float(draws.random() < 0.5) for _ in range(ROWS)])
next_states, next_actions = drawn(ROWS, STATE), drawn(ROWS, NEXT, ACTION)

result = {
    "torch": torch.__version__, "state": STATE, "action": ACTION, "hidden1": HIDDEN1, "hidden2": HIDDEN2, "rows": ROWS, "next": NEXT,
    "gamma": GAMMA, "rate": RATE, "states": numbers(states), "actions": numbers(actions), "rewards": numbers(rewards),
    "next_states": numbers(next_states), "next_actions": numbers(next_actions), "weights": online.values(), "target_weights": target.values(),
}
with torch.no_grad():
    repeated = next_states.unsqueeze(1).expand(ROWS, NEXT, STATE)
    preferred = online(repeated, next_actions).argmax(dim=1)
    y = rewards + GAMMA * target(repeated, next_actions).gather(1, preferred.unsqueeze(1)).squeeze(1)
optimizer = torch.optim.Adam(online.parameters(), lr=RATE)
for step in ("first", "second"):
    optimizer.zero_grad()
    q = online(states, actions)
    loss = nn.functional.mse_loss(q, y)
    loss.backward()
    gradients = online.values(lambda parameter: parameter.grad)
    optimizer.step()
    result[step] = {"q": numbers(q), "loss": float(loss), "gradients": gradients, "weights": online.values()}
result["targets"] = numbers(y)
print(json.dumps(result, separators=(",", ":")))
