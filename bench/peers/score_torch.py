# SPDX-License-Identifier: Apache-2.0
"""LibTorch eager, by its Python modules."""
import rounds

import numpy as np

import scorer
from cpu_torch import torch

folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
model, requests = scorer.load(folder)


def run_round():
    with torch.inference_mode():
        return np.concatenate([model(*request).numpy() for request in requests])


rounds.serve(sum(len(request[0]) for request in requests), run_round, output)
