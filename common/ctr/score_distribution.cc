// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/score_distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <system_error>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::ScoreDistribution;

constexpr double kLeastShare = 1e-4;
constexpr size_t kBins = 20;  // at most kMostScoreBins

absl::Status Check(const ScoreDistribution::Histogram& histogram) {
  const auto& edges = histogram.edges();
  const auto& rows = histogram.rows();
  if (rows.size() != edges.size() + 1 || rows.size() > int{kMostScoreBins}) {
    return Invalid(
        "it has {} edges and {} rows; there must be one more rows than edges, "
        "{} at most",
        edges.size(), rows.size(), kMostScoreBins);
  }
  for (int i = 0; i < edges.size(); ++i) {
    if (std::isfinite(edges[i]) && (i == 0 || edges[i - 1] < edges[i]))
      continue;
    return Invalid("edges[{}] is {}; edges must ascend", i, edges[i]);
  }
  for (int i = 0; i < rows.size(); ++i) {
    if (rows[i] >= 0) continue;
    return Invalid("rows[{}] is {}; it must not be negative", i, rows[i]);
  }
  if (std::all_of(rows.begin(), rows.end(), [](int64_t n) { return n == 0; })) {
    return absl::InvalidArgumentError("all of its rows are 0");
  }
  return absl::OkStatus();
}

absl::Status ReadHistogram(const char* output,
                           const ScoreDistribution::Histogram& histogram,
                           std::optional<ScoreBins>& bins) {
  auto created = ScoreBins::Create(histogram);
  if (!created.ok()) {
    return Invalid("{}: {}: {}", kScoresFile, output,
                   std::string(created.status().message()));
  }
  bins = *std::move(created);
  return absl::OkStatus();
}

}  // namespace

ScoreDistribution::Histogram MakeHistogram(std::span<const double> scores) {
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  ScoreDistribution::Histogram histogram;
  size_t begin = 0;  // of the present bin
  for (size_t bin = 1; bin < kBins; ++bin) {
    const double edge = sorted[sorted.size() * bin / kBins];
    const auto end = static_cast<size_t>(
        std::lower_bound(sorted.begin(), sorted.end(), edge) - sorted.begin());
    if (end == begin) continue;
    histogram.add_edges(edge);
    histogram.add_rows(static_cast<int64_t>(end - begin));
    begin = end;
  }
  histogram.add_rows(static_cast<int64_t>(sorted.size() - begin));
  return histogram;
}

absl::StatusOr<ScoreBins> ScoreBins::Create(
    const ScoreDistribution::Histogram& histogram) {
  LARR_RETURN_IF_ERROR(Check(histogram));
  ScoreBins bins;
  for (const double edge : histogram.edges()) {
    bins.edges_.push_back(static_cast<float>(edge));
  }
  const auto& rows = histogram.rows();
  const double all = std::accumulate(rows.begin(), rows.end(), 0.0);
  for (const int64_t n : rows) {
    bins.shares_.push_back(std::max(static_cast<double>(n) / all, kLeastShare));
  }
  return bins;
}

size_t ScoreBins::BinOf(float score) const {
  // Scores come in no order: a search would mispredict at each step.
  size_t bin = 0;
  for (const float edge : edges_) bin += score >= edge ? 1 : 0;
  return bin;
}

double ScoreBins::Psi(std::span<const int64_t> counts) const {
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  double psi = 0;
  for (size_t bin = 0; bin < shares_.size(); ++bin) {
    const double share =
        std::max(static_cast<double>(counts[bin]) / all, kLeastShare);
    psi += (share - shares_[bin]) * std::log(share / shares_[bin]);
  }
  return psi;
}

absl::StatusOr<std::optional<ScoreReference>> LoadScoreReference(
    const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kScoresFile;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return std::optional<ScoreReference>();
  }
  LARR_ASSIGN_OR_RETURN(const auto distribution,
                        LoadTextProto<ScoreDistribution>(path));
  ScoreReference reference;
  if (distribution.has_ctr()) {
    LARR_RETURN_IF_ERROR(
        ReadHistogram("ctr", distribution.ctr(), reference.ctr));
  }
  if (distribution.has_ctcvr()) {
    LARR_RETURN_IF_ERROR(
        ReadHistogram("ctcvr", distribution.ctcvr(), reference.ctcvr));
  }
  return std::make_optional(std::move(reference));
}

}  // namespace larr
