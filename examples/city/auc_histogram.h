// SPDX-License-Identifier: Apache-2.0
//
// The exact AUC of scores that are whole numbers, in memory that does not
// depend on how many there are.
//
// Threads:    not safe.
#pragma once

#include <cstdint>
#include <vector>

namespace larr::city {

class AucHistogram {
 public:
  // Scores are in [0, max_score].
  explicit AucHistogram(int max_score)
      : positives_(max_score + 1), negatives_(max_score + 1) {}

  void Add(int score, bool label) {
    ++(label ? positives_ : negatives_)[score];
    ++(label ? positive_count_ : negative_count_);
  }

  // Probability that a positive has a higher score than a negative, ties
  // counting half. 0.5 if either is missing.
  double Auc() const;

  int64_t positive_count() const { return positive_count_; }
  int64_t count() const { return positive_count_ + negative_count_; }

 private:
  std::vector<int64_t> positives_;
  std::vector<int64_t> negatives_;
  int64_t positive_count_ = 0;
  int64_t negative_count_ = 0;
};

}  // namespace larr::city
