// SPDX-License-Identifier: Apache-2.0
//
// Activation checkpointing: a part of a model whose inner results are not kept
// for the backward pass, but computed again in it.
//
// Threads: as those of `body`.
// Errors:  c10::Error; callers use GuardTorch.
#pragma once

#include <torch/types.h>

#include <functional>

namespace larr {

using TensorMap = std::function<torch::Tensor(const torch::Tensor& x)>;

// body(x). `learned` are the leaves besides x that body computes with and that
// need gradients. `body` is kept until the backward pass, and must give the
// same bits then.
torch::Tensor Recompute(const TensorMap& body, const torch::Tensor& x,
                        at::TensorList learned);

}  // namespace larr
