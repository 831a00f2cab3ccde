#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes valid inputs of every fuzz target, which its corpus starts from.

usage: tests/fuzz/make_seeds.py FOLDER    makes FOLDER/TARGET/NAME
"""
import hashlib
import json
import pathlib
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"

# To a model of tests/services/scoring/scoring_world.h.
CONTEXT = """
context { key: "temperature" value { double_value: 17.5 } }
context { key: "rain" value { string_value: "dry" } }
context { key: "hour" value { int_value: 13 } }
context { key: "event" value { string_value: "derby" } }
"""
REQUESTS = {
    "least": 'candidates { poi_id: "p1" }',
    "whole": 'user_id: "u1"' + CONTEXT + """
candidates { poi_id: "p0" values { key: "distance" value { double_value: 0.5 } } }
candidates { poi_id: "p3" texts { key: "POI_name" value: "name 1" } }
candidates { poi_id: "nowhere" values { key: "distance" value { int_value: 3 } } }
top_k: 2 outputs: CTR outputs: CTCVR order_by: CTR explain_candidate: 1
texts { key: "user_home" value: "lives in Rome" }
texts { key: "weather" value: "mild, dry" }
""",
    "null": 'user_id: "u2" context { key: "hour" value {} } candidates { poi_id: "p7" }',
    "many": "".join(f'candidates {{ poi_id: "p{i % 8}" }}' for i in range(40)),
    "unknown_column": 'context { key: "wind" value { int_value: 1 } } candidates { poi_id: "p1" }',
    "nan": 'context { key: "temperature" value { double_value: nan } } candidates { poi_id: "p1" }',
}


def requests():
    for name, text in REQUESTS.items():
        yield name, subprocess.run(
            ["protoc", "-I", ROOT / "protos", "--encode=larr.scoring.v1.ScoreRequest",
             "larr/scoring/v1/scoring_service.proto"],
            input=text.encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT / "protos").stdout


def manifest(paths):
    files = [(path, len(path), hashlib.sha256(path.encode()).hexdigest()) for path in paths]
    digest = hashlib.sha256("".join(f"{path} {sha}\n" for path, _, sha in files).encode()).hexdigest()
    text = 'kind: "ctr_model"\n' + "".join(
        f'files {{\n  path: "{path}"\n  size_bytes: {size}\n  sha256: "{sha}"\n}}\n' for path, size, sha in files)
    text += 'parents { key: "corpus" value: "0123" }\nconfig: "name: \\"x\\""\n' + f'digest: "{digest}"\n'
    listing = "".join(f"{size} {path}\n" for path, size, _ in files)
    return (text + "\0" + listing).encode()


def manifests():
    yield "none", manifest([])
    yield "one", manifest(["a.bin"])
    yield "model", manifest(["model.safetensors", "model.textproto"])
    yield "nested", manifest(["a/b/c.sst", "a/d.sst", "e"])


def safetensors(shapes, metadata=None, dtype="F32"):
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, shape in shapes.items():
        size = {"F32": 4, "BF16": 2, "U8": 1}[dtype]
        for extent in shape:
            size *= extent
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


def tensor_files():
    yield "none", safetensors({})
    yield "one", safetensors({"w": [2, 3]}, {"format": "pt"})
    yield "scalar_and_empty", safetensors({"s": [], "none": [0, 4], "v": [3]}, dtype="BF16")
    yield "bytes", safetensors({"a": [5], "b": [1, 1, 1]}, dtype="U8")


# The least that a recommender can be: one feature, one level, one expert.
LEAST_MODEL = """
name: "ple"
architecture {
  kind: PLE embedding_width: 1 ple_levels: 1 task_experts: 1 shared_experts: 1 expert_widths: 1 tower_width: 1
}
dataset {
  name: "d"
  tabular_features { name: "f" side: USER hash { columns: "c" buckets: 2 } }
}
features { name: "f" }
"""
LEAST_TENSORS = {
    "tables.weight": [2, 1],
    "ple.level0.expert_weight": [2, 1], "ple.level0.expert_bias": [2],
    "ple.level0.gate_weight": [2, 1], "ple.level0.gate_bias": [2],
    "ple.tower0_hidden_weight": [1, 1], "ple.tower0_hidden_bias": [1],
    "ple.tower0_logit_weight": [1, 1], "ple.tower0_logit_bias": [1],
}
TEXT_MODEL = """
name: "larr"
architecture { kind: LARR encoder_heads: 2 readout: MEAN }
dataset {
  keywords {
    name: "weather" side: CONTEXT group: USER_ACTION template: "{t}, {rain}"
    domains { column: "t" edges: [ 10, 25 ] labels: [ "cold", "mild", "hot" ] }
    domains { column: "rain" values: [ "dry", "wet" ] }
  }
  keywords { name: "home" side: USER group: USER_PROFILE template: "in {home} {{}}" }
  scene_features: [ "weather", "home" ]
  tabular_features { name: "u" side: USER vocabulary { column: "u" } }
  tabular_features { name: "n" side: POI dense { column: "n" transform: LOG1P } }
  tabular_features { name: "h" side: CONTEXT buckets { column: "h" edges: [ 6, 12 ] } }
  tabular_features { name: "x" side: CROSS hash { columns: [ "users.u", "impressions.h" ] buckets: 50 } }
  user_embedding_features: "u"
}
features { name: "u" vocabulary: [ "a", "b" ] }
features { name: "n" mean: 1 deviation: 0.5 }
features { name: "h" edges: [ 6, 12 ] }
features { name: "x" }
text_dim: 8
embedder_fingerprint: "e"
has_order_task: true
"""


def models():
    yield "least", LEAST_MODEL.encode() + b"\0" + safetensors(LEAST_TENSORS)
    yield "texts", TEXT_MODEL.encode() + b"\0"
    yield "golden", (GOLDEN / "ctr/larr/model.textproto").read_bytes() + b"\0"
    yield "terabytes", LEAST_MODEL.replace("buckets: 2", "buckets: 2000000000").encode() + b"\0" + safetensors(
        LEAST_TENSORS)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    targets = {"score_request": requests(), "manifest": manifests(), "safetensors": tensor_files(),
               "ctr_model": models()}
    for target, inputs in targets.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs:
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
