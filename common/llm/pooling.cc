// SPDX-License-Identifier: Apache-2.0
#include "common/llm/pooling.h"

#include <vector>

namespace larr {

using torch::Tensor;

Tensor Pool(const Tensor& rows, const PackedBatch& batch, Pooling pooling) {
  if (pooling == Pooling::kLastToken) return rows.index_select(0, batch.last);
  const auto texts = static_cast<int64_t>(batch.begin.size());
  std::vector<int64_t> text_of_row(batch.tokens());
  for (int64_t i = 0; i < texts; ++i)
    for (int64_t t = 0; t < batch.length[i]; ++t)
      text_of_row[batch.begin[i] + t] = i;
  const Tensor sums =
      torch::zeros({texts, rows.size(1)}, rows.options())
          .index_add(0, torch::tensor(text_of_row, torch::kInt64), rows);
  return sums / torch::tensor(batch.length, torch::kInt64)
                    .to(rows.dtype())
                    .unsqueeze(1);
}

}  // namespace larr
