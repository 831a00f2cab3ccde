// SPDX-License-Identifier: Apache-2.0
//
// The embedding tables of all categorical features, one below the other in one
// matrix. A training step touches only the rows of its batch: what was looked
// up is a leaf of the autograd graph, and row-wise Adam updates the rows and
// their moments alone (torch.optim.SparseAdam's rule).
//
// Threads: one at a time for Gather; Lookup from any thread.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace larr {

// Adam's constants, for tables and for dense parameters alike.
struct AdamOptions {
  double learning_rate = 8e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

// What a new matrix holds: for training values drawn from N(0, 0.01^2), for a
// file's content nothing yet.
enum class TableStart { kDrawn, kUnset };

class EmbeddingTables : public torch::nn::Module {
 public:
  // `table_rows[f]` rows for feature f.
  EmbeddingTables(const std::vector<int64_t>& table_rows, int64_t width,
                  TableStart start = TableStart::kDrawn);

  // The rows of ids [B, F], each id counted within its feature's own table:
  // [B, F, width], without gradient.
  torch::Tensor Lookup(const torch::Tensor& ids_BF) const;

  // As Lookup, with what a step needs to learn.
  struct Gathered {
    torch::Tensor rows_U;        // Distinct rows of the matrix.
    torch::Tensor places_BF;     // Of each id, its row among them.
    torch::Tensor embedded_BFW;  // A leaf that takes the gradient.
  };
  Gathered Gather(const torch::Tensor& ids_BF);

  // The embedding of one id of feature f: [width].
  const float* Row(int64_t f, int64_t id) const {
    return weight_.const_data_ptr<float>() +
           (offsets_F_.const_data_ptr<int64_t>()[f] + id) * weight_.size(1);
  }

  // [sum of rows, width]. A buffer, for no optimizer sees it as a whole.
  torch::Tensor& weight() { return weight_; }
  const torch::Tensor& weight() const { return weight_; }

 private:
  torch::Tensor weight_;
  torch::Tensor offsets_F_;
  // By row of the matrix: its place among the distinct ones of a batch, or -1.
  // Made by the first Gather.
  std::vector<int32_t> place_;
};

// The moments of the tables' rows. Tensors like `EmbeddingTables::weight`.
struct RowAdam {
  torch::Tensor first, second;

  explicit RowAdam(const torch::Tensor& weight)
      : first(torch::zeros_like(weight)), second(torch::zeros_like(weight)) {}

  // Applies embedded_BFW.grad() to rows_U. `step` counts from 1.
  void Step(const EmbeddingTables::Gathered& gathered, int64_t step,
            const AdamOptions& options, torch::Tensor& weight);
};

}  // namespace larr
