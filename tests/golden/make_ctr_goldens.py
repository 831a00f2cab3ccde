# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/ctr with PyTorch's own modules and plain loops.

Needs the packages torch 2.11 and safetensors. Run from the repository root:
    python tests/golden/make_ctr_goldens.py
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

OUT = pathlib.Path("tests/golden/ctr")
WIDTH, HEADS, FFN, SLOTS, EMBEDDING = 8, 2, 12, 3, 4
DESCRIPTION = """\
name: "larr"
architecture {
  kind: LARR embedding_width: 4 ple_levels: 2 task_experts: 2 shared_experts: 1
  expert_widths: 6 expert_widths: 5 tower_width: 3 encoder_heads: 2 encoder_ffn_width: 12
}
dataset {
  name: "tiny"
  impressions { path: "impressions" user_key: "user" poi_key: "poi" click_column: "click" order_column: "order" }
  users { path: "users" key: "user" }
  pois { path: "pois" key: "poi" }
  split { column { column: "part" train_value: "a" validation_value: "b" test_value: "c" } }
  gauc_group_column: "user"
  keywords { name: "profile" side: USER template: "{profile}" group: USER_PROFILE }
  keywords { name: "menu" side: POI template: "{menu}" group: POI_BUSINESS }
  keywords { name: "weather" side: CONTEXT template: "{weather}" group: USER_ACTION
             domains { column: "weather" values: "hot" values: "cold" } }
  scene_features: "profile" scene_features: "menu" scene_features: "weather"
  tabular_features { name: "poi_id" side: POI vocabulary { column: "poi" } }
  tabular_features { name: "price" side: POI dense { column: "price" } }
  tabular_features { name: "user_id" side: USER vocabulary { column: "user" } }
  tabular_features { name: "hour" side: CONTEXT buckets { column: "hour" edges: 8 edges: 16 } }
  tabular_features { name: "temperature" side: CONTEXT dense { column: "temperature" } }
  tabular_features { name: "distance" side: CROSS dense { column: "impressions.distance" } }
  tabular_features { name: "far" side: CROSS buckets { column: "impressions.distance" edges: 2 } }
  user_embedding_features: "user_id"
  poi_embedding_features: "poi_id"
}
features { name: "user_id" vocabulary: "u1" vocabulary: "u2" vocabulary: "u3" }
features { name: "hour" edges: 8 edges: 16 }
features { name: "temperature" mean: 20 deviation: 5 }
features { name: "poi_id" vocabulary: "p1" vocabulary: "p2" vocabulary: "p3" vocabulary: "p4" }
features { name: "price" mean: 3 deviation: 2 }
features { name: "distance" mean: 1 deviation: 0.5 }
features { name: "far" edges: 2 }
text_dim: 8
embedder_fingerprint: "golden"
has_order_task: true
"""
# Columns of ids are user_id, hour, poi_id, far; of dense temperature, price, distance.
TABLE_ROWS = [4, 4, 5, 3]


class Scene(nn.Module):
    """Eq. 22-23 over one padded [B, 1 + r, C] sequence, by nn.TransformerEncoderLayer."""

    def __init__(self, width=2 * EMBEDDING):
        super().__init__()
        self.register_buffer("mean", torch.randn(SLOTS, WIDTH))
        self.register_buffer("scale", torch.rand(SLOTS) + 0.5)
        self.slot = nn.Parameter(torch.randn(SLOTS, WIDTH))
        self.default = nn.Parameter(torch.randn(SLOTS, WIDTH))
        self.agg = nn.Parameter(torch.randn(WIDTH))
        self.layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FFN, dropout=0, batch_first=True)
        nn.init.normal_(self.layer.self_attn.in_proj_bias)
        nn.init.normal_(self.layer.norm1.weight)
        nn.init.normal_(self.layer.norm2.bias)
        self.mlp1, self.mlp2 = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, width)

    def encode(self, texts, index):
        rows = []
        for row in index.tolist():
            tokens = [self.agg]
            for slot, text in enumerate(row):
                z = self.default[slot] if text < 0 else (texts[text] - self.mean[slot]) * self.scale[slot]
                tokens.append(z + self.slot[slot])
            rows.append(torch.stack(tokens))
        return self.layer(torch.stack(rows))

    def forward(self, texts, index, readout="AGG"):
        encoded = self.encode(texts, index)
        pooled = encoded[:, 0] if readout == "AGG" else encoded.mean(1)
        return self.mlp2(F.relu(self.mlp1(pooled)))

    def named(self):
        layer, attention = self.layer, self.layer.self_attn
        pairs = {
            "mean": self.mean, "scale": self.scale, "slot": self.slot, "default": self.default, "agg": self.agg,
            "attention_in_weight": attention.in_proj_weight, "attention_in_bias": attention.in_proj_bias,
            "attention_out_weight": attention.out_proj.weight, "attention_out_bias": attention.out_proj.bias,
        }
        modules = {"norm1": layer.norm1, "norm2": layer.norm2, "ffn1": layer.linear1, "ffn2": layer.linear2,
                   "mlp1": self.mlp1, "mlp2": self.mlp2}
        for name, module in modules.items():
            pairs[name + "_weight"], pairs[name + "_bias"] = module.weight, module.bias
        return {"scene." + name: tensor for name, tensor in pairs.items()}


