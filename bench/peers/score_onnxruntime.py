# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime in fp32."""
import rounds

import numpy as np
import onnxruntime

import scorer

folder, output, threads = rounds.arguments()
model, requests = scorer.load(folder)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(scorer.export(model, requests[0], folder / "onnxruntime.onnx"), options,
                                       providers=["CPUExecutionProvider"])
feeds = [{name: tensor.numpy() for name, tensor in zip(scorer.INPUTS, request)} for request in requests]


def run_round():
    return np.concatenate([session.run(None, feed)[0] for feed in feeds])


rounds.serve(sum(len(request[0]) for request in requests), run_round, output)
