// SPDX-License-Identifier: Apache-2.0
//
// What the encoding of tabular features learns from training rows.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/features/tabular_encoder.h"

namespace larr {

// Learns vocabularies, bucket edges, means and deviations from a stream of
// training rows. Memory grows with the number of distinct vocabulary values
// alone. Equal streams give equal results.
//
// Threads: one at a time.
class FeatureLearner {
 public:
  static absl::StatusOr<FeatureLearner> Create(
      const config::v1::DatasetSpec& spec);

  void Add(const FeatureRows& rows);

  // One entry for each tabular feature, in block order.
  google::protobuf::RepeatedPtrField<config::v1::LearnedFeature> Finish() const;

 private:
  struct State {
    ResolvedFeature resolved;
    std::unordered_map<std::string, int64_t> counts;  // Vocabulary.
    std::vector<double> sample;                       // Quantiles: a reservoir.
    std::mt19937_64 random;
    int64_t seen = 0;  // Non-null values.
    double mean = 0;   // Dense, by Welford's method.
    double squares = 0;
  };

  std::vector<State> states_;
};

}  // namespace larr