class Level(nn.Module):
    """One extraction level of Tang et al. 2020, expert by expert and gate by gate."""

    def __init__(self, inputs, width, tasks, own, shared, last):
        super().__init__()
        expert = lambda: nn.Linear(inputs, width)
        self.own = nn.ModuleList(nn.ModuleList(expert() for _ in range(own)) for _ in range(tasks))
        self.shared = nn.ModuleList(expert() for _ in range(shared))
        self.gates = nn.ModuleList(nn.Linear(inputs, own + shared) for _ in range(tasks))
        self.shared_gate = None if last else nn.Linear(inputs, tasks * own + shared)

    def forward(self, inputs):
        run = lambda experts, x: [F.relu(expert(x)) for expert in experts]
        own = [run(experts, x) for experts, x in zip(self.own, inputs)]
        shared = run(self.shared, inputs[-1])
        mix = lambda gate, x, experts: sum(
            weight.unsqueeze(1) * expert for weight, expert in zip(gate(x).softmax(1).unbind(1), experts))
        out = [mix(gate, x, experts + shared) for gate, x, experts in zip(self.gates, inputs, own)]
        if self.shared_gate is not None:
            out.append(mix(self.shared_gate, inputs[-1], sum(own, []) + shared))
        return out

    def stacked(self):
        experts = [e for task in self.own for e in task] + list(self.shared)
        gates = list(self.gates) + ([] if self.shared_gate is None else [self.shared_gate])
        return {"expert": experts, "gate": gates}


class Ple(nn.Module):
    def __init__(self, inputs, tasks=2, own=2, shared=1, widths=(6, 5), tower=3):
        super().__init__()
        self.tasks = tasks
        self.levels = nn.ModuleList()
        for i, width in enumerate(widths):
            self.levels.append(Level(inputs, width, tasks, own, shared, i + 1 == len(widths)))
            inputs = width
        self.hidden = nn.ModuleList(nn.Linear(inputs, tower) for _ in range(tasks))
        self.logit = nn.ModuleList(nn.Linear(tower, 1) for _ in range(tasks))

    def forward(self, x):
        paths = [x] * (self.tasks + 1)
        for level in self.levels:
            paths = level(paths)
        return torch.cat([logit(F.relu(hidden(x))) for hidden, logit, x in zip(self.hidden, self.logit, paths)], 1)

    def named(self, of=lambda tensor: tensor):
        pairs = {}
        for i, level in enumerate(self.levels):
            for kind, layers in level.stacked().items():
                for part in ("weight", "bias"):
                    pairs[f"ple.level{i}.{kind}_{part}"] = torch.cat([of(getattr(l, part)) for l in layers])
        for i, (hidden, logit) in enumerate(zip(self.hidden, self.logit)):
            for name, layer in (("hidden", hidden), ("logit", logit)):
                for part in ("weight", "bias"):
                    pairs[f"ple.tower{i}_{name}_{part}"] = of(getattr(layer, part))
        return pairs


def info_nce(e_s, e_t, pairs, temperature):
    """Eq. 24-25, row by row, with minus log and cosine similarity."""
    total = 0
    for a, b in ((e_s, e_t), (e_t, e_s)):
        for i in range(len(pairs)):
            terms = [F.cosine_similarity(a[i], b[j], dim=0) / temperature
                     for j in range(len(pairs)) if j == i or pairs[j] != pairs[i]]
            positive = F.cosine_similarity(a[i], b[i], dim=0) / temperature
            total = total - (positive - torch.stack(terms).logsumexp(0)) / len(pairs)
    return total / 2


class Larr(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, EMBEDDING, sparse=True) for rows in TABLE_ROWS)
        self.scene = Scene()
        self.ple = Ple(4 * EMBEDDING + 3 + 2 * EMBEDDING)

    def forward(self, batch):
        user, hour, poi, far = (table(batch["ids"][:, i]) for i, table in enumerate(self.tables))
        temperature, price, distance = batch["dense"].split(1, 1)
        e_s = self.scene(batch["texts"], batch["index"])
        x = torch.cat([user, hour, temperature, poi, price, far, distance, e_s], 1)
        return self.ple(x), e_s, torch.cat([user, poi], 1)

    def named(self):
        tables = {"tables.weight": torch.cat([table.weight for table in self.tables])}
        return tables | self.scene.named() | self.ple.named()


