// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/embedding_tables.h"

#include <torch/utils.h>

#include <cmath>
#include <numeric>

namespace larr {

using torch::Tensor;

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
  Gathered gathered;
  gathered.rows_U = torch::tensor(distinct, torch::kInt64);
  gathered.values_UW =
      weight_.index_select(0, gathered.rows_U).requires_grad_(true);
  gathered.embedded_BFW = at::embedding(gathered.values_UW, places_BF);
  return gathered;
}

void RowAdam::Step(const EmbeddingTables::Gathered& gathered, int64_t step,
                   const AdamOptions& options, Tensor& weight) {
  const torch::NoGradGuard no_grad;
  const Tensor& rows = gathered.rows_U;
  const Tensor& gradient = gathered.values_UW.grad();
  const Tensor m =
      first.index_select(0, rows).lerp_(gradient, 1 - options.beta1);
  const Tensor v = second.index_select(0, rows)
                       .mul_(options.beta2)
                       .addcmul_(gradient, gradient, 1 - options.beta2);
  first.index_copy_(0, rows, m);
  second.index_copy_(0, rows, v);
  const double n = static_cast<double>(step);
  const double size = options.learning_rate *
                      std::sqrt(1 - std::pow(options.beta2, n)) /
                      (1 - std::pow(options.beta1, n));
  weight.index_copy_(0, rows,
                     gathered.values_UW.detach().addcdiv(
                         m, v.sqrt().add_(options.epsilon), -size));
}

}  // namespace larr
