// SPDX-License-Identifier: Apache-2.0
//
// A row's features as the text that P5 reads (common/llm/p5_prompt.h):
// "name: value" for each column that the tabular features read, in the spec's
// order, then for each scene text, which stands without its special tokens.
//
// A column is told once, by the name of the first feature that reads it and no
// other column; one that is only read together with others is `table.column`.
// What is missing is left out. Numbers that are no integers have three digits.
//
// Ownership: the dataset stays the caller's, and must outlive the object.
// Threads:   const methods may be called concurrently.
// Errors:    kInvalidArgument  the dataset has not what the spec names
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/dataset_spec.h"
#include "common/features/row.h"
#include "common/features/tabular_encoder.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::stage {

class P5Text {
 public:
  // Of the features of `spec`, all of which `dataset` has.
  static absl::StatusOr<P5Text> Create(const Dataset& dataset,
                                       const config::v1::DatasetSpec& spec);

  // Empty where nothing is known.
  std::string Of(const FeatureRows& rows) const;

 private:
  struct Column {
    std::string name;
    Table table;
    int column;  // of the dataset's schema
  };
  explicit P5Text(const Dataset& dataset) : dataset_(&dataset) {}
  absl::Status AddColumns(const config::v1::DatasetSpec& spec);
  absl::Status AddTexts(const config::v1::DatasetSpec& spec);

  const Dataset* dataset_;
  std::vector<Column> columns_;
  std::vector<int> keywords_;
};

}  // namespace larr::stage
