# SPDX-License-Identifier: Apache-2.0
"""transformers in bf16."""
import rounds

from cpu_torch import torch
from embedder import Embedder, Texts

folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
texts = Texts(folder)
model = Embedder(folder, torch.bfloat16)


def run_round():
    with torch.inference_mode():
        return texts.round(lambda *inputs: model(*inputs).numpy(), "pt")


rounds.serve(texts.tokens, run_round, output)
