# SPDX-License-Identifier: Apache-2.0
"""DeepCTR-Torch's PLE in training, as its own `fit` runs it, at the shape of
the case: 20 ids x 16, 16 numbers, 4 batches of 2,400 random rows a round."""
import sys
import types

import rounds

import numpy as np

from cpu_torch import torch
# On import it would ask a package index for a newer version; now it prints that
# somebody should.
sys.modules["requests"] = types.ModuleType("requests")
from deepctr_torch.inputs import DenseFeat, SparseFeat
from deepctr_torch.models.multitask import PLE

BATCH, ROWS = 2400, 4 * 2400
folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
columns = [SparseFeat(f"s{i}", vocabulary_size=10_000, embedding_dim=16) for i in range(20)]
columns += [DenseFeat(f"d{i}", 1) for i in range(16)]
random = np.random.default_rng(2)
x = {f"s{i}": random.integers(0, 10_000, ROWS) for i in range(20)}
x |= {f"d{i}": random.random(ROWS) for i in range(16)}
y = np.stack([random.random(ROWS) < 0.2, random.random(ROWS) < 0.05], 1).astype("float32")
model = PLE(columns, shared_expert_num=2, specific_expert_num=2, num_levels=2, expert_dnn_hidden_units=(256,),
            gate_dnn_hidden_units=(), tower_dnn_hidden_units=(64,), task_types=["binary"] * 2,
            task_names=["ctr", "ctcvr"])
model.compile("adam", loss=["binary_crossentropy"] * 2)


def fit():
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    return np.zeros(1, dtype=np.float32)


rounds.serve(ROWS, fit, output)
