// SPDX-License-Identifier: Apache-2.0
//
// Whether scores are still those of training: histograms in bins of about equal
// mass, and the population stability index (PSI) between two of them,
//
//   PSI = sum over bins of (a - e) * ln(a / e)
//
// where e is a bin's share of the validation rows and a its share of the scores
// to judge. Shares count as 1e-4 at least: an empty bin is not infinite.
// By convention: below 0.1 alike, beyond 0.25 another population. Of N scores
// of one population it is about (bins - 1) / N. Free of LibTorch.
//
// Threads: pure functions; const methods may be called concurrently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "larr/config/v1/score_distribution.pb.h"

namespace larr {

// A ScoreDistribution, in a model's folder.
inline constexpr char kScoresFile[] = "scores.textproto";
inline constexpr size_t kMostScoreBins = 32;

// 20 bins, fewer where many scores are equal. REQUIRES: scores is not empty
config::v1::ScoreDistribution::Histogram MakeHistogram(
    std::span<const double> scores);

// One output's bins, and what training had in them.
class ScoreBins {
 public:
  // Errors: kInvalidArgument  edges do not ascend, there are too many, rows are
  //                           of another number, negative or all 0
  static absl::StatusOr<ScoreBins> Create(
      const config::v1::ScoreDistribution::Histogram& histogram);

  size_t size() const { return shares_.size(); }
  size_t BinOf(float score) const;

  // REQUIRES: counts.size() == size(), not all 0
  double Psi(std::span<const int64_t> counts) const;

 private:
  std::vector<float> edges_;
  std::vector<double> shares_;  // [size]
};

// Of a model.
struct ScoreReference {
  std::optional<ScoreBins> ctr, ctcvr;
};

// Nothing if the folder has no such file: of a model that was trained before
// there was one, or without validation rows.
// Errors: kInvalidArgument  the file is no distribution; the message names it
absl::StatusOr<std::optional<ScoreReference>> LoadScoreReference(
    const std::filesystem::path& folder);

}  // namespace larr
