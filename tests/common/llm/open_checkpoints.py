#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens checkpoint folders with transformers and compares logits with ours.

usage: open_checkpoints.py FOLDER...

Each has expected.safetensors beside the model: ids [T] and our logits
[T, vocab]. Baichuan2's code is not part of transformers: its weights are
rearranged as a Llama's, as in tests/golden/make_llm_goldens.py.
"""
import json
import pathlib
import sys

from cpu_torch import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM


def open_baichuan2(folder, config):
    shared = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
              "max_position_embeddings", "rms_norm_eps"]
    model = LlamaForCausalLM(LlamaConfig(**{name: config[name] for name in shared}))
    state = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        if "W_pack" in name:
            for part, rows in zip("qkv", tensor.chunk(3)):
                state[name.replace("W_pack", f"{part}_proj")] = rows
        else:
            state[name] = tensor
    state["lm_head.weight"] = torch.nn.functional.normalize(state["lm_head.weight"])
    model.load_state_dict(state)
    return model


def open_model(folder):
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] == "baichuan":
        return open_baichuan2(folder, config)
    model, report = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager",
                                                         output_loading_info=True)
    wrong = {name: keys for name, keys in report.items() if keys}
    if wrong:
        sys.exit(f"{folder}: {wrong}")
    return model


def main():
    for folder in map(pathlib.Path, sys.argv[1:]):
        expected = load_file(folder / "expected.safetensors")
        model = open_model(folder).eval()
        with torch.no_grad():
            logits = model(expected["ids"].reshape(1, -1)).logits[0]
        difference = (logits - expected["logits"]).abs().max() / logits.abs().max()
        print(f"{folder.name}: {type(model).__name__}, largest difference {difference:.2e}")
        if logits.shape != expected["logits"].shape or not difference < 1e-5:
            sys.exit(f"{folder.name}: ours {expected['logits']}\ntransformers {logits}")


main()