class PleAlone(nn.Module):
    """LARR without texts."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, EMBEDDING, sparse=True) for rows in TABLE_ROWS)
        self.ple = Ple(4 * EMBEDDING + 3)

    def forward(self, batch):
        user, hour, poi, far = (table(batch["ids"][:, i]) for i, table in enumerate(self.tables))
        temperature, price, distance = batch["dense"].split(1, 1)
        return self.ple(torch.cat([user, hour, temperature, poi, price, far, distance], 1))

    def named(self):
        return {"tables.weight": torch.cat([table.weight for table in self.tables])} | self.ple.named()


class WideDeep(nn.Module):
    """Wide & Deep for one task, and with `pairs` DeepFM: field by field and pair by pair."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs
        self.tables = nn.ModuleList(nn.Embedding(rows, EMBEDDING + 1, sparse=True) for rows in TABLE_ROWS)
        self.wide = nn.Linear(3, 1)
        self.factors = nn.Parameter(torch.randn(3, EMBEDDING)) if pairs else None
        widths = (4 * EMBEDDING + 3, 6, 5, 1)
        self.deep = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:]))

    def forward(self, batch):
        rows = [table(batch["ids"][:, i]) for i, table in enumerate(self.tables)]
        embedded = [row[:, :EMBEDDING] for row in rows]
        logit = sum(row[:, EMBEDDING:] for row in rows) + self.wide(batch["dense"])
        if self.pairs:
            fields = embedded + [batch["dense"][:, i:i + 1] * self.factors[i] for i in range(3)]
            logit = logit + sum((fields[i] * fields[j]).sum(1, keepdim=True)
                                for i in range(len(fields)) for j in range(i))
        user, hour, poi, far = embedded
        temperature, price, distance = batch["dense"].split(1, 1)
        x = torch.cat([user, hour, temperature, poi, price, far, distance], 1)
        for layer in self.deep[:-1]:
            x = F.relu(layer(x))
        return logit + self.deep[-1](x)

    def named(self):
        pairs = {"wide_weight": self.wide.weight, "wide_bias": self.wide.bias}
        if self.pairs:
            pairs["dense_factors"] = self.factors
        for i, layer in enumerate(self.deep):
            pairs[f"deep{i}_weight"], pairs[f"deep{i}_bias"] = layer.weight, layer.bias
        return pairs


class Linear(nn.Module):
    """Logistic regression: a weight for each id and each number."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, 1, sparse=True) for rows in TABLE_ROWS)
        self.wide = nn.Linear(3, 1)

    def forward(self, batch):
        return sum(table(batch["ids"][:, i]) for i, table in enumerate(self.tables)) + self.wide(batch["dense"])

    def named(self):
        return {"wide_weight": self.wide.weight, "wide_bias": self.wide.bias}


class TwoTasks(nn.Module):
    """A model for each of two tasks."""

    def __init__(self, make):
        super().__init__()
        self.tasks = nn.ModuleList(make() for _ in range(2))

    def forward(self, batch):
        return torch.cat([task(batch) for task in self.tasks], 1)

    def named(self):
        rows = [torch.cat([table.weight for table in task.tables]) for task in self.tasks]
        return {"tables.weight": torch.cat(rows, 1)} | {
            f"task{i}.{name}": tensor for i, task in enumerate(self.tasks) for name, tensor in task.named().items()}


def detached(tensors):
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def scene_batch(rows, missing=True):
    """Distinct texts, the slot of each, and which of them each row has."""
    slots = torch.arange(3 * SLOTS) % SLOTS
    index = torch.randint(0, 3, (rows, SLOTS)) * SLOTS + torch.arange(SLOTS)
    if missing:
        index[torch.rand(index.shape) < 0.2] = -1
    return {"texts": torch.randn(len(slots), WIDTH) * 2, "slots": slots, "index": index}


def batch(rows):
    return scene_batch(rows) | {
        "ids": torch.stack([torch.randint(0, n, (rows,)) for n in TABLE_ROWS], 1),
        "dense": torch.randn(rows, 3),
        "labels": torch.randint(0, 2, (rows, 2)).float().cummin(1).values,
        "pairs": torch.randint(0, 4, (rows,)),
    }


def make_scene():
    scene, data = Scene(), scene_batch(6)
    out = data | detached(scene.named()) | {"encoded": scene.encode(data["texts"], data["index"])}
    weights = torch.randn(6, 2 * EMBEDDING)
    for readout in ("AGG", "MEAN"):
        scene.zero_grad()
        e_s = scene(data["texts"], data["index"], readout)
        (e_s * weights).sum().backward()
        out[f"e_s.{readout}"] = e_s
        out |= {f"grad.{readout}.{name}": tensor.grad for name, tensor in scene.named().items()
                if tensor.grad is not None}
    save_file(detached(out | {"weights": weights}), OUT / "scene.safetensors")


def make_info_nce():
    e_s, e_t = torch.randn(7, 5, requires_grad=True), torch.randn(7, 5, requires_grad=True)
    pairs = torch.tensor([0, 1, 2, 0, 3, 1, 0])
    loss = info_nce(e_s, e_t, pairs.tolist(), 0.1)
    loss.backward()
    save_file(detached({"e_s": e_s, "e_t": e_t, "pairs": pairs, "loss": loss.reshape(1),
                        "grad_s": e_s.grad, "grad_t": e_t.grad}), OUT / "info_nce.safetensors")


def begin(name, description, model):
    """Writes a model's folder. Returns its optimizers."""
    (OUT / name).mkdir(exist_ok=True)
    (OUT / name / "model.textproto").write_text(description)
    save_file(detached(model.named()), OUT / name / "model.safetensors")
    tables = [p for key, p in model.named_parameters() if "tables" in key]
    dense = [p for key, p in model.named_parameters() if "tables" not in key]
    return [torch.optim.Adam(dense, 0.01), torch.optim.SparseAdam(tables, 0.01)]


