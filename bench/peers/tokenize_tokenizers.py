# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's tokenizers from Python: `one` text a call, or a `batch`."""
import itertools

import rounds

import numpy as np
import tokenizers

(how,) = rounds.settings(1)
folder, output, _ = rounds.arguments()
tokenizer = tokenizers.Tokenizer.from_file(str(folder / "embedder" / "tokenizer.json"))
texts = (folder / "texts.txt").read_text().splitlines()


def encode():
    if how == "batch":
        return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def run_round():
    ids = encode()
    # Ours spends nothing on it that could be seen; Python would.
    return None if output.exists() else np.fromiter(itertools.chain(*ids), np.float32)


rounds.serve(sum(map(len, encode())), run_round, output)
