// SPDX-License-Identifier: Apache-2.0
#include "examples/city/auc_histogram.h"

#include <cstddef>

namespace larr::city {

double AucHistogram::Auc() const {
  if (positive_count_ == 0 || negative_count_ == 0) return 0.5;
  double pairs = 0;
  int64_t lower = 0;  // Negatives with a lower score.
  for (size_t score = 0; score < positives_.size(); ++score) {
    pairs += static_cast<double>(positives_[score]) *
             (static_cast<double>(lower) +
              0.5 * static_cast<double>(negatives_[score]));
    lower += negatives_[score];
  }
  return pairs / static_cast<double>(positive_count_) /
         static_cast<double>(negative_count_);
}

}  // namespace larr::city