DEEP = "deep_widths: 6 deep_widths: 5"
PLE = DESCRIPTION[DESCRIPTION.index("ple_levels"):DESCRIPTION.index("encoder_heads")].replace("\n", "")


def make_tabular(name, kind, layers, model, steps=3):
    """A model that reads no texts, its predictions, and its weights after steps."""
    architecture = f"architecture {{ kind: {kind} embedding_width: 4 {layers} }}\n"
    first, last = DESCRIPTION.index("architecture"), DESCRIPTION.index("dataset {")
    description = DESCRIPTION[:first].replace("larr", name) + architecture + DESCRIPTION[last:]
    description = description.replace('text_dim: 8\nembedder_fingerprint: "golden"\n', "")
    optimizers, out = begin(name, description, model), {}
    for step in range(steps):
        data = batch(9)
        logits = model(data)
        losses = [F.binary_cross_entropy_with_logits(logits[:, i], data["labels"][:, i]) for i in (0, 1)]
        if step == 0:
            out["probabilities"] = logits.sigmoid()
        for optimizer in optimizers:
            optimizer.zero_grad()
        sum(losses).backward()
        for optimizer in optimizers:
            optimizer.step()
        out |= {f"{step}.{key}": data[key] for key in ("ids", "dense", "labels")}
        out[f"{step}.losses"] = torch.stack([sum(losses), *losses])
    out |= {f"after.{key}": tensor for key, tensor in model.named().items()}
    save_file(detached(out), OUT / f"{name}_steps.safetensors")


def make_larr(steps=3):
    """A model, its predictions, and its weights after steps of eq. 26."""
    model = Larr()
    optimizers, out = begin("larr", DESCRIPTION, model), {}
    for step in range(steps):
        data = batch(9)
        logits, e_s, e_t = model(data)
        alignment = info_nce(e_s, e_t, data["pairs"].tolist(), 0.1)
        ctr, ctcvr = (F.binary_cross_entropy_with_logits(logits[:, i], data["labels"][:, i]) for i in (0, 1))
        loss = ctr + ctcvr + 0.05 * alignment
        if step == 0:
            out |= {"probabilities": logits.sigmoid(), "e_s": e_s, "e_t": e_t}
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        out |= {f"{step}.{name}": tensor for name, tensor in data.items()}
        out[f"{step}.losses"] = torch.stack([loss, ctr, ctcvr, alignment])
    out |= {f"after.{name}": tensor for name, tensor in model.named().items()}
    save_file(detached(out), OUT / "larr_steps.safetensors")


OUT.mkdir(exist_ok=True)
torch.manual_seed(7)
make_scene()
make_info_nce()
make_larr()
make_tabular("wide_deep", "WIDE_DEEP", DEEP, TwoTasks(lambda: WideDeep(pairs=False)))
make_tabular("deep_fm", "DEEP_FM", DEEP, TwoTasks(lambda: WideDeep(pairs=True)))
make_tabular("linear", "LINEAR", DEEP, TwoTasks(Linear))
make_tabular("ple", "PLE", PLE, PleAlone())
