// SPDX-License-Identifier: Apache-2.0
//
// Users or items as they were known at the start of a day.
//
// Point in time: `At(day)` is the newest partition that is not after `day`;
//            what a later partition says cannot be seen.
// Ownership: partitions are shared by this cache and by the impressions that
//            joined them; the last one to let go frees the memory.
// Threads:   one at a time; partitions are constant and safe.
// Errors:    those of parquet_reader.h; kInvalidArgument names file, column and
//            row of a null, empty or repeated key.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/dataset/dataset_spec.h"

namespace larr {

// The rows of one table on one day, in the order of the files.
class EntityPartition {
 public:
  // The day whose start it is as of; empty for a table without days.
  const std::string& date() const { return date_; }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  const std::string& key(int64_t i) const { return keys_[i]; }
  // In the layout of the table's schema in `Dataset::schemas()`, or of
  // `Dataset::slice_schema()` where that was asked for.
  const Row& row(int64_t i) const { return rows_[i]; }
  // -1 if the key is unknown.
  int64_t Find(std::string_view key) const;
  // Keys whose later rows said something else; only `from_impressions` may.
  int64_t contradictions() const { return contradictions_; }

 private:
  friend class EntitySnapshots;
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };

  std::string date_;
  std::vector<std::string> keys_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, int64_t, KeyHash, std::equal_to<>> index_;
  int64_t contradictions_ = 0;
};

class EntitySnapshots {
 public:
  // REQUIRES: `dataset` outlives the object. table is kUsers or kPois.
  EntitySnapshots(const Dataset& dataset, Table table,
                  bool slice_columns = false);

  // False where the spec has no such table; then there are no dates.
  bool present() const { return !dates_.empty(); }
  // Days with a partition, ascending; one empty string without days.
  const std::vector<std::string>& dates() const { return dates_; }
  // The partition's day that an impression of `day` joins; a null pointer if
  // every partition is later.
  const std::string* DateAt(std::string_view day) const;
  // The last partition's day before `day`; a null pointer if there is none.
  const std::string* DateBefore(std::string_view day) const;

  // The partition of DateAt(day); a null pointer if there is none. The two
  // that were asked for last are kept.
  absl::StatusOr<std::shared_ptr<const EntityPartition>> At(
      std::string_view day);
  // The last partition of all, which serving starts from.
  absl::StatusOr<std::shared_ptr<const EntityPartition>> Newest();

 private:
  absl::StatusOr<std::shared_ptr<const EntityPartition>> Load(
      const std::string& date) const;
  absl::Status LoadFile(const DataFile& file, EntityPartition& into) const;

  const Dataset* dataset_;
  Table table_;
  Schema schema_;
  std::vector<std::string> dates_;
  std::array<std::shared_ptr<const EntityPartition>, 2>
      cache_;  // The newer use first.
};

}  // namespace larr
