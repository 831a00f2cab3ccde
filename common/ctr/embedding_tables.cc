// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/embedding_tables.h"

#include <torch/utils.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "common/ctr/ctr_kernels.h"
#include "common/tensors/parallel_for.h"

namespace larr {

using torch::Tensor;

namespace {

constexpr int64_t kRowsOfTask = 1024;

}  // namespace

EmbeddingTables::EmbeddingTables(const std::vector<int64_t>& table_rows,
                                 int64_t width, TableStart start) {
  std::vector<int64_t> offsets;
  int64_t rows = 0;
  for (const int64_t count : table_rows) {
    offsets.push_back(rows);
    rows += count;
  }
  weight_ = register_buffer("weight", torch::empty({rows, width}));
  if (start == TableStart::kDrawn) weight_.normal_(0, 0.01);
  offsets_F_ = torch::tensor(offsets, torch::kInt64);
}

Tensor EmbeddingTables::Lookup(const Tensor& ids_BF) const {
  return at::embedding(weight_, ids_BF + offsets_F_);
}

EmbeddingTables::Gathered EmbeddingTables::Gather(const Tensor& ids_BF) {
  if (place_.empty()) place_.assign(weight_.size(0), -1);
  const Tensor rows_BF = (ids_BF + offsets_F_).contiguous();
  Tensor places_BF = torch::empty_like(rows_BF);
  const int64_t* row = rows_BF.data_ptr<int64_t>();
  int64_t* place = places_BF.data_ptr<int64_t>();
  std::vector<int64_t> distinct;
  for (int64_t i = 0; i < rows_BF.numel(); ++i) {
    int32_t& known = place_[row[i]];
    if (known < 0) {
      known = static_cast<int32_t>(distinct.size());
      distinct.push_back(row[i]);
    }
    place[i] = known;
  }
  for (const int64_t r : distinct) place_[r] = -1;
  return {.rows_U = torch::tensor(distinct, torch::kInt64),
          .places_BF = places_BF,
          .embedded_BFW = at::embedding(weight_, rows_BF).requires_grad_(true)};
}

void RowAdam::Step(const EmbeddingTables::Gathered& gathered, int64_t step,
                   const AdamOptions& options, Tensor& weight) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = gathered.rows_U.size(0), width = weight.size(1);
  if (rows == 0) return;
  const Tensor gradient = gathered.embedded_BFW.grad().contiguous();
  const Tensor sums = torch::zeros({rows, width});
  const double n = static_cast<double>(step);
  const kernels::AdamStep adam{
      .beta1 = static_cast<float>(options.beta1),
      .beta2 = static_cast<float>(options.beta2),
      .epsilon = static_cast<float>(options.epsilon),
      .size = static_cast<float>(options.learning_rate *
                                 std::sqrt(1 - std::pow(options.beta2, n)) /
                                 (1 - std::pow(options.beta1, n)))};
  const auto* row = gathered.rows_U.const_data_ptr<int64_t>();
  const auto* places = gathered.places_BF.const_data_ptr<int64_t>();
  const int64_t ids = gathered.places_BF.numel();
  auto* g = sums.data_ptr<float>();
  auto* m = first.data_ptr<float>();
  auto* v = second.data_ptr<float>();
  auto* w = weight.data_ptr<float>();
  ParallelFor(rows, kRowsOfTask, [&](int64_t begin, int64_t end) {
    kernels::AddRows(ids, width, places, begin, end,
                     gradient.const_data_ptr<float>(), g);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = row[i] * width;
      kernels::Adam(adam, width, g + i * width, m + at, v + at, w + at);
    }
  });
}

}  // namespace larr
