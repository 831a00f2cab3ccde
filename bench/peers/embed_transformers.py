# SPDX-License-Identifier: Apache-2.0
"""transformers: PRECISION BATCH."""
import rounds

from cpu_torch import torch
from embedder import Embedder, Texts

precision, batch = rounds.settings(2)
folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
texts = Texts(folder, int(batch))
model = Embedder(folder, {"bf16": torch.bfloat16, "fp32": torch.float32}[precision])


def run_round():
    with torch.inference_mode():
        return texts.round(lambda *inputs: model(*inputs).numpy(), "pt")


rounds.serve(texts.tokens, run_round, output)
