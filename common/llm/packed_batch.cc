// SPDX-License-Identifier: Apache-2.0
#include "common/llm/packed_batch.h"

#include <algorithm>
#include <numeric>

namespace larr {
namespace {

torch::Tensor ToTensor(const std::vector<int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

}  // namespace

PackedBatch Pack(std::span<const TokenIds> texts) {
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return texts[a].size() < texts[b].size();
  });
  PackedBatch batch;
  batch.begin.resize(texts.size());
  batch.length.resize(texts.size());
  std::vector<int64_t> ids, last(texts.size());
  for (const size_t i : order) {
    batch.begin[i] = static_cast<int64_t>(ids.size());
    batch.length[i] = static_cast<int64_t>(texts[i].size());
    ids.insert(ids.end(), texts[i].begin(), texts[i].end());
    last[i] = static_cast<int64_t>(ids.size()) - 1;
  }
  batch.ids = ToTensor(ids);
  batch.last = ToTensor(last);
  if (!order.empty()) batch.max_length = batch.length[order.back()];
  return batch;
}

}  // namespace larr
