// SPDX-License-Identifier: Apache-2.0
//
// PLE with its first level split by columns of the input: before ReLU and
// softmax that level is linear, so its columns [experts | gates' logits] are
// the sum of what user and context, POI, and the candidate bring.
//
// Shapes: P = columns of the first level, M rows, K = width of the input.
// Threads: safe. Errors: c10::Error.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/ctr/ctr_kernels.h"
#include "common/ctr/layout.h"
#include "common/tensors/packed_linear.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

class PleSplit {
 public:
  // `tensors`: those of a CtrModel (model_io.h). `dtype`: what candidates'
  // rows are multiplied in, float32 or bfloat16.
  PleSplit(const std::map<std::string, torch::Tensor>& tensors,
           const config::v1::CtrArchitecture& architecture,
           const CtrLayout& layout, torch::ScalarType dtype);

  int64_t columns() const { return columns_; }  // P

  // The biases and what user and context bring: their columns of x [n, .] to
  // float32 [n, P].
  torch::Tensor RequestColumns(const torch::Tensor& x) const;
  // What a POI brings: its columns of x [n, .] to float32 [n, P].
  torch::Tensor PoiColumns(const torch::Tensor& x) const;

  // Probabilities of M rows, a tensor [M] for each task. x [M, crosses and
  // e_s] of `dtype`; `shared` float32 [P]; own[m] [P] of `dtype`, null: zero.
  template <typename T>
  std::vector<torch::Tensor> Predict(const torch::Tensor& x,
                                     const float* shared,
                                     const T* const* own) const;

 private:
  // A level: its multiplications by input, and what its gates mix.
  struct Level {
    std::vector<PackedLinear> inputs;
    std::vector<size_t> paths;  // which mixture of the level before is input i
    std::vector<int64_t> part_columns;
    std::vector<std::vector<int64_t>> expert_columns;  // by gate
    std::vector<int64_t> first_logits;                 // by gate
    int64_t width = 0;
  };
  struct Tower {
    PackedLinear hidden;
    torch::Tensor weight;  // float32 [tower width]
    float bias;
  };

  Level MakeFirstLevel(const config::v1::CtrArchitecture& architecture) const;
  Level MakeLevel(const std::map<std::string, torch::Tensor>& tensors,
                  const config::v1::CtrArchitecture& architecture, int level,
                  torch::ScalarType dtype) const;
  template <typename T>
  std::vector<torch::Tensor> Mix(const Level& level,
                                 std::span<const torch::Tensor> parts,
                                 int64_t rows, const float* shared,
                                 const T* const* own) const;

  const int64_t tasks_;
  int64_t columns_ = 0;
  torch::Tensor bias_;  // float32 [P]
  std::optional<PackedLinear> request_, poi_, candidate_;
  std::vector<Level> levels_;
  std::vector<Tower> towers_;
};

}  // namespace larr
