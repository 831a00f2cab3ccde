# SPDX-License-Identifier: Apache-2.0
"""LibTorch eager in training, by its Python modules and dense Adam."""
import rounds

import numpy as np

import scorer
from cpu_torch import torch

folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
model, batches = scorer.load(folder, "batches.safetensors", [*scorer.INPUTS, "labels"])
model.train()
for parameter in model.parameters():
    parameter.requires_grad_(True)
optimizer = torch.optim.Adam(model.parameters(), 8e-4)


def step(ids, dense, scene, labels):
    optimizer.zero_grad()
    loss = scorer.TASKS * torch.nn.functional.binary_cross_entropy(model(ids, dense, scene), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


rounds.serve(sum(len(batch[0]) for batch in batches),
             lambda: np.array([step(*batch) for batch in batches], dtype=np.float32), output)
