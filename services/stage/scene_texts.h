// SPDX-License-Identifier: Apache-2.0
//
// The scene texts of impressions as rows of a growing table of vectors: each
// distinct text is rendered, looked up in the snapshot and held once. Texts
// come from the rows that an impression joined, so they say what was known on
// its own day.
//
// Memory:  one vector for each distinct text since the last Forget.
// Threads: one at a time.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/dataset/impression_stream.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot.h"

namespace larr::stage {

// `width` values for each row of a partition, made at first use and kept for as
// long as anybody holds the partition.
template <typename T>
class PerEntity {
 public:
  explicit PerEntity(int width) : width_(width) {}

  // The values of row `index`; `fresh` says that the caller must fill them.
  std::span<T> At(const std::shared_ptr<const EntityPartition>& partition,
                  int64_t index, bool& fresh) {
    Entry& entry = Find(partition);
    fresh = !entry.done[index];
    entry.done[index] = 1;
    return std::span(entry.values).subspan(index * width_, width_);
  }
  void Forget() { entries_.clear(); }

 private:
  struct Entry {
    std::weak_ptr<const EntityPartition> partition;
    std::vector<uint8_t> done;
    std::vector<T> values;

    bool IsOf(const std::shared_ptr<const EntityPartition>& other) const {
      return !partition.owner_before(other) && !other.owner_before(partition);
    }
  };

  Entry& Find(const std::shared_ptr<const EntityPartition>& partition) {
    Entry& entry = entries_[partition.get()];
    if (entry.IsOf(partition)) return entry;
    entry = {.partition = partition,
             .done = std::vector<uint8_t>(partition->size()),
             .values = std::vector<T>(partition->size() * width_)};
    std::erase_if(entries_, [](const auto& known) {
      return known.second.partition.expired();
    });
    return entry;
  }

  const int width_;
  // By address; a new partition may have that of one that is gone.
  std::unordered_map<const EntityPartition*, Entry> entries_;
};

class SceneTexts {
 public:
  // Those of some scene features of the renderer, `names`.
  // REQUIRES: renderer and snapshot outlive the object; the renderer has them.
  SceneTexts(const TextRenderer& renderer,
             const google::protobuf::RepeatedPtrField<std::string>& names,
             const Snapshot& snapshot);

  int slot_count() const { return static_cast<int>(keywords_.size()); }
  int dim() const { return snapshot_.dim(); }

  // For each of the scene features, in their order, the table's row of its
  // text; -1 where the impression has no such text.
  void Find(const Impression& impression, std::span<int32_t> out);

  // Reads the vectors of texts that Find saw for the first time.
  // Errors: those of Snapshot::ReadVectors
  absl::Status ReadVectors();

  // The table. Vectors are there after ReadVectors.
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }
  int slot(int32_t text) const { return slots_[text]; }
  bool present(int32_t text) const { return present_[text] != 0; }
  const float* vector(int32_t text) const {
    return &vectors_[static_cast<size_t>(text) * dim()];
  }

  // Texts looked up so far that the snapshot does not have.
  int64_t missing() const { return missing_; }

  // Empties the table: what Find returned before means nothing any more.
  void Forget();

 private:
  // Texts of one side: their places among all, and rows already seen.
  struct Side {
    std::vector<int> positions;
    PerEntity<int32_t> rows;
    explicit Side(std::vector<int> p)
        : positions(p), rows(static_cast<int>(p.size())) {}
  };
  std::vector<int> PositionsOf(config::v1::Side side) const;
  int32_t TextOf(int position, const Row& row);
  void FindEntity(Side& side,
                  const std::shared_ptr<const EntityPartition>& partition,
                  int64_t index, std::span<int32_t> out);

  const TextRenderer& renderer_;
  const Snapshot& snapshot_;
  const std::vector<int> keywords_;
  Side users_, pois_;
  const std::vector<int> context_;
  std::unordered_map<std::string, int32_t> texts_;  // By text id.
  std::vector<std::string> unread_;                 // Ids at the table's end.
  std::vector<int32_t> slots_;
  std::vector<uint8_t> present_;
  std::vector<float> vectors_;
  int64_t missing_ = 0;
};

}  // namespace larr::stage
