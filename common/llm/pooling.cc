// SPDX-License-Identifier: Apache-2.0
#include "common/llm/pooling.h"

#include <algorithm>
#include <vector>

namespace larr {

using torch::Tensor;

Tensor Pool(const Tensor& rows, const PackedBatch& batch, Pooling pooling) {
  if (pooling == Pooling::kLastToken)
    return rows.index_select(0, batch.last).to(torch::kFloat32);
  const auto texts = static_cast<int64_t>(batch.begin.size());
  std::vector<int64_t> text_of_row(batch.tokens());
  for (int64_t i = 0; i < texts; ++i)
    std::fill_n(text_of_row.begin() + batch.begin[i], batch.length[i], i);
  const Tensor sums =
      torch::zeros({texts, rows.size(1)}, torch::kFloat32)
          .index_add(0, torch::tensor(text_of_row, torch::kInt64),
                     rows.to(torch::kFloat32));
  return sums / torch::tensor(batch.length, torch::kInt64)
                    .to(torch::kFloat32)
                    .unsqueeze(1);
}

}  // namespace larr
