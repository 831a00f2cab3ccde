# SPDX-License-Identifier: Apache-2.0
"""OpenVINO in bf16, converted from transformers' module."""
import rounds

import openvino

from cpu_torch import torch
from embedder import Embedder, Texts

folder, output, threads = rounds.arguments()
texts = Texts(folder)
example = texts.tokenize(texts.batches[0], "pt")
graph = openvino.convert_model(Embedder(folder, torch.float32), example_input=example)
model = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads,
                                                     "PERFORMANCE_HINT": "LATENCY"})


def run_round():
    return texts.round(lambda *inputs: model(inputs, share_inputs=True)[0], "np")


rounds.serve(texts.tokens, run_round, output)
