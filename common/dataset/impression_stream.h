// SPDX-License-Identifier: Apache-2.0
//
// Impressions of one part of a dataset, joined with the users and items as
// they were known on the impression's own day. Row groups are read one after
// another; nothing is loaded whole.
//
// Order:     without a seed that of the files. With a seed: days in random
//            order, row groups in random order within their day, rows through
//            a shuffle buffer. The same seed, files and buffer size give the
//            same order on every platform, so a reader that stopped after N
//            rows goes on with `skip_rows` = N, exactly.
// Memory:    one row group, the buffer's rows, and the entity partitions that
//            they joined.
// Threads:   one at a time.
// Errors:    those of parquet_reader.h, labels.h and malformed_text.h
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/dataset/labels.h"
#include "common/dataset/parquet_reader.h"
#include "common/features/tabular_encoder.h"

namespace larr {

// One row of the impressions, with what it joins.
struct Impression {
  std::string date;     // Empty without days.
  std::string user_id;  // Keys as text; empty where null or not in the spec.
  std::string poi_id;
  std::string request_id;
  std::string group;  // Of GAUC.
  Row values;         // Schema: impressions; see `slice_columns`.
  float click = 0;
  float order = 0;                   // 0 where the spec has no order column.
  float true_click_probability = 0;  // NaN where the spec has no such column.
  float true_ctcvr_probability = 0;

  // The partitions that the row joined, and its rows there; -1 if unknown.
  // Equal (partition, index) is the same row: encode it once.
  std::shared_ptr<const EntityPartition> users;
  std::shared_ptr<const EntityPartition> pois;
  int64_t user_index = -1;
  int64_t poi_index = -1;

  // The three rows, for the tabular encoder and the text renderer.
  FeatureRows rows() const {
    return {.user = user_index < 0 ? nullptr : &users->row(user_index),
            .poi = poi_index < 0 ? nullptr : &pois->row(poi_index),
            .impression = &values};
  }
};

struct ImpressionStreamOptions {
  Part part = Part::kTrain;
  // The three rows are of Dataset::slice_schema(), not of schemas().
  bool slice_columns = false;
  // Parameters that affect order.
  std::optional<uint64_t> seed;  // Nothing: the order of the files.
  int64_t shuffle_rows = 0;      // Rows of the buffer; needs a seed.
  int64_t skip_rows = 0;         // Rows that were read before.
  int64_t max_rows = 0;          // Rows in all, skipped ones included. 0: all.
};

class ImpressionStream {
 public:
  // Reads only footers. REQUIRES: `dataset` outlives the stream.
  static absl::StatusOr<ImpressionStream> Open(
      const Dataset& dataset, const ImpressionStreamOptions& options);

  // Overwrites `row` and returns true, or returns false at the end. Hand the
  // same object in again and again: its memory is reused.
  absl::StatusOr<bool> Next(Impression& row);

  // Rows that Next gave, skipped ones included.
  int64_t position() const { return position_; }
  // Rows that the stream gives in all, where that is known from the footers
  // (a split by date), else -1.
  int64_t total_rows() const { return total_rows_; }

 private:
  struct Unit {  // A row group.
    int file;
    int group;
    int64_t rows;
  };
  // Columns of impressions besides `values` and labels: where they are in a row
  // group.
  struct KeyColumns {
    int user = -1, poi = -1, request = -1, group = -1, split = -1;
  };

  ImpressionStream(const Dataset& dataset,
                   const ImpressionStreamOptions& options);
  absl::Status ListUnits();
  void ShuffleUnits();
  void NameColumns();
  absl::Status OpenUnit();
  absl::StatusOr<bool> ReadNext(Impression& row);  // In the order of units.
  absl::StatusOr<bool> ShuffledNext(Impression& row);
  absl::Status Fill(int64_t i, Impression& row);
  bool IsWanted(int64_t i);

  const Dataset* dataset_;
  ImpressionStreamOptions options_;
  EntitySnapshots users_;
  EntitySnapshots pois_;
  // Columns to read: schema, then keys and labels.
  std::vector<std::string> names_;
  KeyColumns keys_;
  LabelReader labels_;
  int value_columns_ = 0;
  std::vector<bool> is_key_;  // Of these: a user's or a POI's.

  std::vector<Unit> units_;
  size_t next_unit_ = 0;
  int open_file_ = -1;
  std::optional<ParquetFile> file_;
  RowGroup group_;
  int64_t group_row_ = 0;        // Next row of group_.
  int64_t group_first_row_ = 0;  // Of group_, in its file.
  std::shared_ptr<const EntityPartition> users_now_;
  std::shared_ptr<const EntityPartition> pois_now_;

  std::mt19937_64 random_;
  std::vector<Impression> buffer_;
  bool drained_ = false;  // Nothing more to read into the buffer.
  int64_t position_ = 0;
  int64_t total_rows_ = -1;
  Value scratch_;
  std::string split_text_;
};

}  // namespace larr
