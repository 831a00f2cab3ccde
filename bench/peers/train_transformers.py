# SPDX-License-Identifier: Apache-2.0
"""One step of transformers on all parameters: `autocast`, float32 masters and
bfloat16 where autocast says so, or `bf16`, everything in it; then PyTorch's
AdamW as it is by `default`, or `fused`."""
import contextlib

import rounds

import numpy as np
from cpu_torch import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

how, optimizer_kind = rounds.settings(2)
folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
dtype = {"autocast": torch.float32, "bf16": torch.bfloat16}[how]
model = AutoModelForCausalLM.from_pretrained(folder / "embedder", dtype=dtype).train()
optimizer = torch.optim.AdamW(model.parameters(), 1e-4, betas=(0.9, 0.95), weight_decay=0,
                              fused=True if optimizer_kind == "fused" else None)
ids = load_file(folder / "training.safetensors")["ids"]


def run_round():
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16) if how == "autocast" else contextlib.nullcontext():
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    optimizer.step()
    return np.array([loss.item()], np.float32)


rounds.serve(ids.numel(), run_round, output)
