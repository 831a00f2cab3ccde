// SPDX-License-Identifier: Apache-2.0
//
// Which part of a dataset an impression belongs to.
//
// Threads: const methods may be called from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "larr/config/v1/dataset.pb.h"

namespace larr {

enum class Part {
  kHistory,  // Before the pairs: feeds histories and statistics alone.
  kPairs,    // User-POI pairs of stage 2. Without dates: the training rows.
  kTrain,
  kValidation,
  kTest,
  kAfter,  // From `DateSplit.end` on, or another value of a split column.
};

// `history`, `pairs`, `train`, `validation`, `test`, `after`.
std::string_view PartName(Part part);

class Splitter {
 public:
  // Errors: kInvalidArgument  dates that are none or not ascending, fractions
  //                           outside (0, 1), values that are missing or equal.
  static absl::StatusOr<Splitter> Create(const config::v1::Split& split);

  bool by_date() const { return split_.has_dates(); }
  // The impression column that decides; empty by date.
  const std::string& column() const;
  // The first day of training: corpora and pairs see only earlier days. Empty
  // if not by date.
  const std::string& cutoff() const { return split_.dates().train_begin(); }

  // REQUIRES: by_date()
  Part OfDate(std::string_view date) const;
  // The part of a value of `column()`, as text. A group's part depends on its
  // text and the seed alone. REQUIRES: !by_date()
  Part OfValue(std::string_view value) const;
  // True if rows of part `of` are asked for by `wanted`: itself, or training
  // rows as pairs where there are no dates.
  bool Wanted(Part of, Part wanted) const;

 private:
  explicit Splitter(config::v1::Split split) : split_(std::move(split)) {}

  config::v1::Split split_;
};

}  // namespace larr
