# SPDX-License-Identifier: Apache-2.0
"""OpenVINO: PRECISION, f32 or bf16, comes first."""
import rounds

import numpy as np
import openvino

import scorer

[precision] = rounds.settings(1)
folder, output, threads = rounds.arguments()
model, requests = scorer.load(folder)
graph = scorer.export(model, requests[0], folder / "openvino.onnx")
compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads,
                                                        "PERFORMANCE_HINT": "LATENCY"})
feeds = [[tensor.numpy() for tensor in request] for request in requests]


def run_round():
    return np.concatenate([compiled(feed, share_inputs=True)[0] for feed in feeds])


rounds.serve(sum(len(request[0]) for request in requests), run_round, output)
