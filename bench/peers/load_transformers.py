# SPDX-License-Identifier: Apache-2.0
"""transformers in bf16, from the folder to the vector of the first text."""
import rounds

from cpu_torch import torch
from embedder import Embedder
from transformers import AutoTokenizer

folder, output, threads = rounds.arguments()
torch.set_num_threads(threads)
text = (folder / "texts.txt").read_text().splitlines()[0]


def run_round():
    model = Embedder(folder, torch.bfloat16)
    encoded = AutoTokenizer.from_pretrained(folder / "embedder")([text], return_tensors="pt")
    with torch.inference_mode():
        return model(encoded["input_ids"], encoded["attention_mask"]).numpy()


rounds.serve(1, run_round, output)
