# SPDX-License-Identifier: Apache-2.0
"""The model of the case `score` as it is written down: every row of a request
on its own, by PyTorch's modules, with the weights of ours."""
from cpu_torch import torch
from safetensors.torch import load_file
from torch import nn

TASKS, OWN, SHARED = 2, 2, 2
INPUTS = ["ids", "dense", "scene"]


def linear(weight, bias):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


class Scene(nn.Module):
    """Eq. 22-23 over [rows, 1 + r, width]. The statistics of a fresh model change nothing and are left out."""

    def __init__(self, weights):
        super().__init__()
        w = {name.removeprefix("scene."): tensor for name, tensor in weights.items() if name.startswith("scene.")}
        self.agg, self.slot = nn.Parameter(w["agg"]), nn.Parameter(w["slot"])
        width, ffn = len(w["agg"]), len(w["ffn1_bias"])
        self.layer = nn.TransformerEncoderLayer(width, 4, ffn, dropout=0, batch_first=True)
        names = {"self_attn.in_proj_": "attention_in_", "self_attn.out_proj.": "attention_out_", "norm1.": "norm1_",
                 "norm2.": "norm2_", "linear1.": "ffn1_", "linear2.": "ffn2_"}
        self.layer.load_state_dict({theirs + part: w[ours + part]
                                    for theirs, ours in names.items() for part in ("weight", "bias")})
        self.mlp = nn.Sequential(linear(w["mlp1_weight"], w["mlp1_bias"]), nn.ReLU(),
                                 linear(w["mlp2_weight"], w["mlp2_bias"]))

    def forward(self, scene):
        agg = self.agg.expand(scene.shape[0], 1, -1)
        return self.mlp(self.layer(torch.cat([agg, scene + self.slot], 1))[:, 0])


class Level(nn.Module):
    """One extraction level of PLE. `inputs` are those of the tasks and, last, of what they share."""

    def __init__(self, expert_weight, expert_bias, gate_weight, gate_bias, gate_sizes):
        super().__init__()
        experts = TASKS * OWN + SHARED
        self.experts = nn.ModuleList(nn.Sequential(linear(w, b), nn.ReLU())
                                     for w, b in zip(expert_weight.chunk(experts), expert_bias.chunk(experts)))
        self.gates = nn.ModuleList(linear(w, b)
                                   for w, b in zip(gate_weight.split(gate_sizes), gate_bias.split(gate_sizes)))

    def forward(self, inputs):
        outputs = [expert(inputs[min(i // OWN, TASKS)]) for i, expert in enumerate(self.experts)]
        shared = outputs[TASKS * OWN:]
        mixed = [outputs[task * OWN:(task + 1) * OWN] + shared for task in range(TASKS)] + [outputs]
        return [(torch.stack(mix, 1) * gate(x).softmax(-1).unsqueeze(-1)).sum(1)
                for gate, x, mix in zip(self.gates, inputs, mixed)]


class Scorer(nn.Module):
    def __init__(self, weights, columns):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(weights["tables.weight"])
        self.scene = Scene(weights)
        level = lambda i: [weights[f"ple.level{i}.{name}"]
                           for name in ("expert_weight", "expert_bias", "gate_weight", "gate_bias")]
        first = level(0)
        first[0], first[2] = first[0][:, columns], first[2][:, columns]
        self.levels = nn.ModuleList([Level(*first, TASKS * [OWN + SHARED] + [TASKS * OWN + SHARED]),
                                     Level(*level(1), TASKS * [OWN + SHARED])])
        tower = lambda task, layer: linear(weights[f"ple.tower{task}_{layer}_weight"],
                                           weights[f"ple.tower{task}_{layer}_bias"])
        self.towers = nn.ModuleList(nn.Sequential(tower(task, "hidden"), nn.ReLU(), tower(task, "logit"))
                                    for task in range(TASKS))

    def forward(self, ids, dense, scene):
        x = torch.cat([self.table(ids).flatten(1), dense, self.scene(scene)], 1)
        paths = (TASKS + 1) * [x]
        for level in self.levels:
            paths = level(paths)
        return torch.cat([tower(path) for tower, path in zip(self.towers, paths)], 1).sigmoid()


def load(folder, file="requests.safetensors", names=INPUTS):
    """The model, and the requests: a list of what is named of each."""
    rows = load_file(folder / file)
    model = Scorer(load_file(folder / "ctr" / "model.safetensors"), rows["columns"]).eval()
    return model, list(zip(*(rows[name].split(int(rows["candidates"])) for name in names)))


def export(model, example, path):
    """The model as ONNX, for any number of rows."""
    torch.onnx.export(model, example, path, input_names=INPUTS, dynamic_axes={name: {0: "rows"} for name in INPUTS},
                      dynamo=False)
    return path
