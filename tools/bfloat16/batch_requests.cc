// SPDX-License-Identifier: Apache-2.0
#include "tools/bfloat16/batch_requests.h"

#include <algorithm>
#include <cstdint>

namespace larr::bfloat16 {
namespace {

class BatchReader {
 public:
  BatchReader(const CtrBatch& batch, const CtrLayout& layout)
      : layout_(layout),
        ids_(batch.ids.const_data_ptr<int64_t>()),
        dense_(batch.dense.const_data_ptr<float>()) {
    if (layout.slot_count() == 0) return;
    texts_ = batch.scene.texts_TC.const_data_ptr<float>();
    index_ = batch.scene.index_Br.const_data_ptr<int64_t>();
    for (const auto side : {config::v1::USER, config::v1::CONTEXT})
      for (const int64_t slot : layout.SlotsOf(side)) shared_.push_back(slot);
  }

  // Whether the rows have the same user and context.
  bool SameRequest(int64_t a, int64_t b) const {
    for (const int block : {0, 1})
      if (!SameBlock(layout_.blocks[block], a, b)) return false;
    return std::all_of(shared_.begin(), shared_.end(), [&](int64_t slot) {
      return TextOf(a, slot) == TextOf(b, slot);
    });
  }

  void AddBlock(const CtrBlock& block, int64_t row, std::vector<int64_t>& ids,
                std::vector<float>& dense) const {
    const int64_t* id = IdsOf(block, row);
    ids.insert(ids.end(), id, id + block.id_count);
    const float* number = NumbersOf(block, row);
    dense.insert(dense.end(), number, number + block.dense_count);
  }

  void AddVectors(config::v1::Side side, int64_t row,
                  std::vector<const float*>& vectors) const {
    for (const int64_t slot : layout_.SlotsOf(side)) {
      const int64_t text = TextOf(row, slot);
      vectors.push_back(text < 0 ? nullptr : texts_ + text * layout_.text_dim);
    }
  }

 private:
  const int64_t* IdsOf(const CtrBlock& block, int64_t row) const {
    return ids_ + row * layout_.id_count() + block.first_id;
  }
  const float* NumbersOf(const CtrBlock& block, int64_t row) const {
    return dense_ + row * layout_.dense_count + block.first_dense;
  }
  int64_t TextOf(int64_t row, int64_t slot) const {
    return index_[row * layout_.slot_count() + slot];
  }
  bool SameBlock(const CtrBlock& block, int64_t a, int64_t b) const {
    return std::equal(IdsOf(block, a), IdsOf(block, a) + block.id_count,
                      IdsOf(block, b)) &&
           std::equal(NumbersOf(block, a),
                      NumbersOf(block, a) + block.dense_count,
                      NumbersOf(block, b));
  }

  const CtrLayout& layout_;
  const int64_t* ids_;                // [B, F]
  const float* dense_;                // [B, D]
  const float* texts_ = nullptr;      // [T, C]
  const int64_t* index_ = nullptr;    // [B, r]
  std::vector<int64_t> shared_ = {};  // Slots of user and context.
};

}  // namespace

std::vector<BatchRequest> RequestsOf(const CtrBatch& batch,
                                     const CtrLayout& layout) {
  const BatchReader reader(batch, layout);
  const auto& [user, context, poi, cross] = layout.blocks;
  std::vector<BatchRequest> requests;
  for (int64_t row = 0; row < batch.rows(); ++row) {
    if (row == 0 || !reader.SameRequest(row - 1, row)) {
      RequestColumns& shared = requests.emplace_back().columns;
      reader.AddBlock(user, row, shared.user_ids, shared.user_dense);
      reader.AddBlock(context, row, shared.context_ids, shared.context_dense);
      reader.AddVectors(config::v1::USER, row, shared.user_vectors);
      reader.AddVectors(config::v1::CONTEXT, row, shared.context_vectors);
    }
    auto& [columns, pois] = requests.back();
    ++columns.candidates;
    reader.AddBlock(cross, row, columns.cross_ids, columns.cross_dense);
    ++pois.count;
    reader.AddBlock(poi, row, pois.ids, pois.dense);
    reader.AddVectors(config::v1::POI, row, pois.vectors);
  }
  return requests;
}

}  // namespace larr::bfloat16
