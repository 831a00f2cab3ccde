// SPDX-License-Identifier: Apache-2.0
#include "common/llm/packed_batch.h"

#include <algorithm>
#include <numeric>

namespace larr {
namespace {

// Filling that a group may have. Attention is a few percent of the work, and
// each group costs a fixed time.
constexpr double kMaxFilling = 1.3;

torch::Tensor ToTensor(const std::vector<int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

// The group of order[from, to), whose last text is the longest.
AttentionGroup MakeGroup(const PackedBatch& batch,
                         std::span<const size_t> order) {
  AttentionGroup group;
  group.begin = batch.begin[order.front()];
  group.texts = static_cast<int64_t>(order.size());
  group.length = batch.length[order.back()];
  std::vector<int64_t> rows, cells;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t first = batch.begin[order[i]] - group.begin;
    const int64_t length = batch.length[order[i]];
    for (int64_t t = 0; t < group.length; ++t) {
      rows.push_back(first + std::min(t, length - 1));
      if (t < length) cells.push_back(i * group.length + t);
    }
  }
  group.tokens = static_cast<int64_t>(cells.size());
  if (cells.size() != rows.size()) {
    group.cell_to_row = ToTensor(rows);
    group.row_to_cell = ToTensor(cells);
  }
  return group;
}

void AddGroups(PackedBatch& batch, std::span<const size_t> order) {
  size_t from = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t length = batch.length[order[i]];
    const auto cells = static_cast<double>(length * (i - from + 1));
    if (i > from &&
        cells > kMaxFilling * static_cast<double>(tokens + length)) {
      batch.groups.push_back(MakeGroup(batch, order.subspan(from, i - from)));
      from = i;
      tokens = 0;
    }
    tokens += length;
  }
  batch.groups.push_back(MakeGroup(batch, order.subspan(from)));
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
  std::vector<int64_t> ids, positions, last(texts.size());
  for (const size_t i : order) {
    batch.begin[i] = static_cast<int64_t>(ids.size());
    batch.length[i] = static_cast<int64_t>(texts[i].size());
    ids.insert(ids.end(), texts[i].begin(), texts[i].end());
    for (int64_t t = 0; t < batch.length[i]; ++t) positions.push_back(t);
    last[i] = static_cast<int64_t>(ids.size()) - 1;
  }
  batch.ids = ToTensor(ids);
  batch.positions = ToTensor(positions);
  batch.last = ToTensor(last);
  if (!order.empty()) {
    batch.max_length = batch.length[order.back()];
    AddGroups(batch, order);
  }
  return batch;
}

}  // namespace larr
