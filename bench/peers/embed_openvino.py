# SPDX-License-Identifier: Apache-2.0
"""OpenVINO, converted from transformers' module: PRECISION BATCH."""
import rounds

import openvino

from cpu_torch import torch
from embedder import Embedder, Texts

precision, batch = rounds.settings(2)
folder, output, threads = rounds.arguments()
texts = Texts(folder, int(batch))
example = texts.tokenize(texts.batches[0], "pt")
graph = openvino.convert_model(Embedder(folder, torch.float32), example_input=example)
hint = {"bf16": "bf16", "fp32": "f32"}[precision]
model = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads,
                                                     "PERFORMANCE_HINT": "LATENCY"})


def run_round():
    return texts.round(lambda *inputs: model(inputs, share_inputs=True)[0], "np")


rounds.serve(texts.tokens, run_round, output)
