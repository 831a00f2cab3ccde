# SPDX-License-Identifier: Apache-2.0
"""The embedder of the cases `llm.embed_…`, by transformers: SmolLM2 to the last state
of each text, projected. Batches are of texts of about one length, padded."""
import json

import numpy as np
from cpu_torch import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer


class Embedder(torch.nn.Module):
    def __init__(self, folder, dtype):
        super().__init__()
        folder = folder / "embedder"
        self.model = AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
        name = json.loads((folder / "larr.json").read_text())["projection_tensor"]
        self.register_buffer("projection", load_file(folder / "projection.safetensors")[name])

    def forward(self, input_ids, attention_mask):
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(hidden.shape[0]), attention_mask.sum(1) - 1]
        return last.float() @ self.projection.T


class Texts:
    """The texts in batches. They are sorted by their tokens ahead of any round."""

    def __init__(self, folder, batch):
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "embedder")
        self.texts = (folder / "texts.txt").read_text().splitlines()
        lengths = [len(ids) for ids in self.tokenizer(self.texts).input_ids]
        self.tokens = sum(lengths)
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        self.batches = [order[i:i + batch] for i in range(0, len(order), batch)]

    def tokenize(self, batch, tensors):
        encoded = self.tokenizer([self.texts[i] for i in batch], return_tensors=tensors, padding=True)
        return encoded["input_ids"], encoded["attention_mask"]

    def round(self, embed, tensors):
        """[texts, dim], in the order of the texts."""
        vectors = [None] * len(self.texts)
        for batch in self.batches:
            for i, vector in zip(batch, embed(*self.tokenize(batch, tensors))):
                vectors[i] = vector
        return np.stack(vectors)
