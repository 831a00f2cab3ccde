// SPDX-License-Identifier: Apache-2.0
//
// A dataset spec together with the files that it names: loaded and checked
// against them before any work starts.
//
// Errors: kInvalidArgument  the spec does not fit itself or its files
//         kNotFound         a file is not there
//         kDataLoss         a file is not Parquet
//         Messages name the field or the file, column and row (from 1), the
//         value, and the fix.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/dataset/data_files.h"
#include "common/dataset/split.h"
#include "common/features/row.h"
#include "common/features/text_renderer.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

// Threads: const access is safe from any thread.
struct Dataset {
  config::v1::DatasetSpec spec;  // With absolute paths.
  TextRenderer texts;
  Splitter split;
  std::vector<DataFile> impressions;
  // Empty where the spec has no such table; the impressions' own files where
  // it is `from_impressions`.
  std::vector<DataFile> users;
  std::vector<DataFile> pois;

  const SpecSchemas& schemas() const { return texts.schemas(); }
  // Columns of the table's row for who cuts slices: those of schemas(), then
  // those that slices alone read.
  Schema slice_schema(Table table) const;
  const std::vector<DataFile>& files(Table table) const;
  // A null pointer where the spec has no such table.
  const config::v1::EntityTable* entity_table(Table table) const;
  // Days of the impressions, ascending; empty without daily partitions.
  std::vector<std::string> days() const;
};

// Loads the spec at `path` and checks it against the footers of every file:
// columns, types, names, split. Reads no rows.
absl::StatusOr<Dataset> OpenDataset(const std::filesystem::path& path);
// The same for a spec whose paths are absolute or relative to `folder`.
absl::StatusOr<Dataset> OpenDataset(config::v1::DatasetSpec spec,
                                    const std::filesystem::path& folder);

}  // namespace larr
