// SPDX-License-Identifier: Apache-2.0
#include "services/stage/part_metrics.h"

#include <catch2/catch.hpp>
#include <random>

#include "services/stage/metric_slices.h"

namespace larr::stage {
namespace {

constexpr int kDraws = 30;

// 400 rows of 50 users; every other row is wet, every other user sampled.
PartRows Rows() {
  std::mt19937_64 random(1);
  PartRows rows;
  rows.slices = {{"wet", {}}, {kSampleSlice, {}}};
  Impression row;
  for (int i = 0; i < 400; ++i) {
    const auto user = static_cast<int>(random() % 50);
    row.group = "u" + std::to_string(user);
    row.click = static_cast<float>(random() % 2);
    row.order = static_cast<float>(random() % 2);
    rows.labels.Add(row);
    rows.slices[0].chosen.push_back(i % 2 == 0);
    rows.slices[1].chosen.push_back(user % 2 == 0);
  }
  return rows;
}

ModelScores Scores(const PartRows& rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  ModelScores scores;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    scores.ctr.push_back(static_cast<double>(random() % 1000) / 1000);
    scores.ctcvr.push_back(static_cast<double>(random() % 1000) / 1000);
  }
  return scores;
}

GroupDraws Draws(const PartRows& rows) {
  return {rows.labels.group_keys, kDraws, 7};
}

// The rows of the slice alone, as if there had never been others.
PartRows Only(const PartRows& rows, const PartSlice& slice,
              const ModelScores& scores, ModelScores& kept) {
  PartRows only;
  Impression row;
  std::vector<std::string> names(rows.labels.group_keys.size());
  for (const auto& [name, number] : rows.labels.group_numbers)
    names[number] = name;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    if (!slice.chosen[i]) continue;
    row.group = names[rows.labels.groups[i]];
    row.click = rows.labels.click[i];
    row.order = rows.labels.ctcvr[i];
    only.labels.Add(row);
    kept.ctr.push_back(scores.ctr[i]);
    kept.ctcvr.push_back(scores.ctcvr[i]);
  }
  return only;
}

TEST_CASE("a part's metrics and replicates, whole and by slice") {
  const PartRows rows = Rows();
  const auto part = ComputePartMetrics(rows, Scores(rows, 3), Draws(rows));
  CHECK(part.metrics["rows"] == 400);
  CHECK(part.metrics["slices"]["wet"]["rows"] == 200);
  CHECK_FALSE(part.metrics["slices"]["wet"].contains("ctr_auc_interval"));
  CHECK(part.metrics["slices"]["sample"].contains("ctr_auc_interval"));
  for (const auto* all :
       {&part.replicates["all"], &part.replicates["slices"]["sample"]})
    for (const char* metric :
         {"ctr_auc", "ctcvr_auc", "ctr_gauc", "ctcvr_gauc"})
      CHECK((*all)[metric].size() == kDraws);
  CHECK(part.replicates["slices"]["wet"].size() == 1);
  CHECK(part.replicates["slices"]["wet"]["ctr_auc"].size() == kDraws);
}

TEST_CASE("a sample's metrics are those of its rows scored alone") {
  const PartRows rows = Rows();
  const ModelScores scores = Scores(rows, 3);
  const auto whole = ComputePartMetrics(rows, scores, Draws(rows));
  ModelScores kept;
  const PartRows sample = Only(rows, rows.slices[1], scores, kept);
  const auto alone = ComputePartMetrics(sample, kept, Draws(sample));
  CHECK(alone.replicates["all"] == whole.replicates["slices"]["sample"]);
  auto metrics = whole.metrics["slices"]["sample"];
  CHECK(alone.metrics == metrics);
}

TEST_CASE("models are drawn alike: what they share falls out of a difference") {
  const PartRows rows = Rows();
  const ModelScores one = Scores(rows, 3);
  ModelScores other = one;
  // The same order of rows: no draw may tell the two apart.
  for (double& score : other.ctr) score = score * score;
  const auto a = ComputePartMetrics(rows, one, Draws(rows)).replicates;
  const auto b = ComputePartMetrics(rows, other, Draws(rows)).replicates;
  CHECK(a == b);
  CHECK(a["all"]["ctr_auc"][0] != a["all"]["ctr_auc"][1]);
}

}  // namespace
}  // namespace larr::stage
